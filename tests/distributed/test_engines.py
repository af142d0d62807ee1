"""All engines give the records of one plain run, flows across file borders included, also when a worker is killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pieces_of import cut, rows, stream, written

import flowclass
from flowclass import distributed

ENGINES = ("local", "ray", "spark")


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> distributed.EngineName:
    name: distributed.EngineName = request.param
    if name != "local":
        from conftest import _missing

        package = {"ray": "ray", "spark": "pyspark"}[name]
        try:
            __import__(package)
        except ModuleNotFoundError:
            _missing(name, f"no {package} on this machine")
    return name


@pytest.fixture
def paths(captures: Path, tmp_path: Path) -> list[Path]:
    frames = stream(captures, seed=11)
    made = cut(frames, [len(frames) * part // 6 for part in range(1, 6)], tmp_path)
    assert len(made) == 6
    return made


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning")
def test_the_records_of_one_plain_run(engine: distributed.EngineName, paths: list[Path], tmp_path: Path) -> None:
    run = distributed.classify(paths, tmp_path / "out", engine=engine, workers=2)
    plain = flowclass.classify([str(path) for path in paths])
    assert rows(written(tmp_path / "out")) == rows(plain.to_pyarrow())
    assert run.balance == plain.balance
    assert run.carried > 0


MARKS = {"local": b"spawn_main", "ray": b"ray::Map", "spark": b"pyspark.daemon"}
"""What the command line of a worker has in it."""


def _workers(engine: str) -> Iterator[int]:
    """Give the processes that work for this one, as the kernel knows; Ray's and Spark's are children of children."""
    parents, commands = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            process = int(stat.parent.name)
            parents[process] = int(stat.read_text().rpartition(")")[2].split()[1])
            commands[process] = (stat.parent / "cmdline").read_bytes()
    for process, command in commands.items():
        above = parents[process]
        while above in parents and above != os.getpid():
            above = parents[above]
        if above == os.getpid() and MARKS[engine] in command:
            yield process


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning")
def test_a_killed_worker_is_replaced(engine: distributed.EngineName, paths: list[Path], tmp_path: Path) -> None:
    killed: list[int] = []
    over = threading.Event()

    def kill_one() -> None:
        while not over.is_set() and not killed:
            for worker in _workers(engine):
                os.kill(worker, signal.SIGKILL)
                killed.append(worker)
                return
            time.sleep(0.005)

    thread = threading.Thread(target=kill_one)
    thread.start()
    run = distributed.classify(paths, tmp_path / "out", engine=engine, workers=2)
    over.set()
    thread.join()
    assert killed
    assert rows(written(tmp_path / "out")) == rows(flowclass.classify([str(path) for path in paths]).to_pyarrow())
    assert all(report.problem == "none" for report in run.reports)


DEADLY = """\
import os, signal, sys
sys.addaudithook(lambda event, given: event == "open" and str(given[0]).endswith("/deadly.pcap")
                 and os.kill(os.getpid(), signal.SIGKILL))
"""
"""What the workers' Pythons run first: one that opens that file dies."""
DRIVER = """\
import json, os, sys
engine, out, first, *paths = sys.argv[1:]
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [first, os.environ.get("PYTHONPATH")]))
from flowclass import distributed
run = distributed.classify(paths, out, engine=engine, workers=2)
print(json.dumps([[report.problem, report.sentence] for report in run.reports]))
"""


def test_a_file_that_ends_every_process_is_left_out(
    engine: distributed.EngineName, paths: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "sitecustomize.py").write_text(DEADLY)
    deadly = paths[2].rename(tmp_path / "deadly.pcap")
    others = [*paths[:2], *paths[3:]]
    given = [engine, tmp_path / "out", tmp_path / "first", *paths[:2], deadly, *paths[3:]]
    done = subprocess.run([sys.executable, "-c", DRIVER, *given], capture_output=True, text=True, check=True)
    reports = json.loads(done.stdout.splitlines()[-1])
    assert [problem for problem, _ in reports] == ["none", "none", "unreadable", "none", "none", "none"]
    assert "died 3 times" in reports[2][1]
    assert rows(written(tmp_path / "out")) == rows(flowclass.classify([str(path) for path in others]).to_pyarrow())


def test_nothing_of_it_is_imported_unless_asked_for() -> None:
    code = (
        "import flowclass, sys; flowclass.classify; print([m for m in sys.modules if 'distributed' in m or m == 'ray'])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_an_unknown_engine_is_refused(paths: list[Path], tmp_path: Path) -> None:
    with pytest.raises(flowclass.ConfigError, match="local, ray, spark"):
        distributed.classify(paths, tmp_path / "out", engine="flink")  # type: ignore[arg-type]

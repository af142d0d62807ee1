"""Rotating files: every row once and in order, names that say what is inside, whole or not there, also after a kill."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from capture_files import exchange, pcap
from conftest import Command
from flow_rows import SCHEMA, batch_of, numbered
from hypothesis import given, settings
from hypothesis import strategies as st

from flowclass.errors import ConfigError, OutputError
from flowclass.pipeline.records import Records
from flowclass.sinks.rotating import RotatingSink, Rotation, parts

NAME = re.compile(r"flows-(\d{8})-(\d{8}T\d{6}\.\d{6}Z|none)-(\d{8}T\d{6}\.\d{6}Z|none)\.parquet")
HOUR = 3_600_000_000_000


def _fill(folder: Path, rotation: Rotation, batches: list[pa.RecordBatch], form: str = "parquet") -> RotatingSink:
    sink = RotatingSink(folder, form, rotation, SCHEMA, {"flowclass.version": "1"})
    for batch in batches:
        sink.write(batch)
    sink.finish({"flowclass.balance": "{}"})
    return sink


def _numbers(folder: Path) -> list[list[int]]:
    return [pq.read_table(path, columns=["packet_first"]).column(0).to_pylist() for path in parts(folder)]


@settings(deadline=None, max_examples=40)
@given(
    ends=st.lists(st.integers(0, 40), max_size=60),
    cuts=st.lists(st.integers(0, 60), max_size=6),
    rows=st.none() | st.integers(1, 20),
    every=st.none() | st.integers(1, 15),
)
def test_every_row_once_in_order(ends: list[int], cuts: list[int], rows: int | None, every: int | None) -> None:
    """Whatever the batches are, the files hold the rows in order, and depend on the rows alone."""
    whole = batch_of(
        *({"packet_first": n, "time_start": end * 10**9, "time_end": end * 10**9 + 1} for n, end in enumerate(ends))
    )
    places = sorted({0, len(ends), *(cut for cut in cuts if cut < len(ends))})
    batches = [whole.slice(a, b - a) for a, b in pairwise(places)]
    rotation = Rotation(rows=rows, every_ns=None if every is None else every * 10**9)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        sink = _fill(Path(one), rotation, batches)
        _fill(Path(other), rotation, [whole])
        found = _numbers(Path(one))
        assert found == _numbers(Path(other))
        assert [number for part in found for number in part] == list(range(len(ends)))
        assert (sink.files, sink.complete_rows) == (len(found), len(ends))
        assert len(found) == 1 or all(found)  # no file is empty but that of a run without rows
        latest = -1
        for path, part in zip(parts(Path(one)), found, strict=True):
            assert rows is None or len(part) <= rows
            reached = []
            for number in part:
                latest = max(latest, ends[number])
                reached.append(latest // every if every is not None else 0)
            assert len(set(reached)) <= 1
            matched = NAME.fullmatch(path.name)
            assert matched is not None
            if part:
                inside = [ends[number] for number in part]
                assert matched[2] == f"19700101T0000{min(inside):02}.000000Z"
                assert matched[3] == f"19700101T0000{max(inside):02}.000000Z"
        assert sorted(path.name for path in Path(one).iterdir()) == [path.name for path in parts(Path(one))]


def test_files_end_with_intervals_of_the_clock(tmp_path: Path) -> None:
    _fill(tmp_path, Rotation(every_ns=HOUR), [numbered(10, step_ns=HOUR // 4)])
    assert [len(part) for part in _numbers(tmp_path)] == [4, 4, 2]  # START is 07:06:40


def test_by_octets(tmp_path: Path) -> None:
    texts = [{"packet_first": n, "server_name": os.urandom(4000).hex()} for n in range(1200)]
    batch = batch_of(*texts)
    _fill(tmp_path, Rotation(octets=1 << 20), [batch])
    sizes = [path.stat().st_size for path in parts(tmp_path)]
    assert len(sizes) >= 3
    assert all((1 << 20) <= size <= (1 << 20) * 9 // 8 + 60_000 for size in sizes[:-1])
    assert [number for part in _numbers(tmp_path) for number in part] == list(range(1200))


def test_readers_of_folders_take_it(tmp_path: Path, flowclass_command: Command, captures: Path) -> None:
    capture = next(captures.glob("dns-udp-ipv6.pcap"))
    (tmp_path / "registry.csv").write_text("prefix,registrant_id\n2001:db8::/32,R-1\n")
    assert flowclass_command(capture, "-o", tmp_path / "one.parquet", "-q").code == 0
    made = flowclass_command(capture, "-o", tmp_path / "many", "--rotate-rows", "2")
    assert made.code == 0, made.err
    whole = pq.read_table(tmp_path / "one.parquet")
    assert len(parts(tmp_path / "many")) == (whole.num_rows + 1) // 2 > 1
    assert (
        f"{whole.num_rows} rows = {whole.num_rows} delivered + 0 dropped, in {len(parts(tmp_path / 'many'))} files"
        in made.err
    )
    (tmp_path / "many" / ".tmp-flows-99999999.parquet-1").write_text("half a file")
    records = Records(tmp_path / "many", 1000)
    assert pa.Table.from_batches(list(records)).to_pylist() == whole.to_pylist()
    assert "flowclass.balance" in records.metadata
    assert ds.dataset(tmp_path / "many").to_table().num_rows == whole.num_rows
    beside = flowclass_command("diff", tmp_path / "many", tmp_path / "one.parquet")
    assert beside.code == 0, beside.err
    assert "nothing changes: the same " in beside.out
    name = whole.column("flow_id")[whole.num_rows - 1].as_py()
    assert name in flowclass_command("explain", name, "--in", tmp_path / "many").out
    assert flowclass_command("report", tmp_path / "many", "-o", tmp_path / "a.html", "-q").code == 0
    assert flowclass_command("report", tmp_path / "one.parquet", "-o", tmp_path / "b.html", "-q").code == 0
    pages = [(tmp_path / page).read_text() for page in ("a.html", "b.html")]
    assert all(name in page for page in pages) or all(name not in page for page in pages)


def test_numbers_go_on_and_what_is_there_stays(tmp_path: Path) -> None:
    _fill(tmp_path, Rotation(rows=3), [numbered(4)])
    before = {path: path.read_bytes() for path in parts(tmp_path)}
    _fill(tmp_path, Rotation(rows=3), [numbered(4, start=4)])
    assert [number for part in _numbers(tmp_path) for number in part] == list(range(8))
    assert [path.name[6:14] for path in parts(tmp_path)] == ["00000001", "00000002", "00000003", "00000004"]
    assert all(path.read_bytes() == octets for path, octets in before.items())
    records = Records(tmp_path, 100)
    assert sum(batch.num_rows for batch in records) == 8
    assert "flowclass.balance" not in records.metadata  # neither run's is that of all


def test_other_formats(tmp_path: Path) -> None:
    for form, suffix in (
        ("jsonl", "jsonl"),
        ("arrow", "arrows"),
        ("eve", "eve.json"),
        ("zeek", "conn.log"),
        ("csv", "csv"),
    ):
        _fill(tmp_path / form, Rotation(rows=2), [numbered(5)], form)
        names = sorted(path.name for path in (tmp_path / form).iterdir())
        assert len(names) == 3
        assert all(name.endswith(f"Z.{suffix}") for name in names)
    assert sum(batch.num_rows for batch in Records(tmp_path / "arrow", 10)) == 5
    assert [
        len((tmp_path / "eve" / name).read_text().splitlines()) for name in sorted(os.listdir(tmp_path / "eve"))
    ] == [2, 2, 1]


def test_abort_leaves_only_what_is_complete(tmp_path: Path) -> None:
    sink = RotatingSink(tmp_path, "parquet", Rotation(rows=2), SCHEMA, {})
    sink.write(numbered(5))
    sink.abort()
    assert _numbers(tmp_path) == [[0, 1], [2, 3]]
    assert len(list(tmp_path.iterdir())) == 2


CHILD = """
import sys, time
from flow_rows import SCHEMA, numbered
from flowclass.sinks.rotating import RotatingSink, Rotation
from pathlib import Path
sink = RotatingSink(Path(sys.argv[1]), "parquet", Rotation(rows=7), SCHEMA, {})
for start in range(0, 10**6, 3):
    sink.write(numbered(3, start=start))
    print(start, flush=True)
"""


@pytest.mark.parametrize("lines", [1, 5, 12, 30])
def test_a_kill_leaves_no_half_file(tmp_path: Path, lines: int) -> None:
    path = [str(Path(__file__).parents[1]), *(entry for entry in sys.path if entry)]
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path)},
    )
    assert child.stdout is not None
    with child.stdout as out:
        for _ in range(lines):
            assert out.readline()
        child.send_signal(signal.SIGKILL)
        out.read()
    assert child.wait() == -signal.SIGKILL
    found = _numbers(tmp_path)
    assert all(len(part) == 7 for part in found)
    assert len(found) >= (3 * lines - 1) // 7
    assert [number for part in found for number in part] == list(range(7 * len(found)))
    assert ds.dataset(tmp_path).count_rows() == 7 * len(found) if found else True
    left = [entry for entry in tmp_path.iterdir() if entry.name.startswith(".tmp-")]
    assert len(left) == 1
    _fill(tmp_path, Rotation(rows=7), [numbered(1, start=10**6)])  # the next run takes the leftover away
    assert not [entry for entry in tmp_path.iterdir() if entry.name.startswith(".tmp-")]
    assert len(parts(tmp_path)) == len(found) + 1


def test_what_another_writes_is_no_leftover(tmp_path: Path) -> None:
    one = RotatingSink(tmp_path, "parquet", Rotation(rows=9), SCHEMA, {})
    one.write(numbered(2))
    [held] = tmp_path.iterdir()
    code = "import sys; from flowclass.sinks.atomic import remove_leftovers; from pathlib import Path\n"
    code += "print(remove_leftovers(Path(sys.argv[1]), 'flows-'))"
    path = os.pathsep.join(entry for entry in sys.path if entry)
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        check=True,
    )
    assert done.stdout == b"0\n"
    assert held.exists()
    one.finish()
    assert _numbers(tmp_path) == [[0, 1]]


def test_a_full_disk(tmp_path: Path) -> None:
    """A file system of 2 MiB in a mount namespace of its own."""
    code = f"""
import sys, os
sys.path[:0] = {[str(Path(__file__).parents[1]), *(entry for entry in sys.path if entry)]!r}
from pathlib import Path
from flow_rows import SCHEMA, batch_of
from flowclass.errors import OutputError
from flowclass.sinks.rotating import RotatingSink, Rotation, parts
folder = Path({str(tmp_path)!r})
sink = RotatingSink(folder, "jsonl", Rotation(rows=100), SCHEMA, {{}})
try:
    for start in range(0, 10_000, 10):
        texts = ({{"packet_first": n, "server_name": os.urandom(500).hex()}} for n in range(start, start + 10))
        sink.write(batch_of(*texts))
except OutputError as problem:
    print(problem)
print(len(list(folder.iterdir())), sink.files, sink.complete_rows, sink.delivered.given, sep=",")
"""
    command = f'mount -t tmpfs -o size=2m none {tmp_path} && exec {sys.executable} -c "$CODE"'
    done = subprocess.run(
        ["unshare", "--mount", "--map-root-user", "sh", "-c", command],
        env=os.environ | {"CODE": code},
        capture_output=True,
        text=True,
        check=False,
    )
    if "mount" in done.stderr or "unshare" in done.stderr:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    sentence, counts = done.stdout.splitlines()
    there, files, rows, given = map(int, counts.split(","))
    assert there == files > 3  # complete files alone
    assert rows == files * 100 < given
    assert "no space left on device; make room on the disk, or write elsewhere" in sentence
    assert sentence.endswith(f"{files:,} files with {rows:,} rows are complete, {given - rows:,} rows are lost")


def test_exit_code_and_summary(tmp_path: Path, flowclass_command: Command) -> None:
    (tmp_path / "a.pcap").write_bytes(pcap(exchange()))
    made = flowclass_command(tmp_path / "a.pcap", "-o", tmp_path / "new", "--rotate", "15m", "--json")
    assert made.code == 0, made.err
    told = json.loads(made.out)["delivered"]
    assert told == [
        {"name": str(tmp_path / "new"), "given": told[0]["given"], "delivered": told[0]["given"], "dropped": 0,
         "files": 1, "opened_again": 0, "sentence": ""}
    ]  # fmt: skip
    (tmp_path / "file").write_text("")
    for wrong in (("-o", tmp_path / "file", "--rotate", "1m"), ("--rotate-rows", "5"),
                  ("-o", "-", "--rotate-rows", "5"), ("-o", tmp_path / "new", "--rotate", "1ms")):  # fmt: skip
        refused = flowclass_command(tmp_path / "a.pcap", *wrong)
        assert refused.code == 2, wrong
        assert "Error: " in refused.err
    missing = flowclass_command(tmp_path / "a.pcap", "-o", tmp_path / "no" / "folder", "--rotate", "1m")
    assert missing.code == 6
    assert "make the folder first" in missing.err


def test_rotation_is_checked() -> None:
    for wrong in ({"rows": 0}, {"octets": 1000}, {"every_ns": 10**8}):
        with pytest.raises(ConfigError, match="is closed after at least"):
            Rotation(**wrong)


def test_finish_that_fails_says_what_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = RotatingSink(tmp_path, "parquet", Rotation(rows=2), SCHEMA, {})
    sink.write(numbered(5))

    def fail(handle: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match="2 files with 4 rows are complete, 1 rows are lost"):
        sink.finish()
    assert _numbers(tmp_path) == [[0, 1], [2, 3]]

"""Many files on many workers: python -m benchmarks.distributed [--size 5GB] [--files 2000] [--write].

Every run's records are compared with those of one plain run, column for column, before its time is believed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flowclass
from benchmarks.distributed.archive import make
from benchmarks.distributed.page import PAGE, text
from benchmarks.distributed.same import differences, table_of
from benchmarks.machine import machine
from benchmarks.marks import put
from benchmarks.traces import parse_size
from flowclass import distributed
from flowclass.sinks.parquet import Sink
from flowclass.types import EngineOptions

GROUP = 64 << 20
_WORKER_MARKS = {"local": b"spawn_main", "ray": b"ray::Map", "spark": b"pyspark.daemon"}


def main() -> int:
    """Make the archive, run, compare, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.distributed", description="Many files, many workers.")
    parser.add_argument("--size", type=parse_size, default=parse_size("5GB"))
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--span", type=int, default=1800, help="seconds of packet time in each file")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("/tmp"))
    parser.add_argument("--engines", default="local,ray,spark")
    parser.add_argument("--workers", default="1,2,4", help="for the local engine; the others take the second")
    parser.add_argument("--write", action="store_true", help="write docs/scale.md")
    given = parser.parse_args()
    facts = machine()
    archive, packets = make(given.folder, size=given.size, files=given.files, span_s=given.span, seed=given.seed)
    files = sorted(archive.glob("*.pcap"))
    expected, plain_s, plain_cpu = plain(files, given.folder / "plain.parquet")
    rows: list[dict[str, Any]] = []
    counts = [int(count) for count in given.workers.split(",")]
    for engine in given.engines.split(","):
        for workers in counts if engine == "local" else counts[1:2] or counts:
            for kill in (False, True) if workers == counts[-1] or engine != "local" else (False,):
                row = one(engine, workers, files, expected, given.folder / "distributed", kill=kill)
                rows.append(row)
                print(json.dumps(row), file=sys.stderr, flush=True)
    result = {
        "date": time.strftime("%Y-%m-%d", time.gmtime()), "machine": facts, "files": len(files), "packets": packets,
        "octets": sum(path.stat().st_size for path in files), "span_s": given.span, "flows": expected.num_rows,
        "plain_s": plain_s, "plain_cpu": plain_cpu, "rows": rows,
    }  # fmt: skip
    print(text(result))
    if given.write:
        put(PAGE, "measured", text(result))
    return 0 if all(row["same"] for row in rows) else 1


def plain(files: list[Path], out: Path) -> tuple[Any, float, float]:
    """Classify all in one plain run; give its records, its seconds, and those of the processor."""
    began, cpu = time.monotonic(), time.process_time()
    result = flowclass.classify([str(path) for path in files])
    sink = Sink(out, result.schema, {})
    for batch in result:
        sink.write(batch)
    sink.finish()
    seconds, used = time.monotonic() - began, time.process_time() - cpu
    assert result.balance.closed
    return table_of(out), seconds, used


def one(engine: str, workers: int, files: list[Path], expected: Any, out: Path, *, kill: bool) -> dict[str, Any]:
    """Run once, and compare."""
    shutil.rmtree(out, ignore_errors=True)
    octets = sum(path.stat().st_size for path in files)
    killer = Killer(engine, out, pieces=max(distributed.TASKS_EACH * workers, octets // GROUP)) if kill else None
    began, cpu = time.monotonic(), _processor_s()
    run = distributed.classify(
        [str(path) for path in files],
        out,
        engine=engine,  # type: ignore[arg-type]
        workers=workers,
        options=EngineOptions(),
        group_octets=GROUP,
    )
    seconds, used = time.monotonic() - began, _processor_s() - cpu
    found = differences(expected, table_of(out))
    return {
        "engine": engine, "workers": workers, "killed": 0 if killer is None else killer.killed, "seconds": seconds,
        "processor_s": used, "carried": run.carried, "flows": run.flows, "same": not found and run.balance.closed,
        "differ": found,
    }  # fmt: skip


class Killer:
    """Kills one worker of this process's once a third of the pieces have their records."""

    def __init__(self, engine: str, out: Path, *, pieces: int) -> None:
        self._mark = _WORKER_MARKS[engine]
        self._out = out
        self._least = max(pieces // 3, 1)
        self.killed = 0
        threading.Thread(target=self._kill, daemon=True).start()

    def _kill(self) -> None:
        deadline = time.monotonic() + 600
        while time.monotonic() < deadline:
            if sum(1 for _ in self._out.glob("flows-*-piece.parquet")) >= self._least:
                for process in _workers(self._mark):
                    os.kill(process, signal.SIGKILL)
                    self.killed += 1
                    return
            time.sleep(0.01)


def _workers(mark: bytes) -> Iterator[int]:
    """Give the processes under this one whose command line has a mark, newest first."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    for process in sorted(parents, reverse=True):
        above = process
        while above in parents and above != os.getpid():
            above = parents[above]
        with contextlib.suppress(OSError):
            if above == os.getpid() != process and mark in Path(f"/proc/{process}/cmdline").read_bytes():
                yield process


def _processor_s() -> float:
    """Give the seconds that all processors of the machine have worked: the workers of Ray and Spark are not ours."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    user, nice, system, _, _, interrupts, soft = fields[:7]
    return (user + nice + system + interrupts + soft) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())

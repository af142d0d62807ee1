"""The Python engine over a mapped trace, in a process of its own so that its memory can be told.

python -m benchmarks.pipeline.end_to_end TRACE --threads N --repeat N
"""

from __future__ import annotations

import argparse
import json
import mmap
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa

from flowclass import _core

_CHUNK = 4 << 20


def anonymous_memory() -> int:
    """Octets of the process's own memory, without the mapped trace."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0


def run(octets: memoryview, threads: int) -> tuple[float, float, _core.Engine]:
    """Give wall and processor seconds of one pass: all rows are built, none is kept."""
    engine = _core.Engine(threads=threads)
    wall, processor = time.perf_counter(), time.process_time()
    engine.begin_source("trace")
    for begin in range(0, len(octets), _CHUNK):
        engine.push(octets[begin : begin + _CHUNK])
        engine.poll()
    engine.end_source()
    engine.finish()
    return time.perf_counter() - wall, time.process_time() - processor, engine


def check(octets: memoryview, threads: int) -> tuple[Counter[tuple[str, str | None]], int, dict[str, Any], int]:
    """Give flows by protocol and variant, rows, counters and the most memory, of a pass that is not timed."""
    engine = _core.Engine(threads=threads)
    found: Counter[tuple[str, str | None]] = Counter()
    rows = peak = 0
    engine.begin_source("trace")

    def take(batches: list[_core.FlowBatch]) -> None:
        nonlocal rows, peak
        peak = max(peak, anonymous_memory())
        for batch in batches:
            table = pa.table(pa.record_batch(batch)).select(["protocol", "variant"])
            rows += table.num_rows
            for row in table.group_by(["protocol", "variant"]).aggregate([([], "count_all")]).to_pylist():
                found[row["protocol"], row["variant"]] += row["count_all"]

    for begin in range(0, len(octets), _CHUNK):
        engine.push(octets[begin : begin + _CHUNK])
        take(engine.poll())
    engine.end_source()
    take(engine.finish())
    return found, rows, engine.counters(), peak


def main() -> None:
    """Print one line of JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("trace", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    with arguments.trace.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        octets = memoryview(mapped)
        found, rows, counters, peak = check(octets, arguments.threads)
        times = [run(octets, arguments.threads)[:2] for _ in range(arguments.repeat)]
        octets.release()
    print(
        json.dumps(
            {
                "threads": arguments.threads,
                "rows": rows,
                "found": [[protocol, variant, count] for (protocol, variant), count in sorted(found.items(), key=str)],
                "counters": counters,
                "peak_anonymous": peak,
                "seconds_least": min(wall for wall, _ in times),
                "seconds_median": sorted(wall for wall, _ in times)[len(times) // 2],
                "processor_seconds_least": min(processor for _, processor in times),
            }
        )
    )


if __name__ == "__main__":
    main()

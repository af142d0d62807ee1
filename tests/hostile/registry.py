"""Registries of an attacker: many rows, addresses claimed over and over, octets that are no text.

    python -m tests.hostile.registry --rows 1000000 [--valid]

writes one, checks it as ``flowclass registry check`` does, and says how long that took.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from flowclass.errors import RegistryError, RowProblem
from flowclass.registry import Registry

HEADER = b"registration_id,category,status,prefix,protocols,valid_from,valid_until,submitted_at,approved_at,note_ref\n"
BROKEN = 200
"""Of so many rows one has octets that are no UTF-8, one a NUL, one host bits, one a field too many."""


def rows(count: int, *, valid: bool) -> Iterator[bytes]:
    """Give the lines: half of the rows have a /16 that others have too, half a /28 in one of them."""
    numbers = random.Random(4)
    yield HEADER
    for number in range(count):
        address = numbers.getrandbits(32)
        top = f"{address >> 24}.{address >> 16 & 255}"
        prefix = f"{top}.0.0/16" if number % 2 else f"{top}.{address >> 8 & 255}.{address & 240}/28"
        name = f"ORG-{number}".encode()
        if not valid and number % BROKEN < 4:
            name += (b"\xff", b"\0", b"", b",")[number % BROKEN]
            prefix = f"{top}.0.1/16" if number % BROKEN == 2 else prefix
        dates = f"2024-01-{1 + number % 28:02},2025-{1 + number % 12:02}-01,2024-01-01T{number % 24:02}:00"
        yield name + f",organization,approved,{prefix},ike;openvpn,{dates},,\n".encode()


def checked(path: Path) -> tuple[int, Counter[tuple[str, str]]]:
    """Check a registry. Give its entries, 0 where it is refused, and how many problems of each kind there were."""
    entries, problems = 0, tuple[RowProblem, ...]()
    try:
        registry = Registry.load(path)
        entries, problems = len(registry), registry.warnings
    except RegistryError as refused:
        problems = refused.problems
    return entries, Counter((problem.severity, problem.kind) for problem in problems)


def main() -> int:
    """Run by the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--valid", action="store_true", help="without the rows that are broken")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "registry.csv"
        with path.open("wb") as file:
            file.writelines(rows(given.rows, valid=given.valid))
        wall, processor = time.perf_counter(), time.process_time()
        entries, kinds = checked(path)
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"{given.rows:,} rows, {entries:,} entries: {wall:.1f} s, {processor:.1f} s of the processor, {most:,} MiB")
    for (severity, kind), count in sorted(kinds.items()):
        print(f"{severity} {kind}: {count:,}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

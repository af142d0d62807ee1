"""Adversarial captures at full size: time, packets, flows, memory of each, as a table.

python -m tests.hostile --all
python -m tests.hostile syn_flood nested --small
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from .adversarial import CASES, ROOMY
from .mutations import MEMCAP, Told, told_of


def measured(name: str, *, small: bool) -> tuple[Told, float, int]:
    """Classify one case. Give what came, the engine's seconds, and by how many MiB the process grew at most."""
    case = CASES[name]
    spent = 0.0

    def timed() -> Iterator[bytes]:
        nonlocal spent
        for piece in case.make(case.small if small else case.large):
            begun = time.perf_counter()
            yield piece
            spent += time.perf_counter() - begun

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    told = told_of(timed(), threads=1, memcap=case.memcap, hash_seed=case.hash_seed)
    return told, spent, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10


def main() -> int:
    """Run by the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], help="by default none: name some, or give --all")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--small", action="store_true", help="as large as in the suite")
    given = parser.parse_args()
    failed = False
    print(f"flow table of {MEMCAP >> 20} MiB; for keys that collide of {ROOMY >> 20} MiB")
    print("| case | size | packets | flows | evicted | s | MiB | |")
    print("|---|---|---|---|---|---|---|---|")
    for name in CASES if given.all else given.cases:
        context = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(1, mp_context=context) as alone:  # its peak of memory is its own
            told, seconds, grown = alone.submit(measured, name, small=given.small).result()
        size = CASES[name].small if given.small else CASES[name].large
        good = "balance closed" if told.closed else "OPEN BALANCE"
        failed = failed or not told.closed
        print(
            f"| {name} | {size:,} | {told.packets:,} | {told.flows:,} | {told.evicted:,}"
            f" | {seconds:.1f} | {grown} | {good} |",
            flush=True,
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

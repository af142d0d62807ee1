"""Every capture, broken in many ways, through the engine: no crash, no hang, no packet that is not accounted for.

    python -m tests.hostile.mutations --variants 100000 [--captures FOLDER]... [--seed 1] [--hang 10]

The engine runs in a process of its own, which is watched: when it ends or takes longer than ``--hang`` seconds for one
variant, the variant is written below ``--found`` and the next process goes on behind it. Exit code 1 when there was
one.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from flowclass import EngineOptions
from flowclass.engine import Engine

from .variants import octets_of, variant

ROOT = Path(__file__).resolve().parents[2]
OURS = ROOT / "datasets" / "captures"
PUBLIC = Path(os.environ.get("FLOWCLASS_CORPUS", ROOT.parent / "shared" / "corpus")) / "captures"
MEMCAP = 32 << 20
PUSH = 65_521  # octets; a prime, so that pushes end anywhere in a record
HANG_S = 10.0
Message = tuple[str, int, int, str]  # what happened, to which variant, octets or packets, why
MOST_FAILURES = 20  # then something is broken that needs no further variant to show it


@dataclass(slots=True)
class Outcome:
    """What came of a run of variants."""

    run: int = 0
    packets: int = 0
    octets: int = 0
    slowest_s: float = 0.0
    reports: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[int, str]] = field(default_factory=list)

    def sentence(self) -> str:
        """Give all of it in a line."""
        kinds = Counter(kind for _, kind in self.failures)
        failed = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "no failure"
        return (
            f"{self.run:,} variants, {self.octets / 1e6:,.0f} MB, {self.packets:,} packets, "
            f"slowest {self.slowest_s:.2f} s, {self.reports['none']:,} read to the end without a complaint: {failed}"
        )


@dataclass(frozen=True, slots=True)
class Told:
    """What an engine told of a capture."""

    packets: int
    flows: int
    evicted: int
    closed: bool
    problem: str


def told_of(
    pieces: Iterable[bytes], *, threads: int, memcap: int = MEMCAP, hash_seed: tuple[int, int] | None = None
) -> Told:
    """Classify a capture that comes in pieces; `closed` says whether everything adds up."""
    engine = Engine(EngineOptions(memcap=memcap, tunnels=True), threads=threads, hash_seed=hash_seed)
    engine.begin_source("variant")
    flows = told = 0

    def count(batches: Iterable[pa.RecordBatch]) -> None:
        nonlocal flows, told
        for batch in batches:
            flows += batch.num_rows
            told += sum(pc.sum(batch.column(name)).as_py() for name in ("packets_fwd", "packets_rev"))

    for piece in pieces:
        engine.push(piece)
        count(engine.poll())
    report = engine.end_source()
    count(engine.finish())
    counters = engine.counters()
    packets, octets = (sum(column) for column in zip((0, 0), *counters["packets_skipped"].values(), strict=True))
    closed = (
        counters["packets_read"] == counters["packets_in_flows"] + packets
        and counters["bytes_read"] == counters["bytes_in_flows"] + octets + counters["link_overhead_bytes"]
        and told == counters["packets_in_flows"] + counters["inner_packets"]
        and counters["flows"] == flows
    )
    return Told(counters["packets_read"], flows, counters["evicted"], closed, report["problem"])


def balance_of(data: bytes, threads: int) -> tuple[int, bool, str]:
    """Classify a capture. Give the packets read, whether everything adds up, and what was said of the file."""
    told = told_of((data[at : at + PUSH] for at in range(0, len(data), PUSH)), threads=threads)
    return told.packets, told.closed, told.problem


def _work(files: Sequence[bytes], numbers: range, seed: int, to_parent: Connection) -> None:
    for number in numbers:
        data = variant(files, number, seed)
        to_parent.send(("begun", number, len(data), ""))
        packets, closed, problem = balance_of(data, 2 if number % 8 == 0 else 1)
        to_parent.send(("done" if closed else "open", number, packets, problem))


def _heard(worker: multiprocessing.process.BaseProcess, pipe: Connection, hang_s: float) -> Iterator[Message]:
    """Give what a worker says until it has ended; what it does not say any more is said for it."""
    number = -1
    while True:
        try:
            if not pipe.poll(hang_s):
                worker.kill()
                yield "hang", number, 0, ""
                return
            message = pipe.recv()
        except EOFError:
            worker.join()
            if worker.exitcode:
                yield "crash", number, 0, f"exit code {worker.exitcode}"
            return
        number = message[1]
        yield message


def run(
    files: Sequence[bytes], variants: int, *, seed: int = 1, hang_s: float = HANG_S, until: float = float("inf")
) -> Outcome:
    """Send variants through the engine in a watched process.

    Parameters
    ----------
    files : sequence of bytes
        Captures, none empty.
    variants : int
        How many.
    seed : int
        Which ones.
    hang_s : float
        Longest time for one, s.
    until : float
        By the monotonic clock: no new variant is begun later, s.
    """
    outcome = Outcome()
    context = multiprocessing.get_context("fork")
    at = 0
    while at < variants and time.monotonic() < until and len(outcome.failures) < MOST_FAILURES:
        pipe, to_parent = context.Pipe(duplex=False)
        worker = context.Process(target=_work, args=(files, range(at, variants), seed, to_parent), daemon=True)
        worker.start()
        to_parent.close()
        begun = time.monotonic()
        for what, number, count, why in _heard(worker, pipe, hang_s):
            at = number + 1
            if what == "begun":
                begun = time.monotonic()
                outcome.octets += count
                continue
            outcome.run += 1
            outcome.slowest_s = max(outcome.slowest_s, time.monotonic() - begun)
            outcome.packets += count
            outcome.reports[why] += 1
            if what != "done":
                outcome.failures.append((number, what))
            if time.monotonic() >= until:
                worker.kill()
                break
        worker.join()
    return outcome


def captures_in(folders: Sequence[Path] | None) -> tuple[list[Path], list[bytes]]:
    """Find the captures of some folders, by default ours and the public ones: paths and octets of all not empty."""
    found = folders or [folder for folder in (OURS, PUBLIC) if folder.is_dir()]
    paths = sorted(path for folder in found for path in folder.rglob("*") if path.is_file())
    read = [(path, data) for path in paths if (data := octets_of(path))]
    return [path for path, _ in read], [data for _, data in read]


def main() -> int:
    """Run by the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variants", type=int, default=100_000)
    parser.add_argument("--captures", type=Path, action="append", help="a folder; by default ours and the public ones")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hang", type=float, default=HANG_S, help="longest time for one variant, s")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after so long")
    parser.add_argument("--found", type=Path, default=ROOT / "build" / "found" / "mutations")
    given = parser.parse_args()
    paths, files = captures_in(given.captures)
    until = time.monotonic() + 60 * given.minutes
    outcome = run(files, given.variants, seed=given.seed, hang_s=given.hang, until=until)
    for number, what in outcome.failures:
        given.found.mkdir(parents=True, exist_ok=True)
        path = given.found / f"{what}-{given.seed}-{number}"
        path.write_bytes(variant(files, number, given.seed))
        print(f"{what}: variant {number} of {paths[number % len(files)].name}, kept as {path}")
    print(f"{len(files):,} captures, seed {given.seed}: {outcome.sentence()}")
    return 1 if outcome.failures else 0


if __name__ == "__main__":
    sys.exit(main())

"""The comparison's command: python -m benchmarks.compare [--traces T0,T1,T2] [--repeat N] [--write]."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.compare.contenders import Contender, contenders, version
from benchmarks.compare.goals import goals
from benchmarks.compare.measure import Cost, run
from benchmarks.compare.page import write_page
from benchmarks.compare.starts import measure_starts
from benchmarks.compare.traces import TRACES, make
from benchmarks.machine import machine
from benchmarks.native import build
from benchmarks.truth import AnswerError

_HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one contender did with one trace: medians over the rounds."""

    trace: str
    name: str
    does: str
    version: str
    packets: int
    rounds: int
    wall: float
    processor: float
    peak_memory: int
    flows: int | None
    failure: str = ""


@dataclass(slots=True)
class _Rounds:
    contender: Contender
    costs: list[Cost] = field(default_factory=list)
    flows: int | None = None
    failure: str = ""


def compare(trace: Path, truth: dict[str, Any], fields: list[Contender], *, repeat: int, folder: Path) -> list[_Rounds]:
    """Run everybody over a trace, round by round, so that a noisy moment hits all of them."""
    for _ in range(2):
        sum(len(part) for part in _slices(trace))  # into the page cache
    table = [_Rounds(contender) for contender in fields]
    for number in range(repeat):
        for entry in table:
            large = truth["file_bytes"] > 100_000_000
            if entry.failure or (number > 0 and entry.contender.slow and large):
                continue
            _once(entry, trace, truth, folder)
            cost = entry.costs[-1] if entry.costs else None
            said = entry.failure.splitlines()[0] if entry.failure or cost is None else f"{cost.processor:.2f} s"
            print(f"{trace.name} round {number + 1}: {entry.contender.name}: {said}", file=sys.stderr, flush=True)
    return table


def _once(entry: _Rounds, trace: Path, truth: dict[str, Any], folder: Path) -> None:
    output = folder / "output.txt"
    try:
        cost = run(entry.contender.command(trace, folder), output)
    except (RuntimeError, OSError) as error:
        if entry.contender.ours:
            raise
        entry.failure = str(error)
        return
    printed = output.read_text(encoding="utf-8", errors="replace")
    entry.flows = entry.contender.flows(printed, folder) if entry.contender.flows else None
    if entry.contender.ours:
        _check(entry.contender.name, json.loads(printed), truth)
    entry.costs.append(cost)


def _check(name: str, summary: dict[str, Any], truth: dict[str, Any]) -> None:
    """Raise unless our own answer is what was put into the trace.

    A copied flow that closes and opens again on its ports, or pauses longer than the idle timeout, is two flows to us;
    to the floor, which reads no ICMP and puts no fragments together, two may be one or one two.
    """
    is_floor = "balance" not in summary
    seen = summary["packets"] if is_floor else summary["balance"]["packets_read"]
    flows = summary["flows"]
    least = truth["flows"] * (0.9 if is_floor else 1)
    if seen != truth["packets"] or not least <= flows <= truth["flows"] * 1.1:
        raise AnswerError(f"{name}: {seen} packets and {flows} flows; {truth['packets']} and {truth['flows']} in it")


def _slices(path: Path) -> Any:
    with path.open("rb") as file:
        while part := file.read(1 << 22):
            yield part


def rows_of(trace: str, truth: dict[str, Any], table: list[_Rounds]) -> list[Row]:
    """Take the medians."""
    rows = []
    for entry in table:
        costs = entry.costs
        rows.append(
            Row(
                trace=trace,
                name=entry.contender.name,
                does=entry.contender.does,
                version=version(entry.contender),
                packets=truth["packets"],
                rounds=len(costs),
                wall=statistics.median(cost.wall for cost in costs) if costs else 0.0,
                processor=statistics.median(cost.processor for cost in costs) if costs else 0.0,
                peak_memory=max((cost.peak_memory for cost in costs), default=0),
                flows=entry.flows,
                failure=entry.failure,
            )
        )
    return rows


def main() -> int:
    """Make the traces, run everybody, print the table, write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__)
    parser.add_argument("--traces", default="T0,T1,T2", help="which, with commas")
    parser.add_argument("--repeat", type=int, default=5, help="rounds; slow peers run once on large traces")
    parser.add_argument("--only", help="names of contenders, with semicolons; the floor always runs")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where the traces lie")
    parser.add_argument("--floor", type=Path, help="the floor program, if it is not to be built")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md and its plot")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--no-starts", action="store_true", help="leave out one packet and very many files")
    arguments = parser.parse_args()
    wanted = arguments.traces.split(",")
    if unknown := [name for name in wanted if name not in TRACES]:
        parser.error(f"no trace {', '.join(unknown)}; there are {', '.join(TRACES)}")
    floor = arguments.floor or build("floor", room="compare")
    everybody = contenders(floor)
    chosen = everybody
    if arguments.only:
        names = ["floor", *arguments.only.split(";")]
        chosen = [contender for contender in everybody if contender.name in names]
    here = [contender for contender in chosen if contender.is_here]
    absent = [contender.name for contender in chosen if not contender.is_here]
    for name in absent:
        print(f"{name}: not installed here, left out", file=sys.stderr)
    rows: list[Row] = []
    traces: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        starts = [] if arguments.no_starts else measure_starts(Path(folder), arguments.repeat)
        for name in wanted:
            path, truth = make(name, arguments.folder)
            traces[name] = {key: truth[key] for key in ("options", "packets", "flows", "bytes", "file_bytes")}
            rows += rows_of(name, truth, compare(path, truth, here, repeat=arguments.repeat, folder=Path(folder)))
    result: dict[str, Any] = {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": machine(),
        "traces": traces,
        "absent": absent,
        "rows": [asdict(row) for row in rows],
        "starts": starts,
    }
    print_rows(result)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")
    if arguments.write:
        write_page(result, _HERE.parents[1] / "docs")
    return 0


def print_rows(result: dict[str, Any]) -> None:
    """Print the figures of every trace."""
    for name, trace in result["traces"].items():
        size = trace["file_bytes"] / 1e6
        print(f"\n{name}: {trace['packets']:,} packets, {trace['flows']:,} flows, {size:,.0f} MB")
        print(f"{'':28}{'cpu s':>9}{'x floor':>9}{'wall s':>9}{'M pkt/s':>9}{'peak MB':>9}{'flows':>12}")
        rows = [row for row in result["rows"] if row["trace"] == name]
        floor = next(row["processor"] for row in rows if row["name"] == "floor")
        for row in rows:
            if row["failure"]:
                print(f"{row['name']:28}failed: {row['failure'].splitlines()[0]}")
                continue
            print(
                f"{row['name']:28}{row['processor']:9.2f}{row['processor'] / floor:9.1f}{row['wall']:9.2f}"
                f"{row['packets'] / row['wall'] / 1e6:9.2f}{row['peak_memory'] / 1e6:9.0f}{row['flows'] or '':>12}"
            )
    print()
    for row in result["starts"]:
        print(f"{row['name']}: {row['wall']:.2f} s, {row['processor']:.2f} s of processor time")
    for goal in goals(result):
        print(f"{'reached' if goal.reached else 'missed':8}{goal.what}: {goal.measured} ({goal.bound})")


if __name__ == "__main__":
    sys.exit(main())

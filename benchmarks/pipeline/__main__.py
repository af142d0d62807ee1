"""How fast, how large, how right.

python -m benchmarks.pipeline [--trace F] [--size 3GB] [--flows 500000] [--threads 1,2] [--json]

Makes the trace unless it is there, asserts the answer (packets, balance, flows of each protocol), then times: the
stages, each with all before it, in C++; and the Python engine end to end for each number of threads. The trace is
read through a map after a pass that is not timed. On a busy machine the processor's time tells more than the clock on
the wall: both stand there. Ratios between stages hold from machine to machine; budget.toml keeps them.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.machine import machine
from benchmarks.native import build_stages, run_stages
from benchmarks.traces import TraceOptions, ensure, parse_size
from benchmarks.truth import accuracy, check_balance, check_counts, check_protocols

_HERE = Path(__file__).resolve().parent.parent
_COUNTED = ("table", "shard", "engine")  # stages that say how many flows there are
_NAMED = ("match", "engine")  # stages that say which


def check_stage(truth: dict[str, Any], row: dict[str, Any]) -> None:
    """Raise unless a stage found all that was put into the trace."""
    check_counts(truth, row["packets"], row["flows"] if row["stage"] in _COUNTED else truth["flows"])
    if row["stage"] in _NAMED:
        check_protocols(truth, row["protocols"])


def end_to_end(truth: dict[str, Any], trace: Path, threads: int, repeat: int) -> dict[str, Any]:
    """Run the Python engine in a process of its own and check its answer."""
    command = [sys.executable, "-m", "benchmarks.pipeline.end_to_end", str(trace)]
    command += ["--threads", str(threads), "--repeat", str(repeat)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=_HERE.parent)
    row: dict[str, Any] = json.loads(done.stdout)
    found = Counter({(protocol, variant): count for protocol, variant, count in row.pop("found")})
    by_protocol: Counter[str] = Counter()
    for (protocol, _), count in found.items():
        by_protocol[protocol] += count
    check_balance(truth, row["counters"])
    check_protocols(truth, by_protocol)
    check_counts(truth, row["counters"]["packets_read"], row["rows"])
    row["accuracy"] = accuracy(truth, found)
    return row


def over_budget(stages: list[dict[str, Any]]) -> list[str]:
    """Name the stages whose time, as a share of the engine's, is over the budget."""
    budget: dict[str, float] = tomllib.loads((_HERE / "budget.toml").read_text())["share_of_engine"]
    seconds = {row["stage"]: row["processor_seconds_least"] for row in stages}
    if "engine" not in seconds:
        return []
    shares = {stage: seconds[stage] / seconds["engine"] for stage in budget if stage in seconds}
    return [
        f"{stage}: {share:.2f} of the engine's time, budget {budget[stage]:.2f}"
        for stage, share in shares.items()
        if share > budget[stage]
    ]


def print_stage(row: dict[str, Any], before: dict[str, Any] | None) -> None:
    """Print one stage and what it adds to the one before."""
    packets = row["packets"]
    wall, processor = (row[name] / packets * 1e9 for name in ("seconds_least", "processor_seconds_least"))
    added = processor - (before["processor_seconds_least"] / packets * 1e9 if before else 0)
    print(f"{row['stage']:>8} {wall:8.1f} {processor:8.1f} {added:8.1f} {packets / row['seconds_least'] / 1e6:8.2f}")


def print_engine(name: str, packets: int, row: dict[str, Any], use: dict[str, Any], accurate: float | None) -> None:
    """Print speed, memory and accuracy of the whole on one line."""
    wall, processor = (row[key] / packets * 1e9 for key in ("seconds_least", "processor_seconds_least"))
    tables, heads, evidence = (use[key] / 1e6 for key in ("table_bytes", "head_bytes", "evidence_bytes"))
    right = "" if accurate is None else f", {accurate:.2%} of flows right"
    print(
        f"{name}: {1e3 / wall:.2f} M packets/s, {wall:.0f} ns/packet ({processor:.0f} of processor time), "
        f"{use['bytes_per_flow']} octets/flow in the table, {tables:.0f} + {heads:.0f} + {evidence:.0f} MB of tables, "
        f"heads and evidence for at most {use['peak_flows']} flows, peak memory {row['peak_anonymous'] / 1e6:.0f} MB"
        f"{right}"
    )


def parse() -> argparse.Namespace:
    """Read the command line."""
    usual = TraceOptions()
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pipeline", description="How fast, how large, how right."
    )
    parser.add_argument(
        "--trace", type=Path, help="where the trace lies or is to lie; default: the system's folder for temporary files"
    )
    parser.add_argument("--size", type=parse_size, default=usual.size)
    parser.add_argument("--flows", type=int, default=usual.flows)
    parser.add_argument("--vpn", type=float, default=usual.vpn, help="share of flows that are a VPN's")
    parser.add_argument("--seconds", type=int, default=usual.seconds)
    parser.add_argument("--seed", type=int, default=usual.seed)
    parser.add_argument("--threads", type=lambda text: [int(part) for part in text.split(",")], default=[1, 2])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--program", type=Path, help="flowclass_stages, if it is not to be built")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    parser.add_argument("--save", action="store_true", help="write them to benchmarks/results/<date>-<host>.json")
    return parser.parse_args()


def main() -> int:
    """Make, assert, time, print."""
    arguments = parse()
    options = TraceOptions(**{name: getattr(arguments, name) for name in ("size", "flows", "vpn", "seconds", "seed")})
    trace = (
        arguments.trace
        or Path(tempfile.gettempdir()) / f"flowclass-{options.size}-{options.flows}-{options.vpn}-{options.seed}.pcap"
    )
    truth = ensure(trace, options)
    stages = run_stages(arguments.program or build_stages(), trace, repeat=arguments.repeat)
    for row in stages:
        check_stage(truth, row)
    engines = [end_to_end(truth, trace, threads, arguments.repeat) for threads in arguments.threads]
    result: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "trace": {name: truth[name] for name in ("options", "packets", "flows", "bytes", "file_bytes")},
        "stages": stages,
        "engines": engines,
        "over_budget": over_budget(stages),
    }
    if arguments.save:
        path = _HERE / "results" / f"{result['date'][:10]}-{platform.node()}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(result, indent=1) + "\n")
    if arguments.json:
        print(json.dumps(result))
    else:
        print_result(result, truth)
    return 1 if result["over_budget"] else 0


def print_result(result: dict[str, Any], truth: dict[str, Any]) -> None:
    """Print for people."""
    packets, flows, load = truth["packets"], truth["flows"], result["machine"]["load"]
    size = truth["file_bytes"] / 1e9
    print(f"{packets} packets, {flows} flows, {size:.2f} GB, {packets / flows:.1f} packets/flow; load {load:.1f}")
    print("Stages in ns/packet, each with all before it; shard and engine are the product's own:")
    print("   stage     wall processor  added  M pkt/s")
    before = None
    for row in result["stages"]:
        print_stage(row, before)
        before = row
    engine = next(row for row in result["stages"] if row["stage"] == "engine")
    print_engine("C++ engine, 1 thread", packets, engine, engine, None)
    for row in result["engines"]:
        name = f"Python engine, {row['threads']} thread(s)"
        print_engine(name, packets, row, row["counters"], row["accuracy"])
    for line in result["over_budget"]:
        print(f"over budget: {line}")


if __name__ == "__main__":
    sys.exit(main())

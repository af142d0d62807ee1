"""The ablation's command: python -m benchmarks.ablation [--traces T0,T1] [--repeat N] [--write].

Every stage up to the rows is timed as the last of a pipeline that ends with it (`flowclass_stages`); what it costs is
what that pipeline takes more than the one before. What is optional is timed as the engine with it, less the engine
without (`benchmarks.variant`). Answers are asserted before any time is believed. Seconds are the processor's, the least
of the rounds: a difference of two is disturbed by whatever else the machine does, and least so there.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.compare.traces import TRACES, make
from benchmarks.machine import machine, sentence
from benchmarks.marks import PAGE, put
from benchmarks.native import build_stages, run_stages
from benchmarks.truth import AnswerError, check_counts, check_protocols
from benchmarks.variant import VARIANTS, run_variants

__all__ = ["Part", "parts", "text"]

# The pipeline in order: the stage that ends it, and what it adds to the one before.
_STAGES = {
    "read": "walks the records",
    "decode": "link layer to transport, tunnels inside",
    "table": "keys, hashes, flow table, counters, idle timeout",
    "heads": "keeps the first payloads",
    "hello": "ClientHellos of TLS, DTLS, QUIC",
    "match": "fingerprints, evidence",
    "shard": "states of TCP, fragments, evidence kept, flows that lead others, order of ends",
    "engine": "rows: ids, texts, Arrow columns",
}
_OPTIONS = {
    "registry": "both ends in 100,000 prefixes",
    "policy": "that, and what follows from it",
    "anonymize": "Crypto-PAn for every address, ids anew",
    "heads": "columns of the first payloads",
    "features": "the columns of --features",
    "arrow": "rows to an Arrow file",
    "parquet": "rows to a Parquet file",
    "csv": "rows to CSV",
    "jsonl": "rows to JSON lines",
}


@dataclass(frozen=True, slots=True)
class Part:
    """What one part of the work costs: ns of processor time a packet and a flow, and as a share of the engine's."""

    name: str
    does: str
    per_packet: float
    per_flow: float
    share: float
    optional: bool


def parts(stages: list[dict[str, Any]], variants: list[dict[str, Any]]) -> list[Part]:
    """Take the differences.

    Parameters
    ----------
    stages : list of dict
        Rows of ``flowclass_stages``, in the pipeline's order; the last is the engine.
    variants : list of dict
        Rows of ``benchmarks.variant``; the first is the plain engine.
    """
    engine, plain = stages[-1], variants[0]
    before = [{"processor_seconds_least": 0.0}, *stages[:-1]]
    found = [
        Part(row["stage"], _STAGES[row["stage"]], *_costs(row, less, engine, engine["flows"]), optional=False)
        for row, less in zip(stages, before, strict=True)
    ]
    return found + [
        Part(row["variant"], _OPTIONS[row["variant"]], *_costs(row, plain, plain, plain["rows"]), optional=True)
        for row in variants[1:]
    ]


def _costs(row: dict[str, Any], less: dict[str, Any], whole: dict[str, Any], flows: int) -> tuple[float, float, float]:
    """Give what a row costs more than another: ns a packet, ns a flow, share of the whole."""
    seconds = row["processor_seconds_least"] - less["processor_seconds_least"]
    return seconds / whole["packets"] * 1e9, seconds / flows * 1e9, seconds / whole["processor_seconds_least"]


def measure(trace: Path, truth: dict[str, Any], program: Path, repeat: int) -> list[Part]:
    """Run all, assert, and take the differences."""
    stages = run_stages(program, trace, stages=tuple(_STAGES), repeat=repeat)
    engine = stages[-1]
    check_counts(truth, engine["packets"], engine["flows"])
    check_protocols(truth, engine["protocols"])
    for row in stages[:-1]:
        if row["packets"] != engine["packets"]:
            raise AnswerError(f"stage {row['stage']}: {row['packets']} packets, {engine['packets']} in the trace")
    named = next(row for row in stages if row["stage"] == "match")
    check_protocols(truth, named["protocols"])
    variants = run_variants(trace, VARIANTS, repeat=repeat)
    for row in variants:
        if row["packets"] != engine["packets"] or row["rows"] != engine["flows"]:
            raise AnswerError(f"{row['variant']}: {row['packets']} packets, {row['rows']} rows: not the engine's")
    return parts(stages, variants)


def text(result: dict[str, Any]) -> str:
    """Give the tables for the page."""
    lines = [sentence(result["date"], result["machine"])]
    for name, trace in result["traces"].items():
        lines.append(f"### {name}: {trace['packets']:,} packets, {trace['flows']:,} flows\n")
        for optional, title in ((False, "stage"), (True, "added to the engine")):
            lines += [
                f"| {title} | | ns a packet | ns a flow | of the engine |",
                "|---|---|---:|---:|---:|",
            ]
            rows = [Part(**row) for row in trace["parts"] if row["optional"] == optional]
            for row in rows:
                lines.append(
                    f"| {row.name} | {row.does} | {row.per_packet:,.0f} | {row.per_flow:,.0f} | {row.share:.0%} |"
                )
            if not optional:
                packet, flow = (sum(getattr(row, key) for row in rows) for key in ("per_packet", "per_flow"))
                lines.append(f"| all | | {packet:,.0f} | {flow:,.0f} | 100% |")
            lines.append("")
    return "\n".join(lines)


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ablation", description="What each stage costs.")
    parser.add_argument("--traces", default="T0,T1", help="which, with commas")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where the traces lie")
    parser.add_argument("--program", type=Path, help="flowclass_stages, if it is not to be built")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    given = parser.parse_args()
    wanted = given.traces.split(",")
    if unknown := [name for name in wanted if name not in TRACES]:
        parser.error(f"no trace {', '.join(unknown)}; there are {', '.join(TRACES)}")
    program = given.program or build_stages()
    facts = machine()
    traces: dict[str, Any] = {}
    for name in wanted:
        path, truth = make(name, given.folder)
        measured = measure(path, truth, program, given.repeat)
        traces[name] = {
            "packets": truth["packets"],
            "flows": truth["flows"],
            "parts": [asdict(one) for one in measured],
        }
    result = {"date": time.strftime("%Y-%m-%d", time.gmtime()), "machine": facts, "traces": traces}
    print(text(result))
    if given.json:
        given.json.write_text(json.dumps(result, indent=1) + "\n")
    if given.write:
        put(PAGE, "ablation", text(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())

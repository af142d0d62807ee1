"""Measures the curves: engine over traces of many shapes, prefixes, threads. Asserts every answer before its time."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.compare.traces import public_captures
from benchmarks.native import run_stages
from benchmarks.public import public_templates
from benchmarks.registry.contenders import flowclass
from benchmarks.registry.workload import make_addresses, make_table
from benchmarks.templates import Template, read_templates
from benchmarks.traces import TraceOptions, ensure
from benchmarks.truth import AnswerError, check_counts, check_protocols

__all__ = ["at_once", "prefixes", "shapes", "templates", "threads"]

# Flows, mean octets of one: packets a flow differ by a factor of ten, flows by sixteen.
_SHAPES = (
    (5_000, 900),
    (5_000, 4_000),
    (5_000, 16_000),
    (20_000, 900),
    (20_000, 4_000),
    (80_000, 900),
    (80_000, 2_500),
)
_SPREAD = 60  # seconds in which those begin
# The same flows, beginning within ever fewer seconds, so that ever more of them are in the table at once.
_AT_ONCE = TraceOptions(size=240_000_000, flows=400_000, seconds=1, seed=41)
_WITHIN = (4_000, 1_000, 400, 120, 2)
_PREFIXES = (1_000, 10_000, 100_000, 1_000_000)
_LOOKUPS = 1 << 18
_THREADED = TraceOptions(size=150_000_000, flows=30_000, seconds=60, seed=42)


def templates() -> list[Template]:
    """Give what traces are made of: our own captures' flows, and public ones where they are at hand."""
    public = public_captures()
    return read_templates() + ([] if public is None else public_templates(public))


def _engine(program: Path, path: Path, truth: dict[str, Any], *, repeat: int, count: int = 1) -> dict[str, Any]:
    row = run_stages(program, path, stages=("engine",), repeat=repeat, threads=count)[0]
    check_counts(truth, row["packets"], row["flows"])
    check_protocols(truth, row["protocols"])
    return {
        "packets": row["packets"],
        "flows": row["flows"],
        "octets": truth["bytes"],
        "threads": count,
        "ns": row["processor_seconds_least"] * 1e9,
        "wall": row["seconds_least"] * 1e9,
        "peak_flows": row["peak_flows"],
        "table": row["table_bytes"],
        "evidence": row["evidence_bytes"],
        "heads": row["head_bytes"],
    }


def _trace(folder: Path, options: TraceOptions, made_of: list[Template]) -> tuple[Path, dict[str, Any]]:
    path = folder / "scaling.pcap"
    return path, ensure(path, options, made_of)


def shapes(program: Path, folder: Path, made_of: list[Template], repeat: int) -> Iterator[dict[str, Any]]:
    """Run over traces of few and many packets and flows."""
    for number, (flows, octets) in enumerate(_SHAPES):
        options = TraceOptions(size=flows * octets, flows=flows, seconds=_SPREAD, seed=100 + number)
        yield _engine(program, *_trace(folder, options, made_of), repeat=repeat)


def at_once(program: Path, folder: Path, made_of: list[Template], repeat: int) -> Iterator[dict[str, Any]]:
    """Run over the same flows, begun within ever less time."""
    for seconds in _WITHIN:
        options = TraceOptions(size=_AT_ONCE.size, flows=_AT_ONCE.flows, seconds=seconds, seed=_AT_ONCE.seed)
        yield {"within": seconds, **_engine(program, *_trace(folder, options, made_of), repeat=repeat)}


def threads(program: Path, folder: Path, made_of: list[Template], repeat: int) -> Iterator[dict[str, Any]]:
    """Run with 1, 2, 4, ... threads, as many as there are processors."""
    path, truth = _trace(folder, _THREADED, made_of)
    count = 1
    while count <= (os.cpu_count() or 1):
        yield _engine(program, path, truth, repeat=repeat, count=count)
        count *= 2


def prefixes(repeat: int) -> Iterator[dict[str, Any]]:
    """Look addresses of either version up in ever larger registries."""
    for version in (4, 6):
        for count in _PREFIXES:
            table = make_table(version, count, 1)
            built = flowclass(table)
            column = built.prepare(make_addresses(table, "zipf", _LOOKUPS, 3))
            if (built.answers(built.find(column)) < 0).any():
                raise AnswerError("an address of a prefix is not found")
            best = float("inf")
            for _ in range(3 * repeat):
                begun = time.thread_time()
                built.find(column)
                best = min(best, time.thread_time() - begun)
            yield {
                "version": version,
                "prefixes": count,
                "ns": best / _LOOKUPS * 1e9,
                "octets": built.tree_bytes / count,
            }

"""`python -m benchmarks.registry`: asserts that all give the same answers, then times the look-ups.

Speed is processor time of the thread, the least of several rounds: other work on the machine disturbs it least so.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import tomllib
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from benchmarks.registry.contenders import CONTENDERS, Built, flowclass
from benchmarks.registry.workload import Table, make_addresses, make_table

_BUDGET = Path(__file__).resolve().parent.parent / "budget.toml"
_KINDS = ("uniform", "zipf")
_OURS = 1 << 18  # addresses of a round
_JUDGED_AT = 200_000  # prefixes: the size the budget speaks of
_LARGE = 1_000_000  # the size that memory and building are judged at
_THEIRS = 1 << 14  # theirs take one at a time


def _rate(built: Built, column: NDArray[Any], rounds: int) -> float:
    prepared = built.prepare(column)
    best = float("inf")
    for _ in range(rounds):
        begun = time.thread_time()
        built.find(prepared)
        best = min(best, time.thread_time() - begun)
    return len(column) / best


def _check(table: Table, ours: Built, theirs: Built | None) -> None:
    for kind in _KINDS:
        column = make_addresses(table, kind, 5000, 2)
        found = ours.answers(ours.find(ours.prepare(column)))
        if kind == "zipf" and (found < 0).any():
            raise AssertionError("an address of a prefix is not found")
        if theirs is not None:
            other = theirs.answers(theirs.find(theirs.prepare(column)))
            np.testing.assert_array_equal(found, other)


def _measure(table: Table, rounds: int, most_mmdb: int, log: TextIO) -> list[dict[str, Any]]:
    rows = []
    ours = flowclass(table)
    _check(table, ours, None)
    for name in ("flowclass", *CONTENDERS):
        row: dict[str, Any] = {"name": name, "version": table.version, "prefixes": len(table.networks)}
        if name == "maxminddb" and len(table.networks) > most_mmdb:
            row["skipped"] = f"its writer is too slow for more than {most_mmdb} prefixes; see --most-mmdb"
        else:
            try:
                built = ours if name == "flowclass" else CONTENDERS[name](table)
            except ImportError as problem:
                row["skipped"] = f"{problem.name} is not installed"
            else:
                _check(table, ours, built)
                row["build_seconds"] = built.seconds
                if built.tree_bytes:
                    row["bytes_per_prefix"] = built.tree_bytes / len(table.networks)
                    row["above_leaves"] = (built.tree_bytes - built.leaf_bytes) / len(table.networks)
                for kind in _KINDS:
                    many, turns = (_OURS, 10 * rounds) if name == "flowclass" else (_THEIRS, rounds)
                    row[kind] = _rate(built, make_addresses(table, kind, many, 3), turns)
        rows.append(row)
        print(_line(row), file=log, flush=True)
    return rows


def _line(row: dict[str, Any]) -> str:
    head = f"IPv{row['version']} {row['prefixes']:>9,} {row['name']:<10}"
    if "skipped" in row:
        return f"{head} skipped: {row['skipped']}"
    memory = ""
    if "bytes_per_prefix" in row:
        memory = f"{row['bytes_per_prefix']:6.1f} octets/prefix, {row['above_leaves']:.1f} of them above the leaves"
    rates = "".join(f"{row[kind] / 1e6:10.3f}" for kind in _KINDS)
    return f"{head} {rates} {row['build_seconds']:8.2f} s {memory}"


def _over_budget(rows: list[dict[str, Any]]) -> list[str]:
    budget = tomllib.loads(_BUDGET.read_text(encoding="utf-8"))["registry"]
    problems = []
    by_table: dict[tuple[int, int], dict[str, dict[str, Any]]] = {}
    for row in rows:
        by_table.setdefault((row["version"], row["prefixes"]), {})[row["name"]] = row
    for (version, prefixes), named in by_table.items():
        ours, peer = named["flowclass"], named["pytricia"]
        where = f"IPv{version}, {prefixes:,} prefixes"
        for kind in _KINDS if prefixes == _JUDGED_AT and "skipped" not in peer else ():
            ratio, least = ours[kind] / peer[kind], budget["times_pytricia"][f"v{version}_{kind}"]
            if ratio < least:
                problems.append(f"{where}, {kind}: {ratio:.0f} times pytricia, under {least}")
        if prefixes == _LARGE:
            for figure, unit in (("bytes_per_prefix", "octets a prefix"), ("above_leaves", "of them above the leaves")):
                most = budget[figure][f"v{version}"]
                if ours[figure] > most:
                    problems.append(f"{where}: {ours[figure]:.1f} {unit}, over {most}")
            if ours["build_seconds"] > budget["build_seconds"]:
                problems.append(f"{where}: built in {ours['build_seconds']:.2f} s, over {budget['build_seconds']}")
    return problems


def main() -> int:
    """Run, print a table, and give 1 where the budget is not kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.registry", description=__doc__)
    parser.add_argument("--prefixes", type=int, nargs="+", default=[20_000, 200_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--most-mmdb", type=int, default=200_000, help="the largest table written for maxminddb")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    log = sys.stderr if options.json else sys.stdout
    print(f"{'':25}{'uniform':>10}{'zipf':>10}    build     (millions of look-ups a second, one core)", file=log)
    rows = []
    for count in options.prefixes:
        for version in (4, 6):
            rows += _measure(make_table(version, count, 1), options.rounds, options.most_mmdb, log)
    if options.json:
        print(json.dumps(rows))
    problems = _over_budget(rows)
    for problem in problems:
        print(f"over budget: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

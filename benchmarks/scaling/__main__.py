"""The scaling law's command: python -m benchmarks.scaling [--repeat N] [--write]."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.machine import machine
from benchmarks.marks import PAGE, put
from benchmarks.native import build_stages
from benchmarks.scaling import curves
from benchmarks.scaling.page import draw, text


def main() -> int:
    """Measure, fit, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description="How cost grows.")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--program", type=Path, help="flowclass_stages, if it is not to be built")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--again", type=Path, help="take the figures from here instead of measuring")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md and its plot")
    given = parser.parse_args()
    if given.again:
        result: dict[str, Any] = json.loads(given.again.read_text())
    else:
        result = measure(given.program or build_stages(), given.repeat)
    print(text(result, "benchmarks_scaling.svg"))
    if given.json:
        given.json.write_text(json.dumps(result, indent=1) + "\n")
    if given.write:
        plot = PAGE.with_name("benchmarks_scaling.svg")
        draw(result, plot)
        put(PAGE, "scaling", text(result, plot.name))
    return 0


def measure(program: Path, repeat: int) -> dict[str, Any]:
    """Measure every curve."""
    facts = machine()
    made_of = curves.templates()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        return {
            "date": time.strftime("%Y-%m-%d", time.gmtime()),
            "machine": facts,
            "shapes": _all("shapes", curves.shapes(program, folder, made_of, repeat)),
            "at_once": _all("at once", curves.at_once(program, folder, made_of, repeat)),
            "threads": _all("threads", curves.threads(program, folder, made_of, repeat)),
            "prefixes": _all("prefixes", curves.prefixes(repeat)),
        }


def _all(name: str, rows: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for row in rows:
        found.append(row)
        print(f"{name}: {json.dumps(row)}", file=sys.stderr, flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main())

"""Says whether a stage has become slower: python -m benchmarks.ratios FIGURES.json [--write].

Takes what `pytest benchmarks/test_micro.py --benchmark-json FIGURES.json` wrote: of each stage its time as a multiple
of a calibration loop's in the same process. Compares with ratios.toml, and fails when one is worse than that by more
than the factor there, or is not there, or was not measured. `--write` makes the figures the new baseline.
"""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["document", "judged", "ratios_in"]

_BASELINE = Path(__file__).resolve().parent / "ratios.toml"
_FACTOR = 1.4


def ratios_in(figures: Mapping[str, Any]) -> dict[str, float]:
    """Give the ratio of each stage in what pytest-benchmark wrote."""
    rows = figures["benchmarks"]
    return {row["extra_info"]["stage"]: row["extra_info"]["ratio"] for row in rows if "ratio" in row["extra_info"]}


def judged(baseline: Mapping[str, Any], now: Mapping[str, float]) -> tuple[list[str], list[str]]:
    """Compare.

    Parameters
    ----------
    baseline : mapping
        ``factor``, and ``ratio``: a mapping of stage to ratio.
    now : mapping of str to float
        The ratios measured.

    Returns
    -------
    tuple of two lists of str
        A line for each stage, and a sentence for whatever is wrong.
    """
    factor, stored = baseline["factor"], baseline["ratio"]
    lines, wrong = [], []
    for stage, ratio in now.items():
        if stage not in stored:
            wrong.append(f"{stage}: measured {ratio:.3f}, and no baseline has it")
            continue
        times = ratio / stored[stage]
        lines.append(f"{stage:28}{stored[stage]:10.3f}{ratio:10.3f}{times:8.2f}")
        if times > factor:
            wrong.append(f"{stage}: {times:.2f} times its baseline, over {factor:g}")
    wrong += [f"{stage}: has a baseline and was not measured" for stage in stored if stage not in now]
    return lines, wrong


def document(factor: float, now: Mapping[str, float]) -> str:
    """Give the file's text."""
    head = (
        "# Written by `make bench-baseline`: what each stage takes on a small trace, as a multiple of a calibration\n"
        "# loop in the same process; native stages are with all before them. `make bench-check` fails beyond the\n"
        "# factor.\n"
    )
    rows = "".join(f"{json.dumps(stage)} = {ratio:.4f}\n" for stage, ratio in now.items())
    return f"{head}factor = {factor:g}\n\n[ratio]\n{rows}"


def main() -> int:
    """Compare or write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ratios")
    parser.add_argument("figures", type=Path)
    parser.add_argument("--write", action="store_true", help="make these the baseline")
    given = parser.parse_args()
    now = ratios_in(json.loads(given.figures.read_text(encoding="utf-8")))
    before = tomllib.loads(_BASELINE.read_text(encoding="utf-8")) if _BASELINE.exists() else {}
    if given.write:
        _BASELINE.write_text(document(before.get("factor", _FACTOR), now), encoding="utf-8")
        return 0
    lines, wrong = judged({"factor": _FACTOR, "ratio": {}, **before}, now)
    print(f"{'stage':28}{'baseline':>10}{'now':>10}{'times':>8}")
    for line in lines:
        print(line)
    for sentence in wrong:
        print(f"wrong     {sentence}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

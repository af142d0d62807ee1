"""What matching costs a head, and what it says of payload that is nobody's.

python -m benchmarks.matching [--corpus FOLDER] [--random N] [--seed N] [--json]

Three questions, over the committed captures and, where the folder is there, the public ones:

- how many nanoseconds matching takes a head, in bulk, on one core;
- whether random payload, with the sizes, ports and times of true flows, is ever taken for anything;
- whether a flow that is no VPN and no other tunnel becomes one when any one octet of what was kept of it is changed.
  Taken for it are captures without any that somebody vouches for.

Ends with 1 when an answer is outside of budget.toml.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from benchmarks.native import build
from flowclass import _core

_ROOT = Path(__file__).resolve().parent.parent.parent
_PUBLIC = _ROOT.parent / "shared" / "corpus"


def captures(corpus: Path | None) -> tuple[list[Path], list[Path]]:
    """Give all captures, and those in which every flow is known to be no VPN and no tunnel."""
    every: list[Path] = []
    negative: list[Path] = []
    for folder in (_ROOT / "datasets", corpus):
        if folder is None:
            continue
        labelled = {row["capture"] for row in _lines(folder / "labels.jsonl")}
        for row in _lines(folder / "captures.jsonl"):
            path = folder / "captures" / row["capture"]
            every.append(path)
            if row["negatives_ok"] and row["capture"] not in labelled:
                negative.append(path)
    return every, negative


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def run(program: Path, mode: str, listed: list[Path], *options: str) -> dict[str, Any]:
    """Run one mode of the program and give what it says."""
    names = "".join(f"{path}\n" for path in listed)
    done = subprocess.run([program, mode, *options], input=names, capture_output=True, text=True, check=True)
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def judged(answers: dict[str, dict[str, Any]], budget: dict[str, Any]) -> list[str]:
    """Give what is outside of the budget, as sentences."""
    cost = answers["speed"]["ns_least"]
    wrong = []
    if cost > budget["ns_per_head"]:
        wrong.append(f"matching costs {cost:.0f} ns a head, over the budget of {budget['ns_per_head']}")
    claimed = answers["random"]["probable"] + answers["random"]["confirmed"]
    if claimed > 0:
        wrong.append(f"{claimed} flows of random payload were taken for {sorted(answers['random']['claimed'])}")
    accused = answers["mutate"]["probable"] + answers["mutate"]["confirmed"]
    if accused > 0:
        wrong.append(f"{accused} flows with one octet changed became {sorted(answers['mutate']['claimed'])}")
    return wrong


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.matching", description=__doc__.splitlines()[0])
    corpus = os.environ.get("FLOWCLASS_CORPUS") or (_PUBLIC if _PUBLIC.is_dir() else None)
    parser.add_argument("--corpus", type=Path, default=corpus and Path(corpus), help="folder of public captures")
    parser.add_argument("--random", type=int, default=10_000_000, help="flows of random payload")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    every, negative = captures(given.corpus)
    if not negative:
        parser.error("no captures without tunnels: name the folder of public captures by --corpus or FLOWCLASS_CORPUS")
    program = build("matching")
    seed = ("--seed", str(given.seed))
    answers = {
        "speed": run(program, "speed", every),
        "random": run(program, "random", every, "--count", str(given.random), *seed),
        "mutate": run(program, "mutate", negative, *seed),
    }
    known = {row["protocol"] for row in _core.matchers()}
    assert answers["speed"]["found"] > 0
    assert set(answers["speed"]["claimed"]) <= known
    with (_ROOT / "benchmarks" / "budget.toml").open("rb") as file:
        wrong = judged(answers, tomllib.load(file)["matching"])
    if given.json:
        print(json.dumps({"captures": len(every), **answers, "wrong": wrong}))
        return bool(wrong)
    speed, chance, changed = answers["speed"], answers["random"], answers["mutate"]
    print(f"captures  {len(every)}, {len(negative)} of them without any VPN or tunnel")
    print(
        f"speed     {speed['ns_least']:.0f} ns a head (median {speed['ns_median']:.0f}) over {speed['heads']:,} heads,"
    )
    print(f"          {speed['found']:,} of them probable or confirmed")
    print(f"random    {chance['flows']:,} flows of random payload, seed {chance['seed']}:")
    print(f"          {chance['confirmed']} confirmed, {chance['probable']} probable, {chance['possible']} possible")
    print(f"mutate    {changed['mutants']:,} flows with one octet changed, of {changed['heads']:,} heads:")
    print(f"          {changed['confirmed']} confirmed tunnels of any kind, {changed['probable']} probable")
    for sentence in wrong:
        print(f"wrong     {sentence}")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())

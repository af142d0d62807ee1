"""The same broken captures through other tools: how often each crashes, hangs, or refuses the file.

    python -m tests.hostile.peers --variants 2000 [--seed 1] [--hang 10] [--tools ndpiReader,tshark,nfstream,flowclass]

The variants are those of ``tests.hostile.mutations`` with the same seed. Each tool reads each of them in a process of
its own, with a fresh start; a tool that is not installed is left out and named. Nothing here is a test: it says where
the field stands.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from .mutations import HANG_S, captures_in
from .variants import variant

_NFSTREAM = "import sys, nfstream; print(sum(1 for _ in nfstream.NFStreamer(source=sys.argv[1], n_meters=1)))"
_TOOLS: dict[str, list[str]] = {
    "ndpiReader": ["ndpiReader", "-q", "-i"],
    "tshark": ["tshark", "-n", "-q", "-z", "io,phs", "-r"],
    "nfstream": [sys.executable, "-c", _NFSTREAM],
    "flowclass": [sys.executable, "-m", "flowclass", "classify", "-q", "--json", "--format", "none"],
}


def is_here(tool: str) -> bool:
    """Say whether a tool can be run."""
    if tool in ("nfstream", "flowclass"):
        return importlib.util.find_spec(tool) is not None
    return shutil.which(tool) is not None


def outcome_of(tool: str, path: Path, hang_s: float) -> str:
    """Run one tool on one file. Give "read", "refused" (another exit code than 0), "crash" or "hang"."""
    try:
        done = subprocess.run(
            [*_TOOLS[tool], str(path)], stdin=subprocess.DEVNULL, capture_output=True, timeout=hang_s, check=False
        )
    except subprocess.TimeoutExpired:
        return "hang"
    # A process that starts others tells of their signals as a shell does: 128 and the signal's number.
    if done.returncode < 0 or done.returncode > 128:
        return "crash"
    return "read" if done.returncode == 0 else "refused"


def main() -> int:
    """Run by the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variants", type=int, default=2_000)
    parser.add_argument("--captures", type=Path, action="append", help="a folder; by default ours and the public ones")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hang", type=float, default=HANG_S, help="longest time for one variant, s")
    parser.add_argument("--tools", default=",".join(_TOOLS), help="which, with commas")
    parser.add_argument("--first", type=int, default=0, help="number of the first variant")
    given = parser.parse_args()
    wanted = given.tools.split(",")
    if unknown := [tool for tool in wanted if tool not in _TOOLS]:
        parser.error(f"no tool {', '.join(unknown)}; there are {', '.join(_TOOLS)}")
    for tool in wanted:
        if not is_here(tool):
            print(f"{tool}: not installed here, left out", file=sys.stderr)
    _, files = captures_in(given.captures)
    found: dict[str, Counter[str]] = {tool: Counter() for tool in wanted if is_here(tool)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "variant.pcap"
        for number in range(given.first, given.first + given.variants):
            path.write_bytes(variant(files, number, given.seed))
            for tool, counts in found.items():
                counts[outcome_of(tool, path, given.hang)] += 1
    print("| tool | variants | read | refused | crash | hang |")
    print("|---|---:|---:|---:|---:|---:|")
    for tool, counts in found.items():
        columns = " | ".join(f"{counts[what]:,}" for what in ("read", "refused", "crash", "hang"))
        print(f"| {tool} | {counts.total():,} | {columns} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())

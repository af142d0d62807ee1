"""The table of contenders: how each is called, what it must have, and what it says that it saw."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Contender", "contenders", "version"]

_MOST_FLOWS = 4_000_000  # for tools that would rather cut flows than keep more than a few thousand

Command = Callable[[Path, Path], list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One way to run one tool.

    Parameters
    ----------
    name : str
        As the table has it.
    needs : str
        A program in PATH, or ``python:PACKAGE``.
    does : str
        What the run does, in a few words.
    command : callable
        Takes the trace and a folder for results; gives the command line.
    flows : callable, optional
        Takes what was printed and the folder; gives the flows that the tool counted.
    slow : bool
        Whether it is run once on large traces, not repeatedly.
    ours : bool
        Whether its answer must be the trace's truth, and its failure ends the run.
    version : tuple of str
        Command that prints the version.
    """

    name: str
    needs: str
    does: str
    command: Command
    flows: Callable[[str, Path], int | None] | None = None
    slow: bool = False
    ours: bool = False
    version: tuple[str, ...] = ()

    @property
    def is_here(self) -> bool:
        """Whether it can be run on this machine."""
        if self.needs.startswith("python:"):
            return importlib.util.find_spec(self.needs.removeprefix("python:")) is not None
        return shutil.which(self.needs) is not None


def _rows(*options: str) -> Command:
    return lambda trace, _: [sys.executable, "-m", "benchmarks.compare.rows", str(trace), *options]


def _classify(*options: str, rows: str = "") -> Command:
    """Give the command; `rows` is "" to make none, else the format of a file of them."""

    def command(trace: Path, folder: Path) -> list[str]:
        to = ["-o", str(folder / f"flows.{rows}")] if rows else ["--format", "none"]
        return [sys.executable, "-m", "flowclass", "classify", str(trace), "-q", "--json", *to, *options]

    return command


def _summary(printed: str, _: Path) -> int | None:
    summary = json.loads(printed)
    return int(summary["flows"])


def _found(pattern: str) -> Callable[[str, Path], int | None]:
    def flows(printed: str, _: Path) -> int | None:
        found = re.search(pattern, printed)
        return int(found[1].replace(",", "")) if found else None

    return flows


def _peer(name: str) -> Command:
    return lambda trace, _: [sys.executable, "-m", "benchmarks.compare.peers", name, str(trace)]


def _argus(trace: Path, folder: Path) -> list[str]:
    return ["argus", "-r", str(trace), "-w", str(folder / "argus.out")]


def _ours(name: str, does: str, command: Command) -> Contender:
    return Contender(name=name, needs="python:flowclass", does=does, command=command, flows=_summary, ours=True)


def _nfstream(name: str, does: str, peer: str) -> Contender:
    flows = _found(r"(\d+)\s*$")
    return Contender(name=name, needs="python:nfstream", does=does, command=_peer(peer), flows=flows, slow=True)


def contenders(floor: Path) -> list[Contender]:
    """Give all, those that are not here too; `floor` is the floor program."""
    return [
        Contender(
            name="floor",
            needs=str(floor),
            does="walks records, parses, hashes, counts; names nothing",
            command=lambda trace, _: [str(floor), str(trace)],
            flows=_summary,
            ours=True,
        ),
        _ours("flowclass", "1 thread, all flows named and counted, no rows made", _classify()),
        _ours("flowclass, 2 threads", "the same with two threads", _classify("--threads", "2")),
        _ours("flowclass, rows", "1 thread, every row made and thrown away", _rows()),
        _ours("flowclass, features", "the same with statistics of every flow", _rows("--features")),
        _ours("flowclass, Parquet", "1 thread, every row written", _classify(rows="parquet")),
        _ours(
            "flowclass, features, Parquet",
            "1 thread, every row with statistics written",
            _classify("--features", rows="parquet"),
        ),
        Contender(
            name="ndpiReader",
            needs="ndpiReader",
            does="nDPI's reader with its summary",
            command=lambda trace, _: ["ndpiReader", "-i", str(trace)],
            flows=_found(r"Unique flows:\s+(\d+)"),
            slow=True,
            version=("ndpiReader", "-h"),
        ),
        _nfstream("nfstream, nDPI", "names flows by nDPI", "nfstream-ndpi"),
        _nfstream("nfstream", "flows without names", "nfstream"),
        _nfstream("nfstream, statistics", "flows without names, with statistics", "nfstream-statistics"),
        Contender(
            name="mercury",
            needs="python:mercury",
            does="fingerprints by packet, through its Python package; no flow table",
            command=_peer("mercury"),
            slow=True,
        ),
        Contender(
            name="tshark",
            needs="tshark",
            does="dissects every packet, counts protocols",
            command=lambda trace, _: ["tshark", "-r", str(trace), "-q", "-n", "-z", "io,phs"],
            slow=True,
            version=("tshark", "--version"),
        ),
        Contender(
            name="argus",
            needs="argus",
            does="flow records without names",
            command=_argus,
            slow=True,
            version=("argus", "-h"),
        ),
        Contender(
            name="softflowd",
            needs="softflowd",
            does="flow counting without names, exports to nobody",
            command=lambda trace, _: ["softflowd", "-r", str(trace), "-d", "-m", str(_MOST_FLOWS)],
            flows=_found(r"Flows expired:\s*(\d+)"),
            slow=True,
            version=("softflowd", "-h"),
        ),
        Contender(
            name="tcpdump -w /dev/null",
            needs="tcpdump",
            does="copies packets",
            command=lambda trace, _: ["tcpdump", "-n", "-r", str(trace), "-w", os.devnull],
            version=("tcpdump", "--version"),
        ),
        Contender(
            name="cat > /dev/null",
            needs="cat",
            does="reads the file",
            command=lambda trace, _: ["cat", str(trace)],
            version=("cat", "--version"),
        ),
    ]


def version(contender: Contender) -> str:
    """Say the contender's version, or nothing where it has none to say."""
    if contender.ours:
        from flowclass.version import __version__

        return __version__
    if contender.needs.startswith("python:"):
        from importlib.metadata import packages_distributions
        from importlib.metadata import version as of

        module = contender.needs.removeprefix("python:")
        owners = packages_distributions().get(module, [])
        return of(owners[0]) if owners else ""
    if not contender.version:
        return ""
    done = subprocess.run(contender.version, capture_output=True, text=True, check=False)
    found = re.search(r"\d+\.\d+(?:\.\d+)*", done.stdout + done.stderr)
    return found[0] if found else ""

"""Asks tshark for the flows of a capture, in a process of its own that may crash, hang or be told to stop."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flowclass.errors import ConfigError
from flowclass.explain.tshark import missing, run_worker
from flowclass.verify.flows import Side, theirs

TABLES = {"tcp.port": 6, "udp.port": 17, "sctp.port": 132}
TABLE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Tshark:
    """tshark as it is installed.

    Parameters
    ----------
    path : str
        The program.
    version : str
        As it says it.
    ports : mapping of (int, int) to frozenset of str
        By IP protocol and port: the dissectors that its table has for it.
    """

    path: str
    version: str
    ports: Mapping[tuple[int, int], frozenset[str]]


def installed() -> Tshark:
    """Find tshark and ask for its table of ports.

    Raises
    ------
    ConfigError
        When tshark or pyshark is not installed.
    """
    lacking = missing()
    if lacking:
        raise ConfigError(
            f"{lacking}; verify compares with tshark through pyshark: install both (apt-get install tshark;"
            " pip install 'flowclass[verify]')"
        )
    path = shutil.which("tshark") or ""
    ports: dict[tuple[int, int], frozenset[str]] = {}
    for line in _said(path, "-G", "decodes").splitlines():
        table, selector, name = [*line.split("\t"), "", ""][:3]
        if table in TABLES and selector.isdigit():
            key = (TABLES[table], int(selector))
            ports[key] = ports.get(key, frozenset()) | {name}
    version = next(iter(_said(path, "--version").splitlines()), "tshark of unknown version")
    return Tshark(path, version, ports)


def _said(path: str, *words: str) -> str:
    try:
        done = subprocess.run(
            [path, *words], capture_output=True, check=True, timeout=TABLE_SECONDS, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError) as problem:
        raise ConfigError(f"{path} {' '.join(words)} failed: {problem}; install tshark again") from problem
    return done.stdout.decode(errors="replace")


def flows_of(tshark: Tshark, capture: Path, seconds: float) -> Side | str:
    """Give tshark's flows of a capture, or why there are none.

    Parameters
    ----------
    tshark : Tshark
        As `installed` found it.
    capture : Path
        pcap or pcapng, not compressed.
    seconds : float
        When the answer is not there by then, tshark is ended.
    """
    answer = run_worker("flowclass.verify.worker", [tshark.path, str(capture.absolute())], seconds)
    if isinstance(answer, str):
        return answer
    try:
        return theirs(json.loads(answer))
    except (ValueError, KeyError, TypeError) as problem:
        return f"tshark's answer cannot be read: {problem}"

"""Runs a command to its end and says what it cost.

The command is started by a small process of its own, ``python measure.py OUTPUT COMMAND...``: what Linux tells as a
process's peak memory counts what its parent had when it was forked, and this program holds whole traces.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Cost", "run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Seconds on the wall, seconds of processor time (user and system, children included), octets of peak memory."""

    wall: float
    processor: float
    peak_memory: int


def run(command: Sequence[str], output: Path) -> Cost:
    """Run `command` with its output in `output`.

    Raises
    ------
    RuntimeError
        If it fails; the message has the end of what it said.
    """
    launcher = [sys.executable, "-I", "-S", __file__, str(output), *command]
    done = subprocess.run(launcher, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = output.read_bytes()[-1000:].decode("utf-8", "replace") if output.exists() else ""
        raise RuntimeError(f"`{' '.join(command)}` failed: {done.stderr.strip()}\n{said}")
    cost = json.loads(done.stdout)
    return Cost(wall=cost["wall"], processor=cost["processor"], peak_memory=cost["peak_memory"])


def _launch(output: str, command: list[str]) -> None:
    with Path(output).open("wb") as sink:
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"exit code {process.returncode}")
    cost = {"wall": wall, "processor": usage.ru_utime + usage.ru_stime, "peak_memory": usage.ru_maxrss * 1024}
    print(json.dumps(cost))


if __name__ == "__main__":
    _launch(sys.argv[1], sys.argv[2:])

"""Builds the C++ benchmarks and runs them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

__all__ = ["build", "build_stages", "run_stages"]

_ROOT = Path(__file__).resolve().parent.parent


def build_stages() -> Path:
    """Build the program that times the stages, if its sources have changed, and give its path."""
    return build("stages", room="micro")


def build(program: str, *, room: str = "") -> Path:
    """Build a program of a folder here, if its sources have changed, and give its path."""
    folder = _ROOT / "build" / "benchmarks"
    configure = ["cmake", "-S", str(_ROOT), "-B", str(folder), "-DFLOWCLASS_PYTHON=OFF", "-DFLOWCLASS_BENCHMARKS=ON"]
    for command in ([*configure, "-DCMAKE_BUILD_TYPE=Release"], ["cmake", "--build", str(folder), "--parallel", "2"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return folder / "benchmarks" / (room or program) / f"flowclass_{program}"


def run_stages(
    program: Path, trace: Path, *, stages: tuple[str, ...] = (), repeat: int = 3, threads: int = 1
) -> list[dict[str, Any]]:
    """Run some stages, all by default, and give what the program says of each."""
    command = [str(program), str(trace), "--repeat", str(repeat), "--threads", str(threads)]
    for stage in stages:
        command += ["--stage", stage]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]

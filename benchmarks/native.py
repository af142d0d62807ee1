"""Builds the C++ benchmarks and runs them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

__all__ = ["build_stages", "run_stages"]

_ROOT = Path(__file__).resolve().parent.parent


def build_stages(build: Path = _ROOT / "build" / "benchmarks") -> Path:
    """Build the program that times the stages, if its sources have changed, and give its path."""
    configure = ["cmake", "-S", _ROOT, "-B", build, "-DFLOWCLASS_PYTHON=OFF", "-DFLOWCLASS_BENCHMARKS=ON"]
    for command in ([*configure, "-DCMAKE_BUILD_TYPE=Release"], ["cmake", "--build", build, "--parallel", "2"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return build / "benchmarks" / "micro" / "flowclass_stages"


def run_stages(
    program: Path, trace: Path, *, stages: tuple[str, ...] = (), repeat: int = 3, threads: int = 1
) -> list[dict[str, Any]]:
    """Run some stages, all by default, and give what the program says of each."""
    command = [program, trace, "--repeat", str(repeat), "--threads", str(threads)]
    for stage in stages:
        command += ["--stage", stage]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]

"""Says what the figures were measured on."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

__all__ = ["machine", "sentence"]

_HERE = Path(__file__).resolve().parent


def machine() -> dict[str, Any]:
    """Say what the figures were measured on."""
    cpu = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        "",
    )
    compiler = subprocess.run(["c++", "--version"], capture_output=True, text=True, check=False).stdout.splitlines()
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False, cwd=_HERE
    )
    return {
        "host": platform.node(),
        "processor": cpu,
        "processors": os.cpu_count(),
        "load": os.getloadavg()[0],
        "kernel": platform.release(),
        "python": platform.python_version(),
        "compiler": compiler[0] if compiler else "",
        "commit": commit.stdout.strip(),
    }


def sentence(date: str, facts: dict[str, Any]) -> str:
    """Say `machine()` for a page."""
    return (
        f"Measured {date} on {facts['processors']} cores of {facts['processor']}, Linux {facts['kernel']}, "
        f"Python {facts['python']}, {facts['compiler']}; commit {facts['commit']}. Load before: {facts['load']:.1f}.\n"
    )

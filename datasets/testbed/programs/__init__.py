"""Drivers, one file per program; a file dropped in here is found by its name."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from ..errors import ScenarioError
from ..lab import Program

__all__ = ["load", "names"]


def names() -> list[str]:
    """Names of all programs, sorted."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem != "__init__")


def load(name: str) -> Program[Any]:
    """Give the driver of that name."""
    if name not in names():
        raise ScenarioError(f"no program {name!r}; there are: {', '.join(names())}")
    program = importlib.import_module(f".{name}", __name__).PROGRAM
    if not isinstance(program, Program) or program.name != name:
        raise ScenarioError(f"programs/{name}.py does not define PROGRAM with the name {name!r}")
    return program

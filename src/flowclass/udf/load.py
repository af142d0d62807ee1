"""Takes a Python file that somebody names on purpose. Gives the user's functions that it defines."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from flowclass.errors import UserFunctionError
from flowclass.udf.columns import FlowFunction
from flowclass.udf.fingerprints import Fingerprint


def load(path: Path) -> tuple[Fingerprint | FlowFunction, ...]:
    """Run a Python file and give the functions that it defines, in the order of the file.

    Raises
    ------
    UserFunctionError
        When it cannot be read or run, or defines none.
    """
    found = importlib.util.spec_from_file_location(f"flowclass_user_{path.stem}", path)
    if found is None or found.loader is None or not path.is_file():
        raise UserFunctionError(f"{path}: is no Python file that can be read; give one whose name ends in .py")
    module = importlib.util.module_from_spec(found)
    try:
        found.loader.exec_module(module)
    except UserFunctionError:
        raise
    except Exception as problem:
        raise UserFunctionError(f"{path}: running it ended in {type(problem).__name__}: {problem}") from problem
    functions = tuple(one for one in vars(module).values() if isinstance(one, (Fingerprint, FlowFunction)))
    if not functions:
        raise UserFunctionError(
            f"{path}: defines nothing with flowclass.fingerprint, flow_feature or flow_scorer; see"
            " docs/own_functions.md"
        )
    return functions

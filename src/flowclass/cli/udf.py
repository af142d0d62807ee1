"""Users' own functions on the command line: the option, the files behind it, and what outputs say of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from flowclass.cli.options import Command
from flowclass.pipeline.metadata import json_text
from flowclass.types import UserFunction


def with_udf(command: Command) -> Command:
    """Declare ``--udf``. It runs code, so neither a file of options nor the environment can set it."""
    return click.option(
        "--udf",
        type=click.Path(path_type=Path),
        multiple=True,
        metavar="FILE.py",
        help="Your own fingerprints, features, scorers: runs the file; see docs/own_functions.md.",
    )(command)


def user_functions(paths: Sequence[Path]) -> tuple[UserFunction, ...]:
    """Give the functions that files define which somebody named."""
    if not paths:
        return ()
    from flowclass.udf import load

    return tuple(function for path in paths for function in load(path))


def udf_metadata(functions: Sequence[UserFunction]) -> dict[str, str]:
    """Give what a file says of the users' functions that made some of it."""
    if not functions:
        return {}
    told = [{"name": one.name, "kind": one.kind, "sha256": one.sha256} for one in functions]
    return {"flowclass.udf": json_text(told)}

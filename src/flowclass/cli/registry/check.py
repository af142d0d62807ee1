"""``flowclass registry check``: every defect of every row."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import msgspec

from flowclass.cli.exit_codes import Exit
from flowclass.cli.options import common
from flowclass.cli.values import clean
from flowclass.errors import RegistryError
from flowclass.registry import Registry


@click.command(short_help="Check every row of a registry.")
@click.argument("source", type=click.Path(path_type=Path))
@common
def check(source: Path, as_json: bool) -> int:
    """Check every row of the registry SOURCE; exit with 5 when a row is not valid."""
    problems: tuple[Any, ...] = ()
    refusal: RegistryError | None = None
    loaded: Registry | None = None
    try:
        loaded = Registry.load(source)
        problems = loaded.warnings
    except RegistryError as refused:
        if not refused.problems:
            raise
        refusal, problems = refused, refused.problems
    if as_json:
        content = {
            "schema": "flowclass.registry.check/1",
            "valid": refusal is None,
            "entries": 0 if loaded is None else len(loaded),
            "registry_version": None if loaded is None else loaded.version,
            "problems": [asdict(problem) for problem in problems],
        }
        click.echo(msgspec.json.encode(content).decode())
        return Exit.DONE if refusal is None else Exit.CONFIG
    for problem in problems:
        click.echo(clean(str(problem)))
    if loaded is None:
        errors = sum(problem.severity == "error" for problem in problems)
        click.echo(f"{clean(str(source))}: {errors} errors; correct these rows and check again", err=True)
        return Exit.CONFIG
    click.echo(f"{clean(str(source))}: valid, {len(loaded):,} entries, version {loaded.version[:12]}")
    return Exit.DONE

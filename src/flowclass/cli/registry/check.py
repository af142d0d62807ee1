"""``flowclass registry check``: every defect of every row."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
import msgspec

from flowclass.cli.exit_codes import Exit
from flowclass.cli.options import common
from flowclass.cli.registry.limits import with_limits
from flowclass.cli.registry.problems import counts_of, say_problems
from flowclass.cli.values import clean, entries
from flowclass.errors import RegistryError, RowProblem
from flowclass.registries.kinds import Limits
from flowclass.registry import Registry


@click.command(short_help="Check every row of a registry.")
@click.argument("source", type=click.Path(path_type=Path))
@with_limits
@click.option("-v", "--verbose", is_flag=True, help="Every problem, not the first of each kind alone.")
@common
def check(source: Path, widest_ipv4: int, widest_ipv6: int, verbose: bool, as_json: bool) -> int:
    """Check every row of the registry SOURCE; exit with 5 when a row is not valid.

    SOURCE is CSV, JSON lines, Parquet or SQLite, told by its content, else by its ending. An error refuses the
    registry, a warning does not. --json gives every problem with its line, column, value, reason and kind.
    """
    problems: tuple[RowProblem, ...] = ()
    refusal: RegistryError | None = None
    loaded: Registry | None = None
    try:
        loaded = Registry.load(source, limits=Limits(widest_ipv4=widest_ipv4, widest_ipv6=widest_ipv6))
        problems = loaded.warnings
    except RegistryError as refused:
        if not refused.problems and not as_json:
            raise
        refusal, problems = refused, refused.problems
    if as_json:
        content = {
            "schema": "flowclass.registry.check/1",
            "valid": refusal is None,
            "refused": None if refusal is None else str(refusal).split("\n", 1)[0],
            "entries": 0 if loaded is None else len(loaded),
            "registry_version": None if loaded is None else loaded.version,
            "widest_ipv4": widest_ipv4,
            "widest_ipv6": widest_ipv6,
            "counts": [
                {"severity": severity, "kind": kind, "count": count}
                for (severity, kind), count in counts_of(problems).items()
            ],
            "problems": [asdict(problem) for problem in problems],
        }
        click.echo(msgspec.json.encode(content).decode())
        return Exit.DONE if refusal is None else Exit.CONFIG
    say_problems(problems, verbose=verbose, all_by="-v, or for programs with --json")
    if loaded is None:
        errors = sum(problem.severity == "error" for problem in problems)
        some = "1 error; correct it" if errors == 1 else f"{errors:,} errors; correct these"
        click.echo(f"{clean(str(source))}: {some} and check again", err=True)
        return Exit.CONFIG
    click.echo(f"{clean(str(source))}: valid, {entries(len(loaded))}, version {loaded.version[:12]}")
    return Exit.DONE

"""``flowclass registry check``: every defect of every row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click
import msgspec

from flowclass.cli.exit_codes import Exit
from flowclass.cli.options import common
from flowclass.cli.registry.limits import with_limits
from flowclass.cli.values import clean
from flowclass.errors import RegistryError, RowProblem
from flowclass.registries.kinds import KINDS, Limits
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
                for (severity, kind), count in _counts(problems).items()
            ],
            "problems": [asdict(problem) for problem in problems],
        }
        click.echo(msgspec.json.encode(content).decode())
        return Exit.DONE if refusal is None else Exit.CONFIG
    _say(problems, verbose=verbose)
    if loaded is None:
        errors = sum(problem.severity == "error" for problem in problems)
        some = "1 error; correct it" if errors == 1 else f"{errors:,} errors; correct these"
        click.echo(f"{clean(str(source))}: {some} and check again", err=True)
        return Exit.CONFIG
    click.echo(f"{clean(str(source))}: valid, {len(loaded):,} entries, version {loaded.version[:12]}")
    return Exit.DONE


def _counts(problems: Sequence[RowProblem]) -> dict[tuple[str, str], int]:
    """Count each kind, errors before warnings, in the order of `KINDS`."""
    order = list(KINDS)
    counted = Counter((problem.severity, problem.kind) for problem in problems)
    return dict(sorted(counted.items(), key=lambda item: (item[0][0], order.index(item[0][1]))))


def _say(problems: Sequence[RowProblem], *, verbose: bool) -> None:
    counts = _counts(problems)
    for (severity, kind), count in counts.items():
        click.echo(f"{severity:<8} {kind:<17} {count:>9,}  {KINDS[kind]}")
    told: set[tuple[str, str]] = set()
    for problem in problems:
        what = (problem.severity, problem.kind)
        if verbose or what not in told:
            told.add(what)
            click.echo(clean(str(problem)))
    if not verbose and len(problems) > len(counts):
        click.echo("the first of each kind is shown; all with -v, or for programs with --json")

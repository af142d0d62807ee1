"""How the problems of a registry's rows are shown to people: counts of each kind, then the first of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import click

from flowclass.cli.values import clean
from flowclass.errors import RowProblem
from flowclass.registries.kinds import KINDS


def counts_of(problems: Sequence[RowProblem]) -> dict[tuple[str, str], int]:
    """Count each severity and kind, errors before warnings, in the order of `KINDS`."""
    order = list(KINDS)
    counted = Counter((problem.severity, problem.kind) for problem in problems)
    return dict(sorted(counted.items(), key=lambda item: (item[0][0], order.index(item[0][1]))))


def say_problems(problems: Sequence[RowProblem], *, verbose: bool, all_by: str, err: bool = False) -> None:
    """Print the counts of each kind, and the first problem of each.

    Parameters
    ----------
    problems : sequence of RowProblem
        In order of lines.
    verbose : bool
        Every problem instead of the first.
    all_by : str
        What to give to see all.
    err : bool
        To standard error.
    """
    counts = counts_of(problems)
    for (severity, kind), count in counts.items():
        click.echo(f"{severity:<8} {kind:<17} {count:>9,}  {KINDS[kind]}", err=err)
    told: set[tuple[str, str]] = set()
    for problem in problems:
        what = (problem.severity, problem.kind)
        if verbose or what not in told:
            told.add(what)
            click.echo(clean(str(problem)), err=err)
    if not verbose and len(problems) > len(counts):
        click.echo(f"the first of each kind is shown; all with {all_by}", err=err)

"""The names of a source's columns: which a registry must have, may have, and has not."""

from __future__ import annotations

from collections.abc import Sequence

from flowclass.errors import RegistryError, RowProblem
from flowclass.registries.kinds import shown
from flowclass.registries.row import COLUMNS, REQUIRED_COLUMNS, nearest

MOST_COLUMNS = 100


def check_columns(names: Sequence[str], *, file: str, line: int, where: str) -> None:
    """Refuse columns that rows cannot be read by.

    Parameters
    ----------
    names : sequence of str
        As the source has them.
    file, line, where : str, int, str
        The source, the line of the header, and what the header is, for people.

    Raises
    ------
    RegistryError
        With every unknown, repeated and missing column.
    """

    def problem(column: str, value: str, reason: str) -> RowProblem:
        return RowProblem(file=file, line=line, column=column, value=shown(value), reason=reason, kind="columns")

    wanted = f"{where} names the columns: {','.join(COLUMNS)}"
    if len(names) > MOST_COLUMNS:
        found = problem("", "", f"{len(names):,} columns")
        raise RegistryError(f"{file}: {len(names):,} columns; {wanted}", [found])
    problems = [
        problem("", name, f"unknown column {shown(name)!r}{nearest(name, COLUMNS)}")
        for name in names
        if name not in COLUMNS
    ]
    problems += [
        problem("", name, f"the column {shown(name)!r} is named twice")
        for name in sorted({name for name in names if names.count(name) > 1})
    ]
    problems += [problem(name, "", "the column is missing") for name in REQUIRED_COLUMNS if name not in names]
    if problems:
        raise RegistryError(f"{file}: the header cannot be used; {wanted}", problems)

"""Registries as CSV (RFC 4180, UTF-8): one row a prefix, address or range of a registration."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator

from flowclass.errors import RegistryError, RowProblem
from flowclass.registries.row import COLUMNS, REQUIRED_COLUMNS, RegistryRow, RowChecker, nearest


def read(
    data: bytes, *, name: str, known_protocols: Collection[str] = ()
) -> tuple[list[RegistryRow], list[RowProblem]]:
    """Read all rows and all problems.

    Parameters
    ----------
    data : bytes
        The whole file.
    name : str
        What the problems call it.
    known_protocols : collection of str
        Protocol ids to warn against; empty = not checked.

    Returns
    -------
    rows : list of RegistryRow
        Those without an error.
    problems : list of RowProblem
        Of every row, in order of lines.

    Raises
    ------
    RegistryError
        Where there is no header to read rows by.
    """
    checker = RowChecker(name, known_protocols)
    lines = _records(_decode(data, name), checker)
    header = _header(next(lines, None), name)
    rows: list[RegistryRow] = []
    for line, fields in lines:
        if len(fields) != len(header):
            checker.problem(
                line, "", ",".join(fields), f"it has {len(fields)} fields where the header has {len(header)}"
            )
            continue
        row = checker.check(line, dict(zip(header, fields, strict=True)))
        if row is not None:
            rows.append(row)
    return rows, checker.problems


def _decode(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        found = RowProblem(
            file=name, line=line, column="", value=repr(data[problem.start : problem.start + 8]), reason="not UTF-8"
        )
        raise RegistryError(f"{name}: not UTF-8 text; save it as UTF-8 CSV", [found]) from None


def _records(text: str, checker: RowChecker) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line it begins in; empty lines are passed over."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader, None)
        except csv.Error as problem:
            checker.problem(line, "", "", f"not CSV: {problem}")
            continue
        if fields is None:
            return
        if fields:
            yield line, fields


def _header(first: tuple[int, list[str]] | None, name: str) -> list[str]:
    wanted = f"the first line names the columns: {','.join(COLUMNS)}"
    if first is None:
        raise RegistryError(f"{name}: empty; {wanted}")
    line, fields = first
    header = [field.strip() for field in fields]
    problems = [
        RowProblem(file=name, line=line, column="", value=column, reason=f"unknown column{nearest(column, COLUMNS)}")
        for column in header
        if column not in COLUMNS
    ]
    problems += [
        RowProblem(file=name, line=line, column="", value=column, reason="the column is named twice")
        for column in sorted({column for column in header if header.count(column) > 1})
    ]
    problems += [
        RowProblem(file=name, line=line, column=column, value="", reason="the column is missing")
        for column in REQUIRED_COLUMNS
        if column not in header
    ]
    if problems:
        raise RegistryError(f"{name}: the header cannot be used; {wanted}", problems)
    return header

"""Registries as CSV (RFC 4180, UTF-8): one row a prefix, address or range of a registration."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator

from flowclass.errors import RegistryError, RowProblem
from flowclass.registries.header import check_columns
from flowclass.registries.kinds import MOST_LINE, Limits, shown
from flowclass.registries.row import COLUMNS, RegistryRow, RowChecker

NAME = "CSV"
ENDINGS = (".csv",)
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


def recognise(head: bytes) -> bool:
    """Say whether octets begin as such a file: its first line names the registration id's column."""
    first = head.partition(b"\n")[0]
    return b"registration_id" in first and b"\0" not in first and not head.lstrip().startswith((b"{", b"["))


def read(
    data: bytes, *, name: str, known_protocols: Collection[str] = (), limits: Limits | None = None
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
    limits : Limits, optional
        How wide a prefix may be without a warning.

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
    checker = RowChecker(name, known_protocols, limits)
    if data.startswith(_UTF16):
        raise checker.refusal(1, "not UTF-8 but UTF-16 text; save it as UTF-8 CSV", "not_utf8")
    # Octets that are no UTF-8 become lone surrogates: the checker finds them in their row and column.
    lines = _records(data.decode("utf-8-sig", "surrogateescape"), checker)
    first = next(lines, None)
    where = "the first line"
    if first is None:
        raise RegistryError(f"{name}: empty; {where} names the columns: {','.join(COLUMNS)}", checker.problems)
    header = [field.strip() for field in first[1]]
    _refuse_unlike(header, first[0], checker)
    check_columns(header, file=name, line=first[0], where=where)
    rows: list[RegistryRow] = []
    width = len(header)
    for line, fields in lines:
        if len(fields) != width:
            reason = f"it has {len(fields):,} fields where the header has {width}"
            checker.problem(line, "", shown(",".join(fields[:width])), reason, "columns")
            continue
        row = checker.check(line, dict(zip(header, fields, strict=True)))
        if row is not None:
            rows.append(row)
    return rows, checker.finish()


def _refuse_unlike(header: list[str], line: int, checker: RowChecker) -> None:
    """Refuse a header of another encoding or separator in one sentence, instead of for each of its columns."""
    if any("\0" in name for name in header):
        raise checker.refusal(line, "NUL characters in the header, as in UTF-16 text; save it as UTF-8 CSV", "not_utf8")
    other = next((name for mark, name in _OTHER_SEPARATORS.items() if len(header) == 1 and mark in header[0]), None)
    if other is not None:
        reason = f"the columns are separated by {other}; save it with commas between them"
        raise checker.refusal(line, reason, "columns")


def _records(text: str, checker: RowChecker) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line it begins in; empty lines are passed over."""
    reader = csv.reader(_lines(text, checker), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader, None)
        except csv.Error as problem:
            checker.problem(line, "", "", f"not CSV: {problem}", "unreadable")
            continue
        if fields is None:
            return
        if fields:
            yield line, fields


def _lines(text: str, checker: RowChecker) -> Iterator[str]:
    """Each line; one that no registration needs is refused before it is taken apart."""
    for number, line in enumerate(io.StringIO(text, newline=""), start=1):
        if len(line) > MOST_LINE:
            reason = f"a line of {len(line):,} characters; none has more than {MOST_LINE:,}: this is no registry"
            raise checker.refusal(number, reason, "too_long")
        yield line

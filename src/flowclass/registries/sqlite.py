"""Registries as SQLite: the table ``registrations``, or the one table there is, opened for reading alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path

from flowclass.errors import RegistryError, RowProblem
from flowclass.registries.header import check_columns
from flowclass.registries.kinds import Limits, shown
from flowclass.registries.row import RegistryRow, RowChecker

NAME = "SQLite"
ENDINGS = (".sqlite", ".sqlite3", ".db")
BINARY = True
BY_PATH = True
TABLE = "registrations"
MOST_VALUE = 1 << 20
_BATCH_ROWS = 4_096
_BUSY_SECONDS = 2.0


def recognise(head: bytes) -> bool:
    """Say whether octets begin as such a file."""
    return head.startswith(b"SQLite format 3\0")


def read(
    path: Path, *, name: str, known_protocols: Collection[str] = (), limits: Limits | None = None
) -> tuple[list[RegistryRow], list[RowProblem]]:
    """Read all rows and all problems in one transaction, rows counted from 1 as the table holds them.

    Parameters
    ----------
    path : Path
        The file; a WAL beside it is read with it.
    name, known_protocols, limits
        See ``flowclass.registries.csv.read``.

    Returns
    -------
    rows : list of RegistryRow
        Those without an error.
    problems : list of RowProblem
        Of every row, in order.

    Raises
    ------
    RegistryError
        Where there is no such table, or the file is damaged.
    """
    checker = RowChecker(name, known_protocols, limits)
    rows: list[RegistryRow] = []
    line = 0
    try:
        with closing(_open(path)) as base:
            base.execute("BEGIN")
            table = _table(base, name)
            header = [str(row[1]) for row in base.execute(f"PRAGMA table_xinfo({_quoted(table)})")]
            check_columns(header, file=name, line=1, where=f"the table {shown(table)}")
            for values in _rows(base, table, header):
                line += 1
                row = checker.check(line, dict(zip(header, values, strict=True)))
                if row is not None:
                    rows.append(row)
    except (sqlite3.Error, sqlite3.Warning) as problem:
        reason = f"the SQLite database cannot be read: {shown(problem)}"
        raise checker.refusal(line + 1, reason, "unreadable") from None
    return rows, checker.finish()


def _open(path: Path) -> sqlite3.Connection:
    # Without a log beside it nothing has to be locked or recovered, so a database in WAL mode can be read from a
    # folder that cannot be written, and no file is made there. Who reads sees to it that the file stays the same.
    place = path.resolve()
    logs = [place.with_name(place.name + ending) for ending in ("-wal", "-journal")]
    alone = not any(log.exists() and log.stat().st_size > 0 for log in logs)
    uri = f"{place.as_uri()}?mode=ro{'&immutable=1' if alone else ''}"
    base = sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None)
    base.text_factory = lambda octets: octets.decode("utf-8", "surrogateescape")
    base.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_VALUE)
    base.execute("PRAGMA query_only = ON")
    base.execute("PRAGMA trusted_schema = OFF")
    base.execute("PRAGMA cell_size_check = ON")
    return base


def _table(base: sqlite3.Connection, name: str) -> str:
    """Give the table's name: a table on pages of its own, not a view or a module's, whose rows would be computed."""
    found = base.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage > 0 LIMIT 1000").fetchall()
    tables = [str(row[0]) for row in found if not str(row[0]).lower().startswith("sqlite_")]
    wanted = [table for table in tables if table.lower() == TABLE]
    if wanted:
        return wanted[0]
    if len(tables) == 1:
        return tables[0]
    named = ", ".join(shown(table) for table in tables[:10])
    there = f"there are {len(tables):,}: {named}" if tables else "there is no table"
    raise RegistryError(f"{name}: the table {TABLE!r} is wanted, or a single one; {there}")


def _rows(base: sqlite3.Connection, table: str, header: list[str]) -> Iterator[tuple[object, ...]]:
    columns = ", ".join(_quoted(column) for column in header)
    cursor = base.execute(f"SELECT {columns} FROM {_quoted(table)}")
    while batch := cursor.fetchmany(_BATCH_ROWS):
        yield from batch


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'

"""The file of the desk: made complete or not at all, opened, brought up to date, written by one at a time.

Write-ahead log, so that readers never wait; each transaction begins as a writer (``BEGIN IMMEDIATE``), so that what is
read in it cannot change before it is written; every commit is on the disk before it returns.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flowclass.desk import schema
from flowclass.errors import OutputError, RegistryError
from flowclass.registries.desk import APPLICATION_ID, BUSY_MS, recognise, unreadable
from flowclass.sinks.atomic import output_error


def create(path: Path) -> None:
    """Make an empty desk; where another process was quicker, its desk stays.

    Raises
    ------
    OutputError
        When nothing can be written there.
    """
    temporary = path.parent / f".tmp-{path.name}-{os.getpid()}"
    try:
        temporary.unlink(missing_ok=True)
        connection = sqlite3.connect(temporary, isolation_level=None)
        try:
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("BEGIN IMMEDIATE")
            schema.migrate(connection, 0)
            connection.execute("COMMIT")
        finally:
            connection.close()
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    except sqlite3.Error as problem:
        raise OutputError(f"{path}: cannot be written: {problem}; check the folder and the disk") from problem
    except OSError as problem:
        raise output_error(str(path), problem) from problem
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def connect(path: Path, *, busy_ms: int = BUSY_MS) -> sqlite3.Connection:
    """Open a desk for writing.

    Parameters
    ----------
    path : Path
        An existing file.
    busy_ms : int
        How long to wait for another writer, ms.

    Raises
    ------
    RegistryError
        Where it is no desk, of a later version, in use, damaged, or its guards were taken away.
    """
    try:
        with path.open("rb") as file:
            head = file.read(100)
    except OSError as problem:
        why = (problem.strerror or str(problem)).lower()
        raise RegistryError(f"{path}: the desk cannot be opened: {why}; check --desk") from problem
    if not recognise(head):
        raise RegistryError(f"{path}: is no registrar's desk; check --desk, or read it with import")
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute(f"PRAGMA busy_timeout = {busy_ms}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA recursive_triggers = ON")
        _bring_up_to_date(connection, path)
        _check_guards(connection, path)
    except sqlite3.Error as problem:
        connection.close()
        raise unreadable(str(path), problem) from problem
    except RegistryError:
        connection.close()
        raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection, name: str) -> Iterator[None]:
    """Write all or nothing.

    Raises
    ------
    RegistryError
        Where another writer holds the desk too long, or SQLite refuses.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as problem:
        raise RegistryError(f"{name}: another process is writing to the desk ({problem}); try again") from problem
    try:
        yield
        connection.execute("COMMIT")
    except sqlite3.Error as problem:
        _roll_back(connection)
        raise unreadable(name, problem) from problem
    except BaseException:
        _roll_back(connection)
        raise


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")


def _bring_up_to_date(connection: sqlite3.Connection, path: Path) -> None:
    def version() -> int:
        found: int = connection.execute("PRAGMA user_version").fetchone()[0]
        return found

    newest = len(schema.MIGRATIONS)
    if version() > newest:
        raise RegistryError(f"{path}: its version is {version()}, this flowclass knows {newest}; use a newer flowclass")
    if version() < newest:
        with transaction(connection, str(path)):
            schema.migrate(connection, version())


def _check_guards(connection: sqlite3.Connection, path: Path) -> None:
    found = schema.objects(connection)
    changed = sorted(name for name, sql in schema.expected().items() if found.get(name) != sql)
    added = sorted(found.keys() - schema.expected().keys())
    if changed or added:
        raise RegistryError(
            f"{path}: the desk's own tables and guards were changed ({', '.join([*changed, *added])}); its history is"
            " no longer safe: put back a copy of it"
        )

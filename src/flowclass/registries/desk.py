"""The registrar's desk as a registry: its rows as of any instant, replayed from its history.

A desk is an SQLite file with an application id of its own, so that it is told apart from a plain table of
registrations. Every event holds a hash of itself and of the one before it; all are checked before a row is given, so
that a history that was changed behind the desk's back is refused.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from flowclass.errors import RegistryError, RowProblem
from flowclass.registries.kinds import Limits, Nanoseconds
from flowclass.registries.row import COLUMNS, RegistryRow, RowChecker
from flowclass.registries.timestamps import format_timestamp

NAME = "Desk"
ENDINGS = (".desk",)
BINARY = True
BY_PATH = True
APPLICATION_ID = 0x6663444B  # "fcDK"
STEADY = True  # one transaction sees one state, whoever writes meanwhile
SCHEMA_VERSION = 2
BUSY_MS = 10_000
_MAGIC = b"SQLite format 3\0"
_APPLICATION_ID_AT = 68  # of the file header, https://www.sqlite.org/fileformat.html section 1.3
FIRST_CHAIN = bytes(32)
SHOWN_COLUMNS = tuple(column for column in COLUMNS if column != "note_ref")
EVENT_COLUMNS = (
    "event", "number", "action", "from_state", "to_state", "who", "why", "effective_at", "recorded_at", "entries",
)  # fmt: skip

_ROWS = """
WITH seen AS (
  SELECT number, max(event) AS last, max(event) FILTER (WHERE entries > 0) AS held
  FROM event WHERE effective_at <= :at AND recorded_at <= :known_at GROUP BY number)
SELECT r.registration_id, r.category, e.to_state, n.prefix, n.protocols,
  n.valid_from, n.valid_until, n.submitted_at, n.approved_at, r.number
FROM seen JOIN registration AS r USING (number) JOIN event AS e ON e.event = seen.last
  JOIN entry AS n ON n.event = seen.held
ORDER BY r.number, n.place"""


def recognise(head: bytes) -> bool:
    """Say whether a file is a desk.

    Parameters
    ----------
    head : bytes
        The first 100 octets of the file, or more.
    """
    at = _APPLICATION_ID_AT
    return head.startswith(_MAGIC) and head[at : at + 4] == APPLICATION_ID.to_bytes(4, "big")


def read(
    path: Path,
    *,
    name: str = "",
    known_protocols: Collection[str] = (),
    limits: Limits | None = None,
    at: int | None = None,
    known_at: int | None = None,
) -> tuple[list[RegistryRow], list[RowProblem]]:
    """Read the rows of a desk as of an instant, all from one state of the file, whoever writes to it meanwhile.

    Parameters
    ----------
    path : Path
        The desk.
    name : str
        What the problems call it; by default its path.
    known_protocols : collection of str
        Protocol ids to warn against; empty = not checked.
    limits : Limits, optional
        How wide a prefix may be without a warning.
    at : int, optional
        The instant the rows held at, ns UTC; now by default.
    known_at : int, optional
        Leave out what was recorded after this instant, ns UTC; by default nothing is left out.

    Returns
    -------
    rows : list of RegistryRow
        One a prefix and period of validity; never with a reference to the registrar's files.
    problems : list of RowProblem
        What is odd about them.

    Raises
    ------
    RegistryError
        Where it is no desk, cannot be read, or its history was changed.
    """
    return read_hashed(path, name=name, known_protocols=known_protocols, limits=limits, at=at, known_at=known_at)[:2]


def read_hashed(
    path: Path,
    *,
    name: str = "",
    known_protocols: Collection[str] = (),
    limits: Limits | None = None,
    at: int | None = None,
    known_at: int | None = None,
) -> tuple[list[RegistryRow], list[RowProblem], str]:
    """Give what `read` gives, and the SHA-256, in hex, of the rows: that of their export as JSON lines."""
    title = name or str(path)
    digest = hashlib.sha256()
    rows: list[RegistryRow] = []
    try:
        with closing(connect(path)) as connection:
            connection.execute("BEGIN")
            verify(connection, title)
            checker = RowChecker(title, known_protocols, limits)
            for line, (values, _) in enumerate(held_rows(connection, at, known_at), 1):
                digest.update(line_of(values))
                row = checker.check(line, values)
                rows += [] if row is None else [row]
    except sqlite3.Error as problem:
        raise unreadable(title, problem) from problem
    return rows, checker.finish(), digest.hexdigest()


def line_of(values: Mapping[str, str | Nanoseconds], columns: Sequence[str] = SHOWN_COLUMNS) -> bytes:
    """Write one row as a line of JSON, in the order of the columns."""
    texts = {column: text_of(values[column]) for column in columns}
    return msgspec.json.encode(texts) + b"\n"


def text_of(value: str | Nanoseconds) -> str:
    """Write a value as a list of registrations has it."""
    return value if isinstance(value, str) else format_timestamp(value)


def connect(path: Path) -> sqlite3.Connection:
    """Open a desk for reading.

    Raises
    ------
    RegistryError
        Where there is no file, it is no desk, or it is of a later version.
    """
    try:
        with path.open("rb") as file:
            head = file.read(100)
    except OSError as problem:
        why = (problem.strerror or str(problem)).lower()
        raise RegistryError(f"{path}: the desk cannot be read: {why}; check the path") from problem
    if not recognise(head):
        raise RegistryError(
            f"{path}: is no registrar's desk; apply and import make one where there is no file yet, and read a list of"
            " registrations with import"
        )
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
    try:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.Error as problem:
        connection.close()
        raise unreadable(str(path), problem) from problem
    if not 1 <= version <= SCHEMA_VERSION:  # the tables of all these are alike
        connection.close()
        advice = "use a newer flowclass" if version > SCHEMA_VERSION else "a command that writes brings it up to date"
        raise RegistryError(f"{path}: its version is {version}, this flowclass reads {SCHEMA_VERSION}; {advice}")
    return connection


def unreadable(name: str, problem: sqlite3.Error) -> RegistryError:
    """Say that SQLite could not use a desk."""
    return RegistryError(f"{name}: the desk cannot be used: {problem}; if it stays so, put back a copy of it")


def held_rows(
    connection: sqlite3.Connection, at: int | None = None, known_at: int | None = None
) -> Iterator[tuple[dict[str, str | Nanoseconds], int]]:
    """Give the rows as of an instant by column, empty texts for what is open, each with its registration's number.

    Parameters
    ----------
    connection : sqlite3.Connection
        To a desk.
    at, known_at : int, optional
        As for `read`.
    """
    last = 2**63 - 1  # nothing is dated later than it was recorded: without an instant, what stands is what stands
    instants = {"at": last if at is None else at, "known_at": last if known_at is None else known_at}
    for registration_id, category, status, prefix, protocols, *moments, number in connection.execute(_ROWS, instants):
        valid_from, valid_until, submitted_at, approved_at = (
            "" if one is None else Nanoseconds(one) for one in moments
        )
        yield (
            {
                "registration_id": registration_id,
                "category": category,
                "status": status,
                "prefix": prefix,
                "protocols": protocols,
                "valid_from": valid_from,
                "valid_until": valid_until,
                "submitted_at": submitted_at,
                "approved_at": approved_at,
            },
            number,
        )


def chain_after(
    previous: bytes,
    event: Sequence[Any],
    registration: Sequence[str],
    entries: Sequence[Sequence[Any]],
    references: Sequence[Sequence[Any]],
) -> bytes:
    """Give the hash of an event and of all before it.

    Parameters
    ----------
    previous : bytes
        The hash of the event before; `FIRST_CHAIN` for the first.
    event : sequence
        In the order of `EVENT_COLUMNS`.
    registration : sequence of str
        Its id and category.
    entries, references : sequence of sequences
        What the event wrote, in order.
    """
    content = json.dumps([event, registration, entries, references], separators=(",", ":")).encode()
    return hashlib.sha256(previous + content).digest()


def verify(connection: sqlite3.Connection, name: str) -> tuple[int, bytes]:
    """Check that every event is as it was written and none was taken out from between.

    Returns
    -------
    events : int
        How many there are.
    head : bytes
        The last hash. Whoever notes it can tell later whether the end was cut off.

    Raises
    ------
    RegistryError
        With the first event that is not as it was.
    """
    entries = _by_event(
        connection.execute(
            "SELECT event, prefix, protocols, valid_from, valid_until, submitted_at, approved_at"
            " FROM entry ORDER BY event, place"
        )
    )
    references = _by_event(connection.execute("SELECT event, kind, value FROM reference ORDER BY event, kind"))
    chain, count = FIRST_CHAIN, 0
    listed = ", ".join(f"e.{column}" for column in EVENT_COLUMNS)
    for row in connection.execute(
        f"SELECT {listed}, r.registration_id, r.category, e.chain"
        " FROM event AS e LEFT JOIN registration AS r USING (number) ORDER BY e.event"
    ):
        *event, registration_id, category, noted = row
        number = event[0]
        chain = chain_after(
            chain, event, (registration_id, category), entries.pop(number, ()), references.pop(number, ())
        )
        if chain != noted:
            raise RegistryError(
                f"{name}: its history is not as it was written, from event {number} on ({registration_id}); it was"
                " changed behind the desk's back: put back a copy of it"
            )
        count += 1
    if entries or references:
        raise RegistryError(f"{name}: its history holds rows that no event wrote; put back a copy of it")
    return count, chain


def _by_event(rows: Iterator[tuple[Any, ...]] | sqlite3.Cursor) -> dict[int, Sequence[tuple[Any, ...]]]:
    found: dict[int, list[tuple[Any, ...]]] = {}
    for event, *content in rows:
        found.setdefault(event, []).append(tuple(content))
    return dict(found)


def references_by_number(connection: sqlite3.Connection) -> Mapping[int, str]:
    """Give every registration's references as the text of `note_ref`, by its number."""
    found: dict[int, dict[str, str]] = {}
    for number, kind, value in connection.execute(
        "SELECT e.number, f.kind, f.value FROM reference AS f JOIN event AS e USING (event) ORDER BY f.event, f.kind"
    ):
        found.setdefault(number, {})[kind] = f"{kind}:{'waived' if value is None else value}"  # the last one holds
    return {number: "; ".join(text for _, text in sorted(kinds.items())) for number, kinds in found.items()}

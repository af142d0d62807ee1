"""The tables of the desk, and how a desk of an earlier version becomes one of this.

Every table is only ever added to; triggers refuse every change and removal, an insertion that would replace a row, a
transition that is not permitted, and an event that does not follow from the registration's last one.
"""

from __future__ import annotations

import sqlite3
from functools import lru_cache

# The transitions of version 1; a test compares those of the newest with `states.TRANSITIONS`.
_PERMITTED = """
  ('apply', '', 'pending'), ('approve', 'pending', 'approved'), ('reject', 'pending', 'rejected'),
  ('suspend', 'approved', 'suspended'), ('approve', 'suspended', 'approved'), ('revoke', 'approved', 'revoked'),
  ('revoke', 'suspended', 'revoked'), ('renew', 'approved', 'approved'),
  ('import', '', 'pending'), ('import', '', 'approved'), ('import', '', 'rejected'), ('import', '', 'suspended'),
  ('import', '', 'revoked'), ('import', 'pending', 'approved'), ('import', 'pending', 'rejected'),
  ('import', 'pending', 'suspended'), ('import', 'pending', 'revoked'), ('import', 'approved', 'suspended'),
  ('import', 'approved', 'revoked')"""

_TABLES = (
    """CREATE TABLE transition (
  action TEXT NOT NULL, from_state TEXT NOT NULL, to_state TEXT NOT NULL,
  PRIMARY KEY (action, from_state, to_state)) STRICT, WITHOUT ROWID""",
    f"INSERT INTO transition (action, from_state, to_state) VALUES {_PERMITTED}",
    """CREATE TABLE registration (
  number INTEGER PRIMARY KEY,
  registration_id TEXT NOT NULL UNIQUE CHECK (length(registration_id) BETWEEN 1 AND 128),
  category TEXT NOT NULL CHECK (category GLOB 'organization*' OR category GLOB 'freelancer*')) STRICT""",
    """CREATE TABLE event (
  event INTEGER PRIMARY KEY,
  number INTEGER NOT NULL REFERENCES registration (number),
  action TEXT NOT NULL,
  from_state TEXT,
  to_state TEXT NOT NULL,
  who TEXT NOT NULL CHECK (who <> ''),
  why TEXT NOT NULL,
  effective_at INTEGER NOT NULL CHECK (effective_at <= recorded_at),
  recorded_at INTEGER NOT NULL,
  entries INTEGER NOT NULL CHECK (entries >= 0),
  chain BLOB NOT NULL CHECK (length(chain) = 32)) STRICT""",
    "CREATE INDEX event_of ON event (number, event)",
    """CREATE TABLE entry (
  event INTEGER NOT NULL REFERENCES event (event),
  place INTEGER NOT NULL,
  prefix TEXT NOT NULL,
  protocols TEXT NOT NULL,
  valid_from INTEGER,
  valid_until INTEGER CHECK (valid_until IS NULL OR valid_from IS NULL OR valid_from < valid_until),
  submitted_at INTEGER,
  approved_at INTEGER,
  PRIMARY KEY (event, place)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE reference (
  event INTEGER NOT NULL REFERENCES event (event),
  kind TEXT NOT NULL CHECK (kind IN ('company', 'taxpayer', 'identity', 'letter', 'file')),
  value TEXT CHECK (value IS NULL OR value <> ''),
  PRIMARY KEY (event, kind)) STRICT, WITHOUT ROWID""",
)

_KEYS = {
    "transition": "1",
    "registration": "number = NEW.number OR registration_id = NEW.registration_id",
    "event": "event = NEW.event",
    "entry": "event = NEW.event AND place = NEW.place",
    "reference": "event = NEW.event AND kind = NEW.kind",
}


def _guards(table: str) -> tuple[str, ...]:
    """Refuse every change of a table's rows, and every insertion in place of one (REPLACE fires no other trigger)."""
    return (
        f"""CREATE TRIGGER {table}_stays BEFORE UPDATE ON {table}
BEGIN SELECT RAISE(ABORT, 'the history of the desk is only added to, nothing in it is changed'); END""",
        f"""CREATE TRIGGER {table}_is_kept BEFORE DELETE ON {table}
BEGIN SELECT RAISE(ABORT, 'the history of the desk is only added to, nothing is taken out'); END""",
        f"""CREATE TRIGGER {table}_is_not_replaced BEFORE INSERT ON {table}
WHEN EXISTS (SELECT 1 FROM {table} WHERE {_KEYS[table]})
BEGIN SELECT RAISE(ABORT, 'the history of the desk is only added to, nothing in it is replaced'); END""",
    )


_ORDER = (
    """CREATE TRIGGER event_is_permitted BEFORE INSERT ON event
WHEN (NEW.action, coalesce(NEW.from_state, ''), NEW.to_state)
  NOT IN (SELECT action, from_state, to_state FROM transition)
BEGIN SELECT RAISE(ABORT, 'the transition is not permitted'); END""",
    """CREATE TRIGGER event_follows BEFORE INSERT ON event
WHEN NEW.from_state IS NOT (SELECT to_state FROM event WHERE number = NEW.number ORDER BY event DESC LIMIT 1)
  OR NEW.effective_at < (SELECT effective_at FROM event WHERE number = NEW.number ORDER BY event DESC LIMIT 1)
  OR NEW.recorded_at < (SELECT recorded_at FROM event ORDER BY event DESC LIMIT 1)
BEGIN SELECT RAISE(ABORT, 'the event does not follow from the last one'); END""",
    """CREATE TRIGGER entry_is_of_last_event BEFORE INSERT ON entry
WHEN NEW.event IS NOT (SELECT max(event) FROM event)
BEGIN SELECT RAISE(ABORT, 'the history of the desk is only added to, at its end'); END""",
    """CREATE TRIGGER reference_is_of_last_event BEFORE INSERT ON reference
WHEN NEW.event IS NOT (SELECT max(event) FROM event)
BEGIN SELECT RAISE(ABORT, 'the history of the desk is only added to, at its end'); END""",
)

# Statements that lead from version n to n + 1, in order.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (*_TABLES, *(guard for table in _KEYS for guard in _guards(table)), *_ORDER),
    (
        "DROP TRIGGER transition_is_not_replaced",
        "INSERT INTO transition (action, from_state, to_state) VALUES ('amend', 'pending', 'pending')",
        _guards("transition")[2],
    ),
)


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring a desk up to date, inside the caller's transaction.

    Parameters
    ----------
    connection : sqlite3.Connection
        In a transaction.
    version : int
        The desk's own version; 0 = an empty file.
    """
    for statements in MIGRATIONS[version:]:
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def objects(connection: sqlite3.Connection) -> dict[str, str]:
    """Give the text of every table, index and trigger by its name."""
    return dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))


@lru_cache(maxsize=1)
def expected() -> dict[str, str]:
    """Give what `objects` gives of an untouched desk."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        migrate(connection, 0)
        return objects(connection)
    finally:
        connection.close()

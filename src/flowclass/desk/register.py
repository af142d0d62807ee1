"""The ids of a desk's registrations: found, given in series, and taken in."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from flowclass.errors import RegistryError

_SERIES = {"organization": "ORG", "freelancer": "FRL"}


class Register:
    """The table of registrations.

    Parameters
    ----------
    connection : sqlite3.Connection
        To the desk.
    path : Path
        Its file, for people.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._last: dict[str, int] = {}  # of each year's series, within a transaction

    def forget(self) -> None:
        """Begin a transaction: others may have taken ids since the last one."""
        self._last.clear()

    def find(self, registration_id: str) -> int:
        """Give the number of a registration.

        Raises
        ------
        RegistryError
            Where it is not at the desk.
        """
        found = self._connection.execute(
            "SELECT number FROM registration WHERE registration_id = ?", [registration_id]
        ).fetchone()
        if found is None:
            raise RegistryError(f"{registration_id!r} is not at the desk {self._path}; check the id")
        number: int = found[0]
        return number

    def next_id(self, kind: str, at: int) -> str:
        """Give the next free id of a kind of registrants in the year of an instant, ns UTC."""
        year = datetime.fromtimestamp(at // 1_000_000_000, UTC).year
        series = f"{_SERIES[kind]}-{year}-"
        if series not in self._last:
            found = self._connection.execute(
                "SELECT max(CAST(substr(registration_id, ?) AS INTEGER)) FROM registration"
                " WHERE registration_id GLOB ?",
                [len(series) + 1, f"{series}[0-9]*"],
            ).fetchone()[0]
            self._last[series] = found or 0
        while True:
            self._last[series] += 1
            name = f"{series}{self._last[series]:04d}"
            if not self._is_known(name):
                return name

    def add(self, registration_id: str, category: str) -> int:
        """Take a registration in; give its number.

        Raises
        ------
        RegistryError
            Where its id is taken.
        """
        if self._is_known(registration_id):
            raise RegistryError(
                f"{registration_id} is at the desk already; it is changed by approve, reject, amend, suspend, revoke"
                " and renew, and a new application takes a new id"
            )
        made = self._connection.execute(
            "INSERT INTO registration (registration_id, category) VALUES (?, ?)", [registration_id, category]
        )
        return int(made.lastrowid or 0)

    def _is_known(self, registration_id: str) -> bool:
        known = self._connection.execute(
            "SELECT 1 FROM registration WHERE registration_id = ?", [registration_id]
        ).fetchone()
        return known is not None

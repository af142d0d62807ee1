"""The desk's own verbs: apply, amend, approve, reject, suspend, revoke, renew, import; and its history and rows."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from flowclass.desk import store, validity
from flowclass.desk.acts import Act, Change
from flowclass.desk.amendments import Amendment
from flowclass.desk.applications import Application
from flowclass.desk.intake import Entry, arrivals, entries_of
from flowclass.desk.neighbours import overlapping
from flowclass.desk.register import Register
from flowclass.desk.states import step
from flowclass.errors import RegistryError, RowProblem
from flowclass.registries import desk as reader
from flowclass.registries.row import RegistryRow
from flowclass.registries.timestamps import format_timestamp


class Desk:
    """An open desk.

    Parameters
    ----------
    path : path
        Its file.
    create : bool
        Whether to make it where there is none.
    clock : callable
        Gives the present, ns UTC.
    busy_ms : int
        How long to wait for another writer, ms.

    Raises
    ------
    RegistryError
        Where it cannot be opened.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        create: bool = False,
        clock: Callable[[], int] = time.time_ns,
        busy_ms: int = reader.BUSY_MS,
    ) -> None:
        self.path = Path(path)
        self._clock = clock
        if create and not self.path.exists():
            store.create(self.path)
        self._connection = store.connect(self.path, busy_ms=busy_ms)
        self._recorded = 0
        self._event = 0
        self._chain = reader.FIRST_CHAIN
        self._register = Register(self._connection, self.path)
        self.checked = (0, reader.FIRST_CHAIN)  # events and the last hash, as last read

    def __enter__(self) -> Desk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Do several things as one: all of them or none. Inside another one it is part of that."""
        if self._connection.in_transaction:
            with self._part():
                yield
            return
        with store.transaction(self._connection, str(self.path)):
            last = self._connection.execute(
                "SELECT event, recorded_at, chain FROM event ORDER BY event DESC LIMIT 1"
            ).fetchone()
            self._register.forget()
            self._event, self._recorded, self._chain = last or (0, self._clock(), reader.FIRST_CHAIN)
            yield

    @contextmanager
    def _part(self) -> Iterator[None]:
        before = self._event, self._recorded, self._chain
        self._connection.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK TO part")
            self._event, self._recorded, self._chain = before
            raise
        finally:
            self._connection.execute("RELEASE part")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read several things from one state of the desk, its history checked.

        Raises
        ------
        RegistryError
            Where the history was changed.
        """
        try:
            self._connection.execute("BEGIN")
            try:
                self.checked = reader.verify(self._connection, str(self.path))
                yield self._connection
            finally:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error as problem:
            raise reader.unreadable(str(self.path), problem) from problem

    def apply(
        self, application: Application, act: Act, *, known_protocols: Collection[str] = ()
    ) -> tuple[Change, list[RowProblem]]:
        """Take an application in.

        Returns
        -------
        Change
            With the registration's id.
        list of RowProblem
            Warnings.

        Raises
        ------
        RegistryError
            With every defect of it, or because its id is taken.
        """
        rows, warnings = application.rows(known_protocols)
        with self.writing():
            recorded = self._now()
            at = self._effective(act, recorded)
            wanted = application.registration_id or self._register.next_id(application.kind, at)
            number = self._register.add(wanted, rows[0].category)
            entries = tuple((*entry[:4], at, None) for entry in entries_of(rows))
            change = self._record(
                (number, wanted, rows[0].category), ("apply", None, "pending"), act, (at, recorded), entries=entries,
                references=application.held_references(),
            )  # fmt: skip
        return change, warnings

    def approve(
        self, registration_id: str, act: Act, *, valid_from: int | None = None, valid_until: int | None = None
    ) -> Change:
        """Approve what is pending, or give back what is suspended."""

        def entries(state: str, held: Sequence[Entry], at: int) -> tuple[Entry, ...]:
            if state == "pending":
                return validity.approved(
                    held, at=at, valid_from=valid_from, valid_until=valid_until, registration_id=registration_id
                )
            if valid_from is not None or valid_until is not None:
                raise RegistryError(f"{registration_id} is {state}: its dates stay as they are; renew it afterwards")
            return ()

        return self._transit("approve", registration_id, act, entries)

    def amend(
        self, registration_id: str, amendment: Amendment, act: Act, *, known_protocols: Collection[str] = ()
    ) -> tuple[Change, list[RowProblem]]:
        """Change what a pending application asks for; what it asked for until then stays in the history."""
        warnings: list[RowProblem] = []

        def entries(state: str, held: Sequence[Entry], at: int) -> tuple[Entry, ...]:
            del state
            registration = (registration_id, self._category(registration_id))
            made, found = amendment.entries(held, registration=registration, at=at, known_protocols=known_protocols)
            warnings.extend(found)
            return made

        change = self._transit("amend", registration_id, act, entries, references=amendment.held_references())
        return change, warnings

    def overlapping(self, registration_id: str) -> list[RowProblem]:
        """Warn of each address of a registration that another one claims at the same time."""
        number = self._register.find(registration_id)
        return overlapping(self._connection, (number, registration_id), self._held(number))

    def reject(self, registration_id: str, act: Act) -> Change:
        """Reject what is pending."""
        return self._transit("reject", registration_id, act)

    def suspend(self, registration_id: str, act: Act) -> Change:
        """Suspend what is approved."""
        return self._transit("suspend", registration_id, act)

    def revoke(self, registration_id: str, act: Act) -> Change:
        """Revoke what is approved or suspended, for good."""
        return self._transit("revoke", registration_id, act)

    def renew(self, registration_id: str, act: Act, *, valid_until: int, valid_from: int | None = None) -> Change:
        """Prolong what is approved."""

        def entries(state: str, held: Sequence[Entry], at: int) -> tuple[Entry, ...]:
            del state
            return validity.renewed(
                held, at=at, valid_from=valid_from, valid_until=valid_until, registration_id=registration_id
            )

        return self._transit("renew", registration_id, act, entries)

    def import_rows(self, rows: Iterable[RegistryRow], act: Act, *, name: str) -> list[Change]:
        """Take a whole list in, all of it or nothing.

        A registration's dates of submission and approval say since when it was what; what they do not say counts from
        the import's own instant.

        Parameters
        ----------
        rows : iterable of RegistryRow
            A registry's.
        act : Act
            Who, why, and since when the list holds.
        name : str
            The list's file, for the problems.
        """
        found = arrivals(rows, name)
        changes = []
        with self.writing():
            for arrival in found:
                recorded = self._now()
                latest = self._effective(act, recorded)
                number = self._register.add(arrival.registration_id, arrival.category)
                before: str | None = None
                at = None
                for place, (state, since) in enumerate(arrival.steps):
                    least = latest if since is None else min(since, latest)
                    at = least if at is None else max(at, least)
                    last = place == len(arrival.steps) - 1
                    kept = arrival.entries if last else tuple((*one[:5], None) for one in arrival.entries)
                    if not last and state == "approved":
                        kept = arrival.entries
                    change = self._record(
                        (number, arrival.registration_id, arrival.category), ("import", before, state), act,
                        (at, recorded), entries=kept, references=arrival.references if place == 0 else (),
                    )  # fmt: skip
                    changes.append(change)
                    before = state
        return changes

    def rows(self, at: int | None = None, *, known_at: int | None = None) -> list[RegistryRow]:
        """Give the registry's rows as of an instant; see ``flowclass.registries.desk.read``."""
        return reader.read(self.path, at=at, known_at=known_at)[0]

    def history(self, registration_ids: Sequence[str] = ()) -> list[Change]:
        """Give the events of some registrations, or of all, in the order they were recorded.

        Raises
        ------
        RegistryError
            Where a registration is not at the desk, or the history was changed.
        """
        with self.reading() as connection:
            wanted = [self._register.find(registration_id) for registration_id in registration_ids]
            condition = f"WHERE number IN ({', '.join('?' * len(wanted))})" if wanted else ""
            found = connection.execute(
                "SELECT event, registration_id, action, from_state, to_state, who, why, effective_at, recorded_at"
                f" FROM event JOIN registration USING (number) {condition} ORDER BY event",
                wanted,
            )
            names = tuple(Change.__dataclass_fields__)
            return [Change(**dict(zip(names, event, strict=True))) for event in found]

    def references(self, registration_id: str) -> list[tuple[str, str | None]]:
        """Give the references of a registration, by kind, the last of each; None where one was waived."""
        found = self._connection.execute(
            "SELECT f.kind, f.value FROM reference AS f JOIN event AS e USING (event) WHERE e.number = ?"
            " ORDER BY f.event",
            [self._register.find(registration_id)],
        )
        return sorted(dict(found).items())

    def _transit(
        self,
        action: str,
        registration_id: str,
        act: Act,
        entries: Callable[[str, Sequence[Entry], int], tuple[Entry, ...]] | None = None,
        *,
        references: Sequence[tuple[str, str | None]] = (),
    ) -> Change:
        with self.writing():
            number = self._register.find(registration_id)
            state, since, category = self._connection.execute(
                "SELECT to_state, effective_at, category FROM event JOIN registration USING (number)"
                " WHERE number = ? ORDER BY event DESC LIMIT 1",
                [number],
            ).fetchone()
            transition = step(action, state, registration_id)
            if transition.needs_why and not act.why.strip():
                raise RegistryError(f"{registration_id} is {state}: to {action} it takes a reason; give --why")
            recorded = self._now()
            at = self._effective(act, recorded)
            if at < since:
                raise RegistryError(
                    f"{registration_id} is {state} since {format_timestamp(since)}; what comes after it cannot count"
                    f" from {format_timestamp(at)}: give a later --at"
                )
            written = () if entries is None else entries(state, self._held(number), at)
            return self._record(
                (number, registration_id, category), (action, state, transition.after), act, (at, recorded),
                entries=written, references=references,
            )  # fmt: skip

    def _now(self) -> int:
        """Give the present; a clock that was set back does not put the history out of order."""
        self._recorded = max(self._recorded, self._clock())
        return self._recorded

    @staticmethod
    def _effective(act: Act, recorded: int) -> int:
        if act.at is not None and act.at > recorded:
            raise RegistryError(
                f"--at {format_timestamp(act.at)} lies in the future (it is {format_timestamp(recorded)}); the desk"
                " records what is so, for later dates use --valid-from"
            )
        return recorded if act.at is None else act.at

    def _category(self, registration_id: str) -> str:
        number = self._register.find(registration_id)
        found: str = self._connection.execute(
            "SELECT category FROM registration WHERE number = ?", [number]
        ).fetchone()[0]
        return found

    def _held(self, number: int) -> list[Entry]:
        return list(
            self._connection.execute(
                "SELECT prefix, protocols, valid_from, valid_until, submitted_at, approved_at FROM entry WHERE event ="
                " (SELECT max(event) FROM event WHERE number = ? AND entries > 0) ORDER BY place",
                [number],
            )
        )

    def _record(
        self,
        registration: tuple[int, str, str],
        transition: tuple[str, str | None, str],
        act: Act,
        instants: tuple[int, int],
        *,
        entries: Sequence[Entry] = (),
        references: Sequence[tuple[str, str | None]] = (),
    ) -> Change:
        """Write one event, and what belongs to it, behind the last one."""
        number, *named = registration
        self._event += 1
        event = (self._event, number, *transition, act.who, act.why, *instants, len(entries))
        self._chain = reader.chain_after(self._chain, event, named, entries, references)
        columns = ", ".join((*reader.EVENT_COLUMNS, "chain"))
        marks = ", ".join("?" * (len(event) + 1))
        self._connection.execute(f"INSERT INTO event ({columns}) VALUES ({marks})", [*event, self._chain])
        self._connection.executemany(
            "INSERT INTO entry (event, place, prefix, protocols, valid_from, valid_until, submitted_at, approved_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [(self._event, place, *entry) for place, entry in enumerate(entries)],
        )
        self._connection.executemany(
            "INSERT INTO reference (event, kind, value) VALUES (?, ?, ?)",
            [(self._event, *reference) for reference in references],
        )
        return Change(
            event=self._event,
            registration_id=named[0],
            action=transition[0],
            from_state=transition[1],
            to_state=transition[2],
            who=act.who,
            why=act.why,
            effective_at=instants[0],
            recorded_at=instants[1],
        )

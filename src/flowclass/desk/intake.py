"""A list of registrations as events: what its dates say of how each registration came to where it stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flowclass.desk.applications import parse_references
from flowclass.errors import RegistryError, RowProblem
from flowclass.registries.row import RegistryRow

Entry = tuple[str, str, int | None, int | None, int | None, int | None]
"""prefix, protocols, valid_from, valid_until, submitted_at, approved_at, as the table of entries holds them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One registration of a list.

    Parameters
    ----------
    registration_id, category : str
        As in the list.
    steps : tuple of (str, int or None)
        States with the instants they began at, ns UTC, in order; None = that of the import.
    entries : tuple of Entry
        Its rows.
    references : tuple of (str, str or None)
        From its `note_ref`.
    """

    registration_id: str
    category: str
    steps: tuple[tuple[str, int | None], ...]
    entries: tuple[Entry, ...]
    references: tuple[tuple[str, str | None], ...]


def entries_of(rows: Iterable[RegistryRow]) -> tuple[Entry, ...]:
    """Give one entry a prefix."""
    return tuple(
        (
            str(prefix),
            ";".join(row.protocols),
            row.valid_from,
            row.valid_until,
            row.submitted_at,
            row.approved_at,
        )
        for row in rows
        for prefix in row.prefixes
    )


def arrivals(rows: Iterable[RegistryRow], name: str) -> list[Arrival]:
    """Gather the rows of each registration.

    Parameters
    ----------
    rows : iterable of RegistryRow
        A registry's.
    name : str
        Its file, for the problems.

    Raises
    ------
    RegistryError
        Where rows of one registration contradict each other, with all of these.
    """
    gathered: dict[str, list[RegistryRow]] = {}
    for row in rows:
        gathered.setdefault(row.registration_id, []).append(row)
    problems: list[RowProblem] = []
    for registration_id, held in gathered.items():
        for column in ("category", "status"):
            wanted = getattr(held[0], column)
            problems += [
                RowProblem(
                    file=name,
                    line=row.line,
                    column=column,
                    value=getattr(row, column),
                    reason=f"{registration_id} has {wanted!r} in line {held[0].line}; the desk keeps one for each"
                    " registration: give these rows an id of their own",
                    kind="duplicate",
                )
                for row in held
                if getattr(row, column) != wanted
            ]
    if problems:
        raise RegistryError(f"{name}: the list is refused; correct these and import it again", problems)
    return [_arrival(held) for held in gathered.values()]


def _arrival(rows: list[RegistryRow]) -> Arrival:
    first = rows[0]
    submitted = min((row.submitted_at for row in rows if row.submitted_at is not None), default=None)
    approved = min((row.approved_at for row in rows if row.approved_at is not None), default=None)
    steps: list[tuple[str, int | None]] = []
    if submitted is not None:
        steps.append(("pending", submitted))
    if approved is not None and first.status in ("approved", "suspended", "revoked"):
        steps.append(("approved", approved))
    if not steps or steps[-1][0] != first.status:
        steps.append((first.status, None))
    notes = dict.fromkeys(row.note_ref for row in rows if row.note_ref)
    references = dict(parse_references("" if not notes else next(iter(notes))))
    if len(notes) > 1:
        references = {"file": "; ".join(notes)}
    return Arrival(
        registration_id=first.registration_id,
        category=first.category,
        steps=tuple(steps),
        entries=entries_of(rows),
        references=tuple(sorted(references.items())),
    )

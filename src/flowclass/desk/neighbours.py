"""Which addresses of a registration another one has too, so that the official knows before deciding."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from flowclass.desk.intake import Entry
from flowclass.errors import RowProblem
from flowclass.registries import desk as reader
from flowclass.registries.overlap import Claim, meeting
from flowclass.registries.prefixes import parse_prefixes

CLAIMING = frozenset({"pending", "approved", "suspended"})


def overlapping(
    connection: sqlite3.Connection, registration: tuple[int, str], entries: Sequence[Entry]
) -> list[RowProblem]:
    """Warn of each address that another registration claims at a time when this one does.

    Parameters
    ----------
    connection : sqlite3.Connection
        To the desk.
    registration : (int, str)
        Number and id of the registration that is asked about.
    entries : sequence of Entry
        Its rows.

    Returns
    -------
    list of RowProblem
        One for each of its rows at most, with the narrowest claim that covers it, else one that it covers.
    """
    number, registration_id = registration
    own = [
        Claim(registration_id, prefix, entry[2], entry[3], line)
        for line, entry in enumerate(entries, 1)
        for prefix in parse_prefixes(entry[0])
    ]
    others: list[Claim] = []
    status: dict[str, str] = {}
    for values, holder in reader.held_rows(connection):
        if holder == number or values["status"] not in CLAIMING:
            continue
        name, begin, end = (values[column] for column in ("registration_id", "valid_from", "valid_until"))
        status[str(name)] = str(values["status"])
        span = (None if begin == "" else int(begin), None if end == "" else int(end))
        others += [Claim(str(name), prefix, *span, 0) for prefix in parse_prefixes(str(values["prefix"]))]
    return [
        RowProblem(
            file=registration_id,
            line=claim.line,
            column="prefix",
            value=str(claim.prefix),
            reason="another registration has it too at the same time:"
            f" {other.prefix} of {other.registration_id!r}, {status[other.registration_id]}",
            severity="warning",
            kind="overlap",
        )
        for claim, other in meeting(own, others)
    ]

"""What approving and renewing do to the periods a registration's prefixes are valid in."""

from __future__ import annotations

from collections.abc import Sequence

from flowclass.desk.intake import Entry
from flowclass.errors import RegistryError
from flowclass.registries.timestamps import format_timestamp


def approved(
    entries: Sequence[Entry], *, at: int, valid_from: int | None, valid_until: int | None, registration_id: str
) -> tuple[Entry, ...]:
    """Give the entries of an approved application.

    What is given here wins over what was applied for. An approval that nobody gave a beginning holds from the
    application on, so that the hours of waiting do not count against the registrant.

    Raises
    ------
    RegistryError
        Where they would end before they begin.
    """
    found = []
    for prefix, protocols, asked_from, asked_until, submitted_at, _ in entries:
        begin = valid_from if valid_from is not None else asked_from if asked_from is not None else submitted_at
        end = valid_until if valid_until is not None else asked_until
        check_period(begin, end, registration_id)
        found.append((prefix, protocols, begin, end, submitted_at, at))
    return tuple(found)


def renewed(
    entries: Sequence[Entry], *, at: int, valid_from: int | None, valid_until: int, registration_id: str
) -> tuple[Entry, ...]:
    """Give the entries of a renewed registration: the periods that end last are prolonged.

    Where they have not ended at the renewal, they are made longer; where they have, a new period begins with the
    renewal, and the gap stays one.

    Raises
    ------
    RegistryError
        Where there is nothing to renew, or the new period is none.
    """
    ends = [entry[3] for entry in entries]
    if any(end is None for end in ends):
        raise RegistryError(f"{registration_id} is valid without an end; there is nothing to renew")
    last = max(end for end in ends if end is not None)
    if valid_until <= last:
        raise RegistryError(
            f"{registration_id} is valid until {format_timestamp(last)} already; give a later --valid-until"
        )
    if valid_from is not None and valid_from < last:
        raise RegistryError(
            f"{registration_id} is valid until {format_timestamp(last)}; a new period begins there or later"
        )
    begin = max(last, at) if valid_from is None else valid_from
    check_period(begin, valid_until, registration_id)
    found: list[Entry] = []
    for entry in entries:
        prefix, protocols, old_from, old_until, submitted_at, approved_at = entry
        if old_until != last:
            found.append(entry)
        elif begin == last:
            found.append((prefix, protocols, old_from, valid_until, submitted_at, approved_at))
        else:
            found += [entry, (prefix, protocols, begin, valid_until, submitted_at, approved_at)]
    return tuple(found)


def check_period(begin: int | None, end: int | None, registration_id: str) -> None:
    """Refuse a period that ends before it begins.

    Raises
    ------
    RegistryError
        With both instants.
    """
    if begin is not None and end is not None and begin >= end:
        raise RegistryError(
            f"{registration_id} would be valid from {format_timestamp(begin)} until {format_timestamp(end)}; give a"
            " --valid-until after it begins"
        )

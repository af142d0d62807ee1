"""Takes what the run saw of registrations, and the registry. Gives who was seen, who never was, whose end is near.

Of a registry no field but ``registration_id`` leaves this file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from flowclass.registry import Registry, RegistryEntry

DAY_NS = 86_400 * 1_000_000_000


def beside_registry(registry: Registry, seen: Iterable[str], span: tuple[int, int], days: Sequence[int]) -> Any:
    """Compare the registrations that the run met with those that are in the registry.

    Parameters
    ----------
    registry : Registry
        The list.
    seen : iterable of str
        Registration ids that decided for some flow.
    span : (int, int)
        First and last instant of the run, ns UTC.
    days : sequence of int
        Spans behind the run's end, ascending, in which an end counts as soon.

    Returns
    -------
    dict
        ``in_force``, ``never_seen``, ``not_in_force`` and ``soon`` (one list of ids for each of the spans; an id stands
        in the first that holds its end).
    """
    known: dict[str, list[RegistryEntry]] = {}
    for entry in registry.entries:
        known.setdefault(entry.registration_id, []).append(entry)
    met = set(seen)
    in_force = {name for name, entries in known.items() if any(_holds(entry, span) for entry in entries)}
    ends = {name: end for name in in_force if (end := _end(known[name], span)) is not None}
    soon, least = [], 0
    for most in days:
        held = [name for name, end in ends.items() if least * DAY_NS < end - span[1] <= most * DAY_NS]
        soon.append({"days": most, "ids": sorted(held)})
        least = most
    return {
        "version": registry.version,
        "registrations": len(known),
        "in_force": len(in_force),
        "not_in_force": len(known) - len(in_force),
        "seen": len(met & known.keys()),
        "seen_but_unknown": sorted(met - known.keys()),
        "never_seen": sorted(in_force - met),
        "soon": soon,
    }


def _holds(entry: RegistryEntry, span: tuple[int, int]) -> bool:
    """Say whether an entry is approved and valid at some moment of the run."""
    begins = entry.valid_from is None or entry.valid_from <= span[1]
    lasts = entry.valid_until is None or entry.valid_until > span[0]
    return entry.status == "approved" and begins and lasts


def _end(entries: list[RegistryEntry], span: tuple[int, int]) -> int | None:
    """Give when the last of the entries in force ends; None where one has no end."""
    ends = [entry.valid_until for entry in entries if _holds(entry, span)]
    known = [end for end in ends if end is not None]
    return max(known) if len(known) == len(ends) else None

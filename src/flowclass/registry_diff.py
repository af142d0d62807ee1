"""What changed between two registries: entries, and addresses to the last one."""

from __future__ import annotations

import ipaddress
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from flowclass.registries.entry import RegistryEntry
from flowclass.registry import Registry

Spans = list[tuple[int, int]]
_WIDTHS = {4: 32, 6: 128}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedEntry:
    """An entry whose registration and prefix are in both registries, with something else different.

    Parameters
    ----------
    old, new : RegistryEntry
        As it was and as it is.
    """

    old: RegistryEntry
    new: RegistryEntry

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of what is different."""
        return tuple(name for name in RegistryEntry.__slots__ if getattr(self.old, name) != getattr(self.new, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceChange:
    """Addresses of one IP version that one registry has and the other has not.

    Parameters
    ----------
    version : int
        4 or 6.
    gained, lost : tuple of str
        The fewest prefixes that hold exactly these addresses, in order.
    addresses_gained, addresses_lost : int
        How many addresses.
    """

    version: int
    gained: tuple[str, ...]
    lost: tuple[str, ...]
    addresses_gained: int
    addresses_lost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryDiff:
    """What the second of two registries gained, lost and changed.

    Parameters
    ----------
    gained, lost : tuple of RegistryEntry
        Entries of one registry alone, by prefix and registration.
    changed : tuple of ChangedEntry
        Entries of both that differ.
    listed : tuple of SpaceChange
        Addresses of any entry, for IPv4 and IPv6.
    approved : tuple of SpaceChange
        Addresses of approved entries, whatever their dates.
    scope_gained, scope_lost : tuple of str
        The operator's own prefixes.
    """

    gained: tuple[RegistryEntry, ...]
    lost: tuple[RegistryEntry, ...]
    changed: tuple[ChangedEntry, ...]
    listed: tuple[SpaceChange, ...]
    approved: tuple[SpaceChange, ...]
    scope_gained: tuple[str, ...]
    scope_lost: tuple[str, ...]


def compare(old: Registry, new: Registry) -> RegistryDiff:
    """Say what changed between two registries.

    Parameters
    ----------
    old, new : Registry
        The first and the second.

    Returns
    -------
    RegistryDiff
        Empty in all its parts where the two hold the same.
    """
    before, after = Counter(old.entries), Counter(new.entries)
    removed, added = _by_key((before - after).elements()), _by_key((after - before).elements())
    changed: list[ChangedEntry] = []
    for key in removed.keys() & added.keys():
        pairs = list(zip(removed[key], added[key], strict=False))
        changed += [ChangedEntry(old=was, new=now) for was, now in pairs]
        del removed[key][: len(pairs)], added[key][: len(pairs)]
    return RegistryDiff(
        gained=_sorted(added),
        lost=_sorted(removed),
        changed=tuple(sorted(changed, key=lambda change: (_place(change.old), _place(change.new)))),
        listed=_space(old.entries, new.entries),
        approved=_space(_approved(old), _approved(new)),
        scope_gained=tuple(sorted(set(new.scope) - set(old.scope))),
        scope_lost=tuple(sorted(set(old.scope) - set(new.scope))),
    )


def _place(entry: RegistryEntry) -> tuple[object, ...]:
    network = ipaddress.ip_network(entry.prefix)
    times = (entry.valid_from, entry.valid_until, entry.submitted_at, entry.approved_at)
    known = tuple((time is not None, time or 0) for time in times)
    what = (entry.registration_id, known, entry.status, entry.category, entry.protocols)
    return (network.version, int(network.network_address), network.prefixlen, *what)


def _by_key(entries: Iterable[RegistryEntry]) -> dict[tuple[str, str], list[RegistryEntry]]:
    found: dict[tuple[str, str], list[RegistryEntry]] = defaultdict(list)
    for entry in entries:
        found[entry.registration_id, entry.prefix].append(entry)
    for same in found.values():
        same.sort(key=_place)
    return found


def _sorted(entries: dict[tuple[str, str], list[RegistryEntry]]) -> tuple[RegistryEntry, ...]:
    return tuple(sorted((entry for same in entries.values() for entry in same), key=_place))


def _approved(registry: Registry) -> list[RegistryEntry]:
    return [entry for entry in registry.entries if entry.status == "approved"]


def _space(old: Iterable[RegistryEntry], new: Iterable[RegistryEntry]) -> tuple[SpaceChange, ...]:
    before, after = _spans(old), _spans(new)
    return tuple(_space_of(version, before[version], after[version]) for version in _WIDTHS)


def _space_of(version: int, old: Spans, new: Spans) -> SpaceChange:
    gained, lost = list(_without(new, old)), list(_without(old, new))
    return SpaceChange(
        version=version,
        gained=tuple(_prefixes(version, gained)),
        lost=tuple(_prefixes(version, lost)),
        addresses_gained=sum(last - first + 1 for first, last in gained),
        addresses_lost=sum(last - first + 1 for first, last in lost),
    )


def _spans(entries: Iterable[RegistryEntry]) -> dict[int, Spans]:
    """Give the addresses of the entries as spans that neither overlap nor touch, in order."""
    raw: dict[int, Spans] = {4: [], 6: []}
    for prefix in {entry.prefix for entry in entries}:
        network = ipaddress.ip_network(prefix)
        first = int(network.network_address)
        raw[network.version].append((first, first + (1 << (_WIDTHS[network.version] - network.prefixlen)) - 1))
    merged: dict[int, Spans] = {4: [], 6: []}
    for version, spans in raw.items():
        done = merged[version]
        for first, last in sorted(spans):
            if done and first <= done[-1][1] + 1:
                done[-1] = (done[-1][0], max(done[-1][1], last))
            else:
                done.append((first, last))
    return merged


def _without(spans: Spans, taken: Spans) -> Iterator[tuple[int, int]]:
    """Give what is in `spans` and not in `taken`, both as `_spans` gives them."""
    next_taken = 0
    for first, last in spans:
        while next_taken < len(taken) and taken[next_taken][1] < first:
            next_taken += 1
        free, index = first, next_taken
        while index < len(taken) and taken[index][0] <= last:
            if taken[index][0] > free:
                yield free, taken[index][0] - 1
            free = taken[index][1] + 1
            index += 1
        if free <= last:
            yield free, last


def _prefixes(version: int, spans: Spans) -> Iterator[str]:
    kind = ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address
    for first, last in spans:
        yield from (str(network) for network in ipaddress.summarize_address_range(kind(first), kind(last)))

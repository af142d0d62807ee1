"""One prefix of one registration as the registry holds it: from rows, to the native core and back."""

from __future__ import annotations

import hashlib
import ipaddress
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from flowclass import _core
from flowclass.errors import RegistryError
from flowclass.registries.row import RegistryRow, parse_prefixes


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryEntry:
    """One prefix of one registration.

    Parameters
    ----------
    registration_id, category, status, prefix : str
        As registered; prefix as ``address/length``.
    protocols : tuple of str
        Permitted protocol ids; empty = all.
    valid_from, valid_until, submitted_at, approved_at : int or None
        ns UTC; from inclusive, until exclusive, None = open or not known.
    """

    registration_id: str
    category: str
    status: str
    prefix: str
    protocols: tuple[str, ...]
    valid_from: int | None
    valid_until: int | None
    submitted_at: int | None
    approved_at: int | None


def entries_of(rows: Iterable[RegistryRow]) -> tuple[RegistryEntry, ...]:
    """Give an entry for each prefix of each row."""
    return tuple(
        RegistryEntry(
            registration_id=row.registration_id,
            category=row.category,
            status=row.status,
            prefix=str(prefix),
            protocols=row.protocols,
            valid_from=row.valid_from,
            valid_until=row.valid_until,
            submitted_at=row.submitted_at,
            approved_at=row.approved_at,
        )
        for row in rows
        for prefix in row.prefixes
    )


def entry_at(native: _core.Registry, index: int) -> RegistryEntry:
    """Give an entry of a native registry, in the words of `entries_of`."""
    registration_id, category, status, prefix, protocols, *times = native.entry(index)
    missing = (_core.OPEN_START, _core.OPEN_END, _core.NOT_KNOWN, _core.NOT_KNOWN)
    valid_from, valid_until, submitted_at, approved_at = (
        None if time == none else time for time, none in zip(times, missing, strict=True)
    )
    return RegistryEntry(
        registration_id=registration_id,
        category=category,
        status=status,
        prefix=usual(prefix),
        protocols=tuple(protocols),
        valid_from=valid_from,
        valid_until=valid_until,
        submitted_at=submitted_at,
        approved_at=approved_at,
    )


def usual(prefix: str) -> str:
    """Write an IPv4-mapped prefix as ``ipaddress`` does; the native core writes its end in dotted form."""
    return str(ipaddress.ip_network(prefix)) if prefix.startswith("::") else prefix


def scope_prefixes(scope: Iterable[str]) -> list[str]:
    """Read the operator's own prefixes: each once, in a fixed order.

    Raises
    ------
    RegistryError
        Where one is no address, prefix or range.
    """
    prefixes: set[str] = set()
    for text in scope:
        try:
            prefixes.update(str(prefix) for prefix in parse_prefixes(text.strip()))
        except ValueError as problem:
            raise RegistryError(f"scope {text!r}: {problem}") from None
    return sorted(prefixes)


def version_of(entries: Sequence[RegistryEntry], scope: Sequence[str]) -> str:
    """Give the SHA-256, in hex, of the content in a fixed order."""
    encode = json.JSONEncoder(separators=(",", ":")).encode
    lines = sorted(
        encode(
            [
                entry.registration_id,
                entry.category,
                entry.status,
                entry.prefix,
                entry.protocols,
                entry.valid_from,
                entry.valid_until,
                entry.submitted_at,
                entry.approved_at,
            ]
        )
        for entry in entries
    )
    return hashlib.sha256("\n".join(["registry 1", *lines, json.dumps(scope)]).encode()).hexdigest()


def build_native(entries: Sequence[RegistryEntry], scope: Sequence[str]) -> _core.Registry:
    """Build the native registry.

    Raises
    ------
    RegistryError
        Where the entries cannot be indexed.
    """

    def times(values: Iterable[int | None], missing: int) -> list[int]:
        return [missing if value is None else value for value in values]

    try:
        return _core.Registry.build(
            registration_id=[entry.registration_id for entry in entries],
            category=[entry.category for entry in entries],
            status=[entry.status for entry in entries],
            prefix=[entry.prefix for entry in entries],
            protocols=[list(entry.protocols) for entry in entries],
            valid_from=times((entry.valid_from for entry in entries), _core.OPEN_START),
            valid_until=times((entry.valid_until for entry in entries), _core.OPEN_END),
            submitted_at=times((entry.submitted_at for entry in entries), _core.NOT_KNOWN),
            approved_at=times((entry.approved_at for entry in entries), _core.NOT_KNOWN),
            scope=list(scope),
        )
    except ValueError as problem:
        raise RegistryError(f"the registry cannot be built: {problem}") from None

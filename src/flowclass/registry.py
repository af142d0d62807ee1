"""The registry of VPN registrations: loaded from the registrar's list, judged by the native core."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from flowclass import _core
from flowclass.errors import ConfigError, RegistryError, RowProblem
from flowclass.registries.kinds import Limits
from flowclass.registries.row import Address, Network, RegistryRow, parse_prefixes
from flowclass.registries.source import read_source, without_collection
from flowclass.registries.timestamps import datetime_to_ns, parse_timestamp

Instant = int | str | datetime


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


@dataclass(frozen=True, slots=True, kw_only=True)
class CoveringEntry:
    """An entry that covers an address, and what it says by itself.

    Parameters
    ----------
    entry : RegistryEntry
        The entry.
    match : str
        ``registered`` where it applies, else why not: the values of the ``registry_match`` column.
    decided : bool
        Whether it is the entry that decided.
    """

    entry: RegistryEntry
    match: str
    decided: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """What the registry says of one address at one time.

    Parameters
    ----------
    address : str
        The address, in its usual text.
    at : int
        The instant, ns UTC.
    match : str
        A value of the ``registry_match`` column.
    registration_id, matched_prefix : str or None
        The entry that decided; None where no entry covers the address.
    in_scope : bool
        Whether the address lies in the operator's own prefixes; True without a scope.
    covering : tuple of CoveringEntry
        Every entry that covers the address, longest prefix first.
    """

    address: str
    at: int
    match: str
    registration_id: str | None
    matched_prefix: str | None
    in_scope: bool
    covering: tuple[CoveringEntry, ...]


class Registry:
    """An immutable registry.

    Parameters
    ----------
    rows : sequence of RegistryRow
        The registrations.
    scope : iterable of str
        The operator's own prefixes; empty = every flow is in scope.
    problems : sequence of RowProblem
        Warnings of the source, kept for who wants to show them.

    Raises
    ------
    RegistryError
        Where the scope cannot be read or the rows cannot be indexed.

    Examples
    --------
    >>> from flowclass.registries.row import RegistryRow, parse_prefixes
    >>> row = RegistryRow(line=2, registration_id="ORG-1", category="organization", status="approved",
    ...                   prefixes=parse_prefixes("192.0.2.0/24"))
    >>> Registry([row]).lookup(["192.0.2.7"], at="2024-11-20")[0].match
    'registered'
    """

    __slots__ = ("_entries", "_native", "_version", "_warnings")

    def __init__(
        self, rows: Sequence[RegistryRow], *, scope: Iterable[str] = (), problems: Sequence[RowProblem] = ()
    ) -> None:
        self._entries = tuple(_entry(row, prefix) for row in rows for prefix in row.prefixes)
        own = _scope_prefixes(scope)
        self._warnings = tuple(problem for problem in problems if problem.severity == "warning")
        self._version = _version(self._entries, own)
        try:
            self._native = _build(self._entries, own)
        except ValueError as problem:
            raise RegistryError(f"the registry cannot be built: {problem}") from None

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        scope: Iterable[str] = (),
        known_protocols: Collection[str] | None = None,
        limits: Limits | None = None,
    ) -> Registry:
        """Read a registry from a file; the format follows from the content, else from the name's ending.

        Parameters
        ----------
        path : path
            The file: CSV, JSON lines, Parquet or SQLite.
        scope : iterable of str
            The operator's own prefixes; empty = every flow is in scope.
        known_protocols : collection of str, optional
            Protocol ids a row may name without a warning; the core's own by default.
        limits : Limits, optional
            How wide a prefix may be without a warning.

        Returns
        -------
        Registry
            With every row of the file.

        Raises
        ------
        RegistryError
            Where any row has an error, with the problems of all rows; where the file changes while it is read.
        """
        source = Path(path)
        known = frozenset(_core.known_protocols() if known_protocols is None else known_protocols)
        with without_collection():
            rows, problems, _ = read_source(source, known_protocols=known, limits=limits)
            errors = sum(problem.severity == "error" for problem in problems)
            if errors:
                some = "1 error" if errors == 1 else f"{errors} errors"
                raise RegistryError(
                    f"{source}: the registry is refused for {some}; correct these and load it again", problems
                )
            return cls(rows, scope=scope, problems=problems)

    @property
    def native(self) -> _core.Registry:
        """The native registry, for the engine."""
        return self._native

    @property
    def version(self) -> str:
        """SHA-256, in hex, of the entries and the scope in a fixed order: equal content, equal version."""
        return self._version

    @property
    def warnings(self) -> tuple[RowProblem, ...]:
        """What the source holds that is odd but usable."""
        return self._warnings

    @property
    def entries(self) -> tuple[RegistryEntry, ...]:
        """All entries; the native core's entry indexes point here."""
        return self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"Registry({len(self)} entries, version {self._version[:12]})"

    def lookup(
        self, addresses: Iterable[str | Address], *, at: Instant | None = None, protocol: str = ""
    ) -> tuple[Lookup, ...]:
        """Say of each address whether it is registered, with every covering entry.

        Parameters
        ----------
        addresses : iterable of str or IPv4Address or IPv6Address
            The addresses.
        at : int, str or datetime, optional
            The instant: ns UTC, ISO 8601, or a datetime (without an offset: UTC). Now by default.
        protocol : str
            A protocol id to judge permitted protocols by; empty = they are not asked.

        Returns
        -------
        tuple of Lookup
            In the order of the addresses.

        Raises
        ------
        ConfigError
            Where an address or the instant cannot be read.
        """
        moment = time.time_ns() if at is None else _instant(at)
        return tuple(self._look_up(address, moment, protocol) for address in addresses)

    def _look_up(self, address: str | Address, moment: int, protocol: str) -> Lookup:
        try:
            text = str(ipaddress.ip_address(address))
            match, deciding = self._native.match_address(text, moment, protocol)
        except ValueError:
            raise ConfigError(f"{address!r} is not an IPv4 or IPv6 address; give one such as 192.0.2.7") from None
        covering = tuple(
            CoveringEntry(
                entry=self._entries[index],
                match=self._native.judge_entry(index, moment, protocol),
                decided=index == deciding,
            )
            for index in self._native.covering(text)
        )
        found = None if deciding is None else self._entries[deciding]
        return Lookup(
            address=text,
            at=moment,
            match=match,
            registration_id=None if found is None else found.registration_id,
            matched_prefix=None if found is None else found.prefix,
            in_scope=self._native.in_scope(text),
            covering=covering,
        )


def _entry(row: RegistryRow, prefix: Network) -> RegistryEntry:
    return RegistryEntry(
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


def _scope_prefixes(scope: Iterable[str]) -> list[str]:
    prefixes: set[str] = set()
    for text in scope:
        try:
            prefixes.update(str(prefix) for prefix in parse_prefixes(text.strip()))
        except ValueError as problem:
            raise RegistryError(f"scope {text!r}: {problem}") from None
    return sorted(prefixes)


def _version(entries: Sequence[RegistryEntry], scope: Sequence[str]) -> str:
    lines = sorted(
        json.dumps(
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
            ],
            separators=(",", ":"),
        )
        for entry in entries
    )
    return hashlib.sha256("\n".join(["registry 1", *lines, json.dumps(scope)]).encode()).hexdigest()


def _build(entries: Sequence[RegistryEntry], scope: Sequence[str]) -> _core.Registry:
    def times(values: Iterable[int | None], missing: int) -> list[int]:
        return [missing if value is None else value for value in values]

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


def _instant(at: Instant) -> int:
    try:
        if isinstance(at, str):
            return parse_timestamp(at)
        return datetime_to_ns(at) if isinstance(at, datetime) else int(at)
    except ValueError as problem:
        raise ConfigError(f"at = {at!r} is not an instant: {problem}") from None

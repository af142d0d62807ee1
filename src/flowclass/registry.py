"""The registry of VPN registrations: loaded from the registrar's list, judged by the native core.

The file is longer than others because two thirds of it document one public class.
"""

from __future__ import annotations

import ipaddress
import os
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flowclass import _core
from flowclass.errors import ConfigError, RegistryError, RowProblem
from flowclass.registries.columns import read_columns
from flowclass.registries.entry import (
    RegistryEntry,
    build_native,
    entries_of,
    entry_at,
    scope_prefixes,
    usual,
    version_of,
)
from flowclass.registries.kinds import Limits
from flowclass.registries.row import Address, RegistryRow
from flowclass.registries.source import read_source, without_collection
from flowclass.registries.timestamps import datetime_to_ns, parse_timestamp
from flowclass.snapshot import SnapshotFacts, SnapshotSource, is_snapshot, open_snapshot, write_snapshot

__all__ = ("CoveringEntry", "Lookup", "Registry", "RegistryEntry")

Instant = int | str | datetime


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

    __slots__ = ("_entries", "_native", "_snapshot", "_version", "_warnings")

    def __init__(
        self, rows: Sequence[RegistryRow], *, scope: Iterable[str] = (), problems: Sequence[RowProblem] = ()
    ) -> None:
        self._fill(entries_of(rows), scope, problems)

    @classmethod
    def of_entries(
        cls, entries: Iterable[RegistryEntry], *, scope: Iterable[str] = (), problems: Sequence[RowProblem] = ()
    ) -> Registry:
        """Make a registry of entries, such as those of other registries.

        Parameters
        ----------
        entries : iterable of RegistryEntry
            The entries.
        scope, problems
            As for the class.

        Returns
        -------
        Registry
            With these entries.

        Raises
        ------
        RegistryError
            Where the scope cannot be read or the entries cannot be indexed.
        """
        made = cls.__new__(cls)
        made._fill(tuple(entries), scope, problems)
        return made

    def _fill(self, entries: tuple[RegistryEntry, ...], scope: Iterable[str], problems: Sequence[RowProblem]) -> None:
        own = scope_prefixes(scope)
        self._entries: tuple[RegistryEntry, ...] | None = entries
        self._warnings = tuple(problem for problem in problems if problem.severity == "warning")
        self._version = version_of(entries, own)
        self._native = build_native(entries, own)
        self._snapshot: SnapshotFacts | None = None

    @classmethod
    def _mapped(cls, path: Path, scope: Iterable[str]) -> Registry:
        if tuple(scope):
            raise RegistryError(f"{path}: a snapshot has its own scope; build it again with the one that is wanted")
        made = cls.__new__(cls)
        made._native, made._snapshot = open_snapshot(path)
        made._entries, made._warnings, made._version = None, (), made._snapshot.version
        return made

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        scope: Iterable[str] = (),
        known_protocols: Collection[str] | None = None,
        limits: Limits | None = None,
    ) -> Registry:
        r"""Read a registry from a file; the format follows from the content, else from the name's ending.

        Parameters
        ----------
        path : path
            The file: CSV, JSON lines, Parquet or SQLite, or a snapshot (``.fcr``), which is mapped and verified.
        scope : iterable of str
            The operator's own prefixes; empty = every flow is in scope. A snapshot has its own.
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
            Where any row has an error, with the problems of all rows; where the file changes while it is read;
            where a snapshot does not hold.

        Examples
        --------
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "list.csv"
        ...     _ = path.write_text("registration_id,category,status,prefix\nA-1,organization,approved,192.0.2.0/24\n")
        ...     registry = Registry.load(path)
        ...     registry.save(path.with_suffix(".fcr"), built_at="2024-11-20")
        ...     mapped = Registry.load(path.with_suffix(".fcr"))
        >>> mapped.version == registry.version, [entry.prefix for entry in mapped.entries]
        (True, ['192.0.2.0/24'])
        """
        source = Path(path)
        if is_snapshot(source):
            return cls._mapped(source, scope)
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
        """All entries; the native core's entry indexes point here. Of a snapshot they are made when first asked for."""
        if self._entries is None:
            self._entries = tuple(entry_at(self._native, index) for index in range(len(self)))
        return self._entries

    @property
    def scope(self) -> tuple[str, ...]:
        """The operator's own prefixes; empty = every flow is in scope."""
        return tuple(usual(prefix) for prefix in self._native.scope)

    @property
    def snapshot(self) -> SnapshotFacts | None:
        """What the snapshot says of itself that the registry lies in; None where it lies in none."""
        return self._snapshot

    def save(self, path: str | os.PathLike[str], *, built_at: Instant, sources: Sequence[SnapshotSource] = ()) -> None:
        """Write the registry as a snapshot, complete or not at all.

        Parameters
        ----------
        path : path
            The file.
        built_at : int, str or datetime
            The time of building to write into it: ns UTC, ISO 8601, or a datetime.
        sources : sequence of SnapshotSource
            What the registry was built from.

        Raises
        ------
        OutputError
            When it cannot be written.
        """
        moment = _instant(built_at)
        write_snapshot(Path(path), self._native, version=self._version, built_at=moment, sources=sources)

    def __len__(self) -> int:
        return len(self._native)

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

        Examples
        --------
        >>> from flowclass.registries.row import RegistryRow, parse_prefixes
        >>> old = RegistryRow(line=2, registration_id="FRL-1", category="freelancer", status="approved",
        ...                   prefixes=parse_prefixes("192.0.2.7"), valid_until=parse_timestamp("2024-01-01"))
        >>> new = RegistryRow(line=3, registration_id="ORG-1", category="organization", status="approved",
        ...                   prefixes=parse_prefixes("192.0.2.0/24"))
        >>> (found,) = Registry([old, new]).lookup(["192.0.2.7"], at="2024-11-20")
        >>> found.match, found.registration_id, [(one.entry.prefix, one.match) for one in found.covering]
        ('registered', 'ORG-1', [('192.0.2.7/32', 'expired'), ('192.0.2.0/24', 'registered')])
        """
        moment = time.time_ns() if at is None else _instant(at)
        return tuple(self._look_up(address, moment, protocol) for address in addresses)

    def find(self, addresses: Any) -> NDArray[np.uint32]:
        """Find the covering set of each address of a column, in bulk and without the interpreter's lock.

        Parameters
        ----------
        addresses : ndarray, pyarrow.Array or pyarrow.ChunkedArray
            ``uint32`` (IPv4, host order), or ``(n, 16) uint8`` or ``fixed_size_binary[16]`` (IPv6, network order).
            Looked at where they lie; an ndarray that is not contiguous is copied.

        Returns
        -------
        ndarray of uint32
            A set id for each address, for `covering`; 0 where no entry covers it, and for null.

        Raises
        ------
        ConfigError
            Where the column is anything else.

        Examples
        --------
        >>> from flowclass.registries.row import RegistryRow, parse_prefixes
        >>> row = RegistryRow(line=2, registration_id="ORG-1", category="organization", status="approved",
        ...                   prefixes=parse_prefixes("192.0.2.0/24"))
        >>> registry = Registry([row])
        >>> sets = registry.find(np.array([0xC0000207, 0x01010101], dtype=np.uint32))
        >>> [[entry.prefix for entry in registry.covering(one)] for one in sets]
        [['192.0.2.0/24'], []]
        """
        found = []
        for column in read_columns(addresses):
            find = self._native.find_v4 if column.version == 4 else self._native.find_v6
            sets = find(column.values)
            if column.missing is not None:
                sets[column.missing] = 0
            found.append(sets)
        return found[0] if len(found) == 1 else np.concatenate(found)

    def covering(self, set_id: int | np.integer[Any]) -> tuple[RegistryEntry, ...]:
        """Give the entries of a covering set, longest prefix first.

        Parameters
        ----------
        set_id : int
            From `find`.

        Returns
        -------
        tuple of RegistryEntry
            Every entry whose prefix covers the addresses that gave this id; none for 0.
        """
        return tuple(self._entry(index) for index in self._native.entries(int(set_id)))

    def _entry(self, index: int) -> RegistryEntry:
        return entry_at(self._native, index) if self._entries is None else self._entries[index]

    def _look_up(self, address: str | Address, moment: int, protocol: str) -> Lookup:
        try:
            text = str(ipaddress.ip_address(address))
            match, deciding = self._native.match_address(text, moment, protocol)
        except ValueError:
            raise ConfigError(f"{address!r} is not an IPv4 or IPv6 address; give one such as 192.0.2.7") from None
        covering = tuple(
            CoveringEntry(
                entry=self._entry(index),
                match=self._native.judge_entry(index, moment, protocol),
                decided=index == deciding,
            )
            for index in self._native.covering(text)
        )
        found = None if deciding is None else self._entry(deciding)
        return Lookup(
            address=text,
            at=moment,
            match=match,
            registration_id=None if found is None else found.registration_id,
            matched_prefix=None if found is None else found.prefix,
            in_scope=self._native.in_scope(text),
            covering=covering,
        )


def _instant(at: Instant) -> int:
    try:
        if isinstance(at, str):
            return parse_timestamp(at)
        return datetime_to_ns(at) if isinstance(at, datetime) else int(at)
    except ValueError as problem:
        raise ConfigError(f"at = {at!r} is not an instant: {problem}") from None

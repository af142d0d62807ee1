"""One registration row as every format gives it, and the checks that every format shares."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from flowclass.errors import RowProblem
from flowclass.registries.timestamps import parse_timestamp

COLUMNS = (
    "registration_id",
    "category",
    "status",
    "prefix",
    "protocols",
    "valid_from",
    "valid_until",
    "submitted_at",
    "approved_at",
    "note_ref",
)
REQUIRED_COLUMNS = ("registration_id", "category", "status", "prefix")
STATUSES = ("pending", "approved", "rejected", "suspended", "revoked")
CATEGORIES = ("organization", "freelancer")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Value = TypeVar("Value")

_CATEGORY = re.compile(rf"({'|'.join(CATEGORIES)})(?:\s*[:/]\s*(\S.*))?", re.ASCII)
_PROTOCOL = re.compile(r"[a-z0-9][a-z0-9_.-]*", re.ASCII)
_LENGTH = re.compile(r"0|[1-9]\d{0,2}", re.ASCII)
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
_MAX_ID_LENGTH = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryRow:
    """A registration row that holds.

    Parameters
    ----------
    line : int
        Where it stands in its source, from 1.
    registration_id, category, status : str
        As in the source; status is one of `STATUSES`.
    prefixes : tuple of IPv4Network or IPv6Network
        One for an address or prefix, several for a range.
    protocols : tuple of str
        Permitted protocol ids, sorted; empty = all.
    valid_from, valid_until, submitted_at, approved_at : int or None
        ns UTC; from inclusive, until exclusive, None = open or not known.
    note_ref : str
        The registrar's own file; it never leaves this row.
    """

    line: int
    registration_id: str
    category: str
    status: str
    prefixes: tuple[Network, ...]
    protocols: tuple[str, ...] = ()
    valid_from: int | None = None
    valid_until: int | None = None
    submitted_at: int | None = None
    approved_at: int | None = None
    note_ref: str = field(default="", repr=False)


def parse_prefixes(text: str) -> tuple[Network, ...]:
    """Read an address, a prefix, or a range ``a-b`` split into the fewest prefixes.

    Parameters
    ----------
    text : str
        ``192.0.2.1``, ``192.0.2.0/24``, ``2001:db8::/32``, ``192.0.2.10-192.0.2.20``.

    Returns
    -------
    tuple of IPv4Network or IPv6Network
        In address order.

    Raises
    ------
    ValueError
        With the reason.

    Examples
    --------
    >>> [str(prefix) for prefix in parse_prefixes("192.0.2.1-192.0.2.3")]
    ['192.0.2.1/32', '192.0.2.2/31']
    """
    if "-" in text:
        first, last = (_address(part.strip()) for part in text.split("-", 1))
        return _range(first, last)
    address_text, slash, length = text.partition("/")
    address = _address(address_text)
    if not slash:
        return (ipaddress.ip_network(address),)
    if not _LENGTH.fullmatch(length) or int(length) > address.max_prefixlen:
        raise ValueError(f"the prefix length {length!r} is not a number from 0 to {address.max_prefixlen}")
    network = ipaddress.ip_network((address, int(length)), strict=False)
    if network.network_address != address:
        raise ValueError(f"host bits are set; the network is {network}, the single address {address}")
    return (network,)


def _address(text: str) -> Address:
    if "%" in text:
        raise ValueError(f"{text!r} has a zone; write the address alone")
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an IPv4 or IPv6 address") from None


def _range(first: Address, last: Address) -> tuple[Network, ...]:
    if first.version != last.version:
        raise ValueError("the ends of the range are of different IP versions")
    if int(first) > int(last):
        raise ValueError(f"the range is reversed; write {last}-{first}")
    return tuple(ipaddress.summarize_address_range(first, last))


class RowChecker:
    """Turns rows of texts into `RegistryRow`, noting every problem.

    Parameters
    ----------
    file : str
        Name of the source, for the problems.
    known_protocols : collection of str
        Ids that fingerprints have; others are warned of. Empty = not checked.
    """

    def __init__(self, file: str, known_protocols: Collection[str]) -> None:
        self._file = file
        self._known = known_protocols
        self._line = 0
        self._failed = False
        self._seen: dict[tuple[str, Network, int | None, int | None], int] = {}
        self.problems: list[RowProblem] = []

    def problem(self, line: int, column: str, value: str, reason: str) -> None:
        """Note an error."""
        self.problems.append(RowProblem(file=self._file, line=line, column=column, value=value, reason=reason))
        self._failed = True

    def _warn(self, column: str, value: str, reason: str) -> None:
        self.problems.append(
            RowProblem(file=self._file, line=self._line, column=column, value=value, reason=reason, severity="warning")
        )

    def check(self, line: int, texts: Mapping[str, str]) -> RegistryRow | None:
        """Read one row.

        Parameters
        ----------
        line : int
            Where it stands, from 1.
        texts : mapping of str to str
            Column name to text; missing and empty are the same.

        Returns
        -------
        RegistryRow or None
            None where the row has an error.
        """
        self._line, self._failed = line, False
        texts = {column: texts.get(column, "").strip() for column in COLUMNS}
        row = RegistryRow(
            line=line,
            registration_id=self._read("registration_id", texts, _registration_id, ""),
            category=self._read("category", texts, _category, ""),
            status=self._read("status", texts, _status, ""),
            prefixes=self._read("prefix", texts, parse_prefixes, ()),
            protocols=self._protocols(texts["protocols"]),
            valid_from=self._read("valid_from", texts, _optional_time, None),
            valid_until=self._read("valid_until", texts, _optional_time, None),
            submitted_at=self._read("submitted_at", texts, _optional_time, None),
            approved_at=self._read("approved_at", texts, _optional_time, None),
            note_ref=texts["note_ref"],
        )
        self._check_dates(row, texts)
        if not self._failed:
            self._check_prefixes(row, texts["prefix"])
        return None if self._failed else row

    def _read(self, column: str, texts: Mapping[str, str], read: Callable[[str], Value], missing: Value) -> Value:
        try:
            return read(texts[column])
        except ValueError as problem:
            self.problem(self._line, column, texts[column], str(problem))
            return missing

    def _protocols(self, text: str) -> tuple[str, ...]:
        names = sorted({name.lower() for name in re.split(r"[;\s]+", text) if name})
        for name in names:
            if not _PROTOCOL.fullmatch(name):
                self.problem(
                    self._line, "protocols", text, f"{name!r} is no protocol id; separate ids by ';' or spaces"
                )
            elif self._known and name not in self._known:
                self._warn("protocols", text, f"no fingerprint is called {name!r}{nearest(name, self._known)}")
        return tuple(names)

    def _check_dates(self, row: RegistryRow, texts: Mapping[str, str]) -> None:
        for first, last in (("valid_from", "valid_until"), ("submitted_at", "approved_at")):
            start, end = getattr(row, first), getattr(row, last)
            if start is not None and end is not None and (start > end or (first == "valid_from" and start == end)):
                self.problem(self._line, last, texts[last], f"{last} is not after {first} ({texts[first]})")
        if row.status == "pending" and not texts["submitted_at"]:
            self._warn("submitted_at", "", "a pending registration without it has no pending window")

    def _check_prefixes(self, row: RegistryRow, text: str) -> None:
        for prefix in row.prefixes:
            key = (row.registration_id, prefix, row.valid_from, row.valid_until)
            first = self._seen.setdefault(key, self._line)
            if first != self._line:
                self.problem(
                    self._line, "prefix", text, f"{prefix} is a duplicate: same registration and dates in line {first}"
                )
                return
        if any(isinstance(prefix, ipaddress.IPv6Network) and prefix.subnet_of(_MAPPED) for prefix in row.prefixes):
            self._warn("prefix", text, "IPv4-mapped: it matches no IPv4 packet; write the IPv4 form for those")


def nearest(name: str, known: Collection[str]) -> str:
    """Half a sentence naming the nearest known name, or nothing."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; the nearest known one is {near[0]!r}" if near else ""


def _registration_id(text: str) -> str:
    if not text:
        raise ValueError("it is missing")
    if len(text) > _MAX_ID_LENGTH or not text.isprintable():
        raise ValueError(f"it has more than {_MAX_ID_LENGTH} characters or some that cannot be printed")
    return text


def _category(text: str) -> str:
    found = _CATEGORY.fullmatch(text)
    if found is None or not text.isprintable():
        raise ValueError("it is 'organization' or 'freelancer', with ': sub-sector' behind it if wanted")
    return f"{found[1]}: {found[2]}" if found[2] else found[1]


def _status(text: str) -> str:
    if text not in STATUSES:
        raise ValueError(f"it is one of {', '.join(STATUSES)}{nearest(text.lower(), STATUSES)}")
    return text


def _optional_time(text: str) -> int | None:
    return parse_timestamp(text) if text else None

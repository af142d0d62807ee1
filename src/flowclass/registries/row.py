"""One registration row as every format gives it, and the checks that every format shares."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from flowclass.errors import RegistryError, RowProblem
from flowclass.registries.kinds import (
    MOST_FIELD,
    MOST_PREFIXES,
    MOST_PROBLEMS,
    MOST_ROWS,
    Defect,
    Limits,
    Nanoseconds,
    shown,
)
from flowclass.registries.overlap import Claim, overlaps
from flowclass.registries.prefixes import Address, Network, parse_prefixes
from flowclass.registries.special import reserved
from flowclass.registries.timestamps import format_timestamp, in_range, parse_timestamp

__all__ = (
    "COLUMNS", "REQUIRED_COLUMNS", "STATUSES", "Address", "Network", "RegistryRow", "RowChecker", "nearest",
    "parse_prefixes",
)  # fmt: skip

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
TEXTS = ("registration_id", "category", "status", "note_ref")
LISTS = ("prefix", "protocols")
TIMES = ("valid_from", "valid_until", "submitted_at", "approved_at")

Cell = str | Nanoseconds | tuple[str, ...]
Value = TypeVar("Value")

_CATEGORY = re.compile(rf"({'|'.join(CATEGORIES)})(?:\s*[:/]\s*(\S.*))?", re.ASCII)
_PROTOCOL = re.compile(r"[a-z0-9][a-z0-9_.-]*", re.ASCII)
_MAPPED_FIRST, _MAPPED_LAST = 0xFFFF << 32, (0x10000 << 32) - 1  # ::ffff:0:0/96
_MAX_ID_LENGTH = 128
_MOST_SUGGESTIONS = 1_000
_REPEATED = ("category", "status", "protocols", *TIMES)  # columns whose good values come again and again
_MOST_MEMO = 65_536
_NO_CLAIM = frozenset({"rejected", "revoked"})


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


class RowChecker:
    """Turns rows of values into `RegistryRow`, noting every problem.

    Parameters
    ----------
    file : str
        Name of the source, for the problems.
    known_protocols : collection of str
        Ids that fingerprints have; others are warned of. Empty = not checked.
    limits : Limits
        How wide a prefix may be without a warning.
    """

    def __init__(self, file: str, known_protocols: Collection[str] = (), limits: Limits | None = None) -> None:
        self.file = file
        self._known = known_protocols
        self._widest = limits or Limits()
        self._line = 0
        self._failed = False
        self._rows = 0
        self._prefixes = 0
        self._memo: dict[str, dict[str, Any]] = {column: {} for column in _REPEATED}
        self._suggestions: dict[str, str] = {}
        self._seen: dict[tuple[str, Network, int | None, int | None], int] = {}
        self._claims: list[Claim] = []
        self.problems: list[RowProblem] = []

    def problem(self, line: int, column: str, value: object, reason: str, kind: str) -> None:
        """Note an error.

        Raises
        ------
        RegistryError
            Where there are so many that nobody will read them.
        """
        self._add(RowProblem(file=self.file, line=line, column=column, value=shown(value), reason=reason, kind=kind))
        self._failed = True

    def _warn(self, column: str, value: object, reason: str, kind: str) -> None:
        self._add(
            RowProblem(
                file=self.file,
                line=self._line,
                column=column,
                value=shown(value),
                reason=reason,
                severity="warning",
                kind=kind,
            )
        )

    def _add(self, problem: RowProblem) -> None:
        if len(self.problems) >= MOST_PROBLEMS:
            reason = f"more than {MOST_PROBLEMS:,} problems: the rows from here on are not read"
            raise self.refusal(problem.line, reason)
        self.problems.append(problem)

    def refusal(self, line: int, reason: str, kind: str = "too_many") -> RegistryError:
        """Give the error that ends reading, with all problems until then."""
        last = RowProblem(file=self.file, line=line, column="", value="", reason=reason, kind=kind)
        return RegistryError(f"{self.file}: {reason}", [*self.problems, last])

    def check(self, line: int, values: Mapping[str, object]) -> RegistryRow | None:
        """Read one row.

        Parameters
        ----------
        line : int
            Where it stands, from 1.
        values : mapping of str to object
            Column name to value: a text, a list of texts, `Nanoseconds`; missing, None and empty are the same.

        Returns
        -------
        RegistryRow or None
            None where the row has an error.

        Raises
        ------
        RegistryError
            Where there are more rows or prefixes than a registry has.
        """
        self._line, self._failed = line, False
        self._rows += 1
        if self._rows > MOST_ROWS:
            raise self.refusal(line, f"more than {MOST_ROWS:,} rows: this is no registry")
        row = RegistryRow(
            line=line,
            registration_id=self._read("registration_id", values, _registration_id, ""),
            category=self._read("category", values, _category, ""),
            status=self._read("status", values, self._status, ""),
            prefixes=self._read("prefix", values, _prefixes, ()),
            protocols=self._read("protocols", values, self._protocols, ()),
            valid_from=self._read("valid_from", values, _optional_time, None),
            valid_until=self._read("valid_until", values, _optional_time, None),
            submitted_at=self._read("submitted_at", values, _optional_time, None),
            approved_at=self._read("approved_at", values, _optional_time, None),
            note_ref=self._read("note_ref", values, _text, ""),
        )
        self._check_dates(row, values)
        if self._failed:
            self._judge_space(row.prefixes, values.get("prefix"))
            return None
        self._check_prefixes(row, values)
        return None if self._failed else row

    def finish(self) -> list[RowProblem]:
        """Compare the rows with each other.

        Returns
        -------
        list of RowProblem
            All problems, in order of lines.
        """
        if self._rows == 0 and not self.problems:
            self._line = 1
            self._warn("", "", "it holds no registration: with it every endpoint is unregistered", "no_entries")
        told = 0
        for claim, other in sorted(overlaps(self._claims), key=lambda pair: pair[0].line):
            if claim.line != told:
                told = self._line = claim.line
                where = f"{other.prefix} of {other.registration_id!r} in line {other.line}"
                self._warn(
                    "prefix", claim.prefix, f"another registration has it too at the same time: {where}", "overlap"
                )
        self._claims.clear()
        self.problems.sort(key=lambda problem: problem.line)
        return self.problems

    def _read(self, column: str, values: Mapping[str, object], read: Callable[[Cell], Value], missing: Value) -> Value:
        value = values.get(column)
        memo = self._memo.get(column)
        if memo is not None and type(value) is str and value in memo:
            found: Value = memo[value]
            return found
        before = len(self.problems)
        try:
            found = read(_cell(column, value))
            if memo is not None and type(value) is str and len(memo) < _MOST_MEMO and len(self.problems) == before:
                memo[value] = found
            return found
        except ValueError as problem:
            kind = problem.kind if isinstance(problem, Defect) else "bad_time"
            self.problem(self._line, column, value, str(problem), kind)
            return missing

    def _status(self, value: Cell) -> str:
        if not value:
            raise Defect("unknown_status", f"it is missing; give one of {', '.join(STATUSES)}")
        if value not in STATUSES:
            near = self._nearest(str(value).lower(), STATUSES)
            raise Defect("unknown_status", f"it is one of {', '.join(STATUSES)}{near}")
        return str(value)

    def _protocols(self, value: Cell) -> tuple[str, ...]:
        if not value:
            return ()
        parts = value if isinstance(value, tuple) else re.split(r"[;\s]+", str(value))
        names = sorted({name.lower() for name in parts if name})
        for name in names:
            if not _PROTOCOL.fullmatch(name):
                reason = f"{shown(name)!r} is no protocol id; separate ids by ';' or spaces"
                self.problem(self._line, "protocols", value, reason, "bad_protocol")
            elif self._known and name not in self._known:
                reason = f"no fingerprint is called {shown(name)!r}{self._nearest(name, self._known)}"
                self._warn("protocols", value, reason, "unknown_protocol")
        return tuple(names)

    def _nearest(self, name: str, known: Collection[str]) -> str:
        """Give `nearest`, once for each name and for so many names: it is slow."""
        if name not in self._suggestions:
            if len(self._suggestions) >= _MOST_SUGGESTIONS or len(name) > _MAX_ID_LENGTH:
                return ""
            self._suggestions[name] = nearest(name, known)
        return self._suggestions[name]

    def _check_dates(self, row: RegistryRow, values: Mapping[str, object]) -> None:
        for first, last in (("valid_from", "valid_until"), ("submitted_at", "approved_at")):
            start, end = getattr(row, first), getattr(row, last)
            if start is not None and end is not None and (start > end or (first == "valid_from" and start == end)):
                reason = f"{last} is not after {first} ({_moment(values[first])})"
                self.problem(self._line, last, _moment(values[last]), reason, "dates_crossed")
        if row.status == "pending" and values.get("submitted_at") in (None, ""):
            reason = "a pending registration without it has no pending window"
            self._warn("submitted_at", "", reason, "no_submitted_at")

    def _check_prefixes(self, row: RegistryRow, values: Mapping[str, object]) -> None:
        value = values.get("prefix")
        self._prefixes += len(row.prefixes)
        if self._prefixes > MOST_PREFIXES:
            raise self.refusal(self._line, f"more than {MOST_PREFIXES:,} prefixes: this is no registry")
        for prefix in row.prefixes:
            key = (row.registration_id, prefix, row.valid_from, row.valid_until)
            first = self._seen.setdefault(key, self._line)
            if first != self._line:
                reason = f"{prefix} is a duplicate: same registration and dates in line {first}"
                self.problem(self._line, "prefix", value, reason, "duplicate")
                return
        if row.status not in _NO_CLAIM:
            for prefix in row.prefixes:
                self._claims.append(Claim(row.registration_id, prefix, row.valid_from, row.valid_until, self._line))
        self._judge_space(row.prefixes, value)

    def _judge_space(self, prefixes: tuple[Network, ...], value: object) -> None:
        """Warn of prefixes that match nothing, or too much: the first of each kind."""
        told: dict[str, str] = {}
        for prefix in prefixes:
            widest = self._widest.widest_ipv4 if prefix.version == 4 else self._widest.widest_ipv6
            if prefix.prefixlen < widest:
                told.setdefault("wide", f"{prefix} is wider than /{widest}; give the prefixes that are meant")
            if prefix.version == 6 and _MAPPED_FIRST <= int(prefix.network_address) <= _MAPPED_LAST:
                told.setdefault("ipv4_mapped", "IPv4-mapped: it matches no IPv4 packet; write the IPv4 form for those")
            elif (block := reserved(prefix)) is not None:
                told.setdefault("reserved", f"{block}: nobody holds such addresses on the Internet")
        for kind, reason in told.items():
            self._warn("prefix", value, reason, kind)


def nearest(name: str, known: Collection[str]) -> str:
    """Half a sentence naming the nearest known name, or nothing."""
    near = difflib.get_close_matches(name[:_MAX_ID_LENGTH], list(known), n=1)
    return f"; the nearest known one is {near[0]!r}" if near else ""


def _cell(column: str, value: object) -> Cell:
    """Take a value as its format has it, where the column takes such."""
    if type(value) is str:
        return _clean(value)
    if value is None:
        return ""
    if isinstance(value, Nanoseconds) and column in TIMES:
        return value
    if type(value) is int and column in ("registration_id", "note_ref"):
        return shown(value)
    if isinstance(value, (list, tuple)) and column in LISTS:
        wrong = [one for one in value if not isinstance(one, str)]
        if wrong:
            raise Defect("wrong_type", f"a list of texts is wanted, it holds {type(wrong[0]).__name__}")
        if len(value) > MOST_FIELD:
            raise Defect("too_long", f"a list of {len(value):,}; no registration has more than {MOST_FIELD:,}")
        return tuple(_clean(one) for one in value)
    if column in TIMES:
        raise Defect("wrong_type", f"{type(value).__name__} is no instant; write an ISO 8601 text such as 2024-11-20")
    raise Defect("wrong_type", f"a text is wanted, not {type(value).__name__}")


def _clean(text: str) -> str:
    text = text.strip()
    if len(text) > MOST_FIELD:
        raise Defect("too_long", f"{len(text):,} characters; no value has more than {MOST_FIELD:,}")
    if "\0" in text:
        raise Defect("nul", "it holds a NUL character")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise Defect("not_utf8", "not UTF-8") from None
    return text


def _text(value: Cell) -> str:
    return str(value)


def _registration_id(value: Cell) -> str:
    text = str(value)
    if not text:
        raise Defect("bad_id", "it is missing")
    if len(text) > _MAX_ID_LENGTH or not text.isprintable():
        raise Defect("bad_id", f"it has more than {_MAX_ID_LENGTH} characters or some that cannot be printed")
    return text


def _category(value: Cell) -> str:
    text = str(value)
    found = _CATEGORY.fullmatch(text)
    if found is None or not text.isprintable():
        begun = "it is" if text else "it is missing; give"
        reason = f"{begun} 'organization' or 'freelancer', with ': sub-sector' behind it if wanted"
        raise Defect("unknown_category", reason)
    return f"{found[1]}: {found[2]}" if found[2] else found[1]


def _prefixes(value: Cell) -> tuple[Network, ...]:
    if isinstance(value, tuple) and value:
        found = (prefix for text in value for prefix in parse_prefixes(text))
        return tuple(dict.fromkeys(found))
    return parse_prefixes("" if isinstance(value, tuple) else str(value))


def _optional_time(value: Cell) -> int | None:
    if isinstance(value, Nanoseconds):
        return in_range(int(value))
    return parse_timestamp(str(value)) if value else None


def _moment(value: object) -> str:
    return format_timestamp(value) if isinstance(value, Nanoseconds) else shown(str(value).strip())

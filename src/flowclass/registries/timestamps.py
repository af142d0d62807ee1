"""Instants as text: ISO 8601 dates and date-times to int64 nanoseconds, UTC."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache

SECOND_NS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LEAST_NS, _MOST_NS = -(2**63) + 1, 2**63 - 2  # the two outermost values stand for open ends
_FORM = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(?:(Z)|([+-])(\d\d):(\d\d))?)?", re.ASCII
)


@lru_cache(maxsize=65_536)  # a registry repeats its dates
def parse_timestamp(text: str) -> int:
    """Read a date or date-time; without an offset it is UTC, a date is its first moment.

    Parameters
    ----------
    text : str
        ``2024-11-20``, ``2024-11-20T08:30``, ``2024-11-20 08:30:00.5Z``, ``2024-11-20T12:00:00+03:30``.

    Returns
    -------
    int
        Nanoseconds since 1970-01-01 UTC.

    Raises
    ------
    ValueError
        With the reason, where the text is no instant or lies outside the years 1678 to 2261.

    Examples
    --------
    >>> parse_timestamp("1970-01-02")
    86400000000000
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError("not an ISO 8601 date or date-time; write 2024-11-20 or 2024-11-20T08:30:00Z")
    year, month, day, hour, minute, second = (int(part or 0) for part in found.group(1, 2, 3, 4, 5, 6))
    sign, offset_hours, offset_minutes = found.group(9, 10, 11)
    below = int(found.group(7).ljust(9, "0")) if found.group(7) else 0
    if sign is None and hour < 24 and minute < 60 and second < 60:
        days = _days(year, month, day)
        if days is not None:
            return in_range((days * 86_400 + hour * 3_600 + minute * 60 + second) * SECOND_NS) + below
    offset = timedelta(hours=int(offset_hours or 0), minutes=int(offset_minutes or 0))
    try:
        zone = timezone(-offset if sign == "-" else offset)
        moment = datetime(year, month, day, hour, minute, second, tzinfo=zone)
    except ValueError as problem:
        raise ValueError(f"no such date or time: {problem}") from None
    return datetime_to_ns(moment) + below


@lru_cache(maxsize=4_096)
def _days(year: int, month: int, day: int) -> int | None:
    """Give the days since 1970-01-01, None where there is no such date."""
    try:
        return date(year, month, day).toordinal() - _EPOCH.toordinal()
    except ValueError:
        return None


def datetime_to_ns(moment: datetime) -> int:
    """Nanoseconds since 1970-01-01 UTC; a moment without an offset is UTC.

    Parameters
    ----------
    moment : datetime
        To the microsecond.

    Returns
    -------
    int
        Nanoseconds.

    Raises
    ------
    ValueError
        Outside the years 1678 to 2261, which 64 bits of nanoseconds do not hold.
    """
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    elapsed = moment - _EPOCH
    value = (elapsed.days * 86_400 + elapsed.seconds) * SECOND_NS + elapsed.microseconds * 1_000
    return in_range(value)


def in_range(value: int) -> int:
    """Give nanoseconds back where 64 bits hold them.

    Raises
    ------
    ValueError
        Outside the years 1678 to 2261.
    """
    if not _LEAST_NS < value < _MOST_NS - SECOND_NS:
        raise ValueError("outside the years 1678 to 2261; leave it empty for an open end")
    return value


def format_timestamp(value: int) -> str:
    """Write nanoseconds since 1970-01-01 UTC as ISO 8601, to the nanosecond where it has such.

    Examples
    --------
    >>> format_timestamp(86_400_000_000_000), format_timestamp(-1)
    ('1970-01-02T00:00:00Z', '1969-12-31T23:59:59.999999999Z')
    """
    seconds, below = divmod(value, SECOND_NS)
    try:
        moment = _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return f"{value} ns"
    fraction = f".{below:09d}".rstrip("0") if below else ""
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"

"""How sizes, durations and times are written on the command line and in configuration files."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import click

_SIZES = {"": 1, "B": 1, "K": 10**3, "KB": 10**3, "M": 10**6, "MB": 10**6, "G": 10**9, "GB": 10**9}
_SIZES |= {"KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}
_DURATIONS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "d": 86400 * 10**9}


def size(text: str | int) -> int:
    """Read octets.

    Raises
    ------
    click.BadParameter
        When the text is no size.

    Examples
    --------
    >>> size("512MiB"), size("2GB"), size("4096")
    (536870912, 2000000000, 4096)
    """
    matched = re.fullmatch(r"\s*(\d+)\s*([A-Za-z]*)\s*", str(text))
    if matched is None or matched[2].upper() not in _SIZES:
        raise click.BadParameter(f"{text!r} is no size: write octets or e.g. 512MiB, 2GB")
    return int(matched[1]) * _SIZES[matched[2].upper()]


def duration(text: str) -> int:
    """Read a span of time with its unit, as ns.

    Raises
    ------
    click.BadParameter
        When the text is no duration.

    Examples
    --------
    >>> duration("120s"), duration("30m")
    (120000000000, 1800000000000)
    """
    matched = re.fullmatch(r"\s*(\d+)\s*(ns|us|ms|s|m|h|d)\s*", str(text))
    if matched is None:
        raise click.BadParameter(f"{text!r} is no duration: write a number and its unit, e.g. 120s, 30m, 500ms")
    return int(matched[1]) * _DURATIONS[matched[2]]


def instant(text: str) -> datetime:
    """Read a time as in RFC 3339; without a zone it is UTC.

    Raises
    ------
    click.BadParameter
        When the text is no time.

    Examples
    --------
    >>> instant("2024-11-21T01:00:00+01:00").isoformat()
    '2024-11-21T00:00:00+00:00'
    """
    try:
        parsed = datetime.fromisoformat(str(text))
    except ValueError:
        raise click.BadParameter(f"{text!r} is no time: write e.g. 2024-11-21 or 2024-11-21T13:00:00Z") from None
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def octets(count: float) -> str:
    """Say octets for people.

    Examples
    --------
    >>> octets(1536)
    '1.5 KiB'
    """
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def entries(count: int) -> str:
    """Say how many entries a registry has.

    Examples
    --------
    >>> entries(1), entries(32239)
    ('1 entry', '32,239 entries')
    """
    return f"{count:,} {'entry' if count == 1 else 'entries'}"


def clean(text: str) -> str:
    """Take control characters out of a text that came from the wire or the file system.

    Examples
    --------
    >>> clean("a" + chr(27) + "[31mb")
    'a?[31mb'
    """
    return "".join(char if char.isprintable() else "?" for char in text)

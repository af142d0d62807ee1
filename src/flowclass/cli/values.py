"""How sizes, durations and times are written on the command line and in configuration files."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import click

_SIZES = {"": 1, "B": 1, "K": 10**3, "KB": 10**3, "M": 10**6, "MB": 10**6, "G": 10**9, "GB": 10**9}
_SIZES |= {"KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}
_DURATIONS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "d": 86400 * 10**9}


class Size(click.ParamType):
    """Octets: ``512MiB``, ``2GB``, ``1048576``."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Give octets."""
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        matched = re.fullmatch(r"\s*(\d+)\s*([A-Za-z]*)\s*", str(value))
        if matched is None or matched[2].upper() not in _SIZES:
            self.fail(f"{value!r} is no size: write octets or e.g. 512MiB, 2GB", param, ctx)
        return int(matched[1]) * _SIZES[matched[2].upper()]


class Duration(click.ParamType):
    """A span of time with its unit: ``120s``, ``30m``, ``500ms``."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Give nanoseconds."""
        matched = re.fullmatch(r"\s*(\d+)\s*(ns|us|ms|s|m|h|d)\s*", str(value))
        if matched is None:
            self.fail(f"{value!r} is no duration: write a number and its unit, e.g. 120s, 30m, 500ms", param, ctx)
        return int(matched[1]) * _DURATIONS[matched[2]]


class Time(click.ParamType):
    """A time as in RFC 3339; without a zone it is UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Give a time in UTC."""
        if isinstance(value, datetime):
            return value
        try:
            parsed = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no time: write e.g. 2024-11-21 or 2024-11-21T13:00:00Z", param, ctx)
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


def clean(text: str) -> str:
    """Take control characters out of a text that came from the wire or the file system.

    Examples
    --------
    >>> clean("a" + chr(27) + "[31mb")
    'a?[31mb'
    """
    return "".join(char if char.isprintable() else "?" for char in text)

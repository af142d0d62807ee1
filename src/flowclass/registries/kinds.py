"""The kinds of defects a registry's rows have, the limits they are judged by, and how values are shown."""

from __future__ import annotations

from dataclasses import dataclass

from flowclass.errors import ConfigError

KINDS = {
    "unreadable": "the file, or a line of it, is not what its format wants",
    "columns": "a column is unknown, missing or there twice",
    "not_utf8": "octets that are not UTF-8",
    "nul": "NUL characters",
    "too_long": "a line or field is longer than any registration's",
    "too_many": "more rows, prefixes or problems than are read",
    "wrong_type": "a value of a type that the column does not take",
    "bad_id": "no registration id",
    "unknown_category": "the category is neither organization nor freelancer",
    "unknown_status": "no such status",
    "bad_prefix": "no address, prefix or range",
    "host_bits": "host bits of a prefix are set",
    "range_reversed": "a range ends before it begins",
    "bad_protocol": "no protocol id",
    "bad_time": "no date or time",
    "dates_crossed": "a date comes before the one that it follows",
    "duplicate": "the same registration, prefix and dates twice",
    "no_entries": "no registration at all",
    "unknown_protocol": "no fingerprint has this protocol id",
    "no_submitted_at": "pending without a time of submission",
    "ipv4_mapped": "IPv4-mapped IPv6 addresses",
    "overlap": "addresses of another registration too, at the same time",
    "reserved": "private or reserved addresses",
    "wide": "a prefix wider than the limit",
}
"""Each kind with what it means, errors before warnings."""

MOST_FIELD = 4_096
MOST_LINE = 1 << 20
MOST_ROWS = 10_000_000
MOST_PREFIXES = 5_000_000
MOST_PROBLEMS = 2_000_000
MOST_SHOWN = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Beyond which a prefix is so wide that it is warned of.

    Parameters
    ----------
    widest_ipv4, widest_ipv6 : int
        The least prefix length without a warning, in bits.

    Raises
    ------
    ConfigError
        Where a length is none of its version.
    """

    widest_ipv4: int = 16
    widest_ipv6: int = 32

    def __post_init__(self) -> None:
        for name, most in (("widest_ipv4", 32), ("widest_ipv6", 128)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
                raise ConfigError(f"{name} = {value!r} is not permitted; give a prefix length from 0 to {most}")


class Defect(ValueError):
    """Why a value cannot be used.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    reason : str
        For people.
    """

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


class Nanoseconds(int):
    """An instant that a format holds as such, ns since 1970-01-01 UTC."""


def shown(value: object) -> str:
    r"""Give a value as a message may hold it: bounded, without what is no UTF-8, and without what steers a terminal.

    Examples
    --------
    >>> shown("a" * 1_000)[-3:], shown("caf" + chr(0xDCE9)), shown(None), shown("\x1b[2J")
    ('...', 'caf\\xe9', '', '\\x1b[2J')
    """
    if value is None:
        return ""
    if isinstance(value, (list, tuple)):
        text = ";".join(shown(one) for one in value[:MOST_SHOWN])
    elif isinstance(value, dict):
        text = "{...}"
    elif isinstance(value, (bytes, memoryview)):
        text = repr(bytes(value[:MOST_SHOWN]))
    elif isinstance(value, int) and value.bit_length() > 256:
        text = f"a number of {value.bit_length()} bits"
    else:
        text = str(value)
    if len(text) > MOST_SHOWN:
        text = text[:MOST_SHOWN] + "..."
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(char: str) -> str:
    """Give a character, or how Python writes it where it cannot be printed; an octet that was no UTF-8 as such."""
    if char.isprintable():
        return char
    return f"\\x{ord(char) - 0xDC00:02x}" if 0xDC80 <= ord(char) <= 0xDCFF else ascii(char)[1:-1]

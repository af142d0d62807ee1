"""Where numba finds what the native core hands to a user's function. Compared with the core's own account before use.

Takes nothing. Gives offsets by which `flowclass.udf.native_types` reads and writes. numba lays out a C struct by
itself (``types.Record.make_c_struct``); were a field elsewhere than the core has it, a function would read something
else, so that is refused.
"""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import Any

from numba import types

from flowclass import _core
from flowclass.errors import UserFunctionError

MOST_CHECKS = 16
POINTER = types.uintp
CHECK = types.Record.make_c_struct(
    [
        ("bits", types.float64),
        ("rule", types.uint16),
        ("entry", types.uint16),
        ("offset", types.uint16),
        ("length", types.uint16),
    ]
)
RECORDS = MappingProxyType(
    {
        "head": types.Record.make_c_struct(
            [
                ("time_first", types.int64),
                ("octets_fwd", POINTER),
                ("octets_rev", POINTER),
                ("entries", POINTER),
                ("size_fwd", types.uint32),
                ("size_rev", types.uint32),
                ("src_port", types.uint16),
                ("dst_port", types.uint16),
                ("ip_proto", types.uint8),
                ("entry_count", types.uint8),
                ("start_fwd", types.uint8),
                ("start_rev", types.uint8),
                ("gap_fwd", types.uint8),
                ("gap_rev", types.uint8),
                ("truncated", types.uint8),
            ]
        ),
        "entry": types.Record.make_c_struct(
            [
                ("time", types.int64),
                ("length", types.uint32),
                ("packet", types.uint32),
                ("start", types.uint16),
                ("kept", types.uint16),
                ("payload_offset", types.uint16),
                ("direction", types.uint8),
            ]
        ),
        "check": CHECK,
        "evidence": types.Record.make_c_struct(
            [
                # Of whole words: numba lays out no array of records.
                ("checks", types.NestedArray(types.uint64, (MOST_CHECKS * CHECK.size // 8,))),
                ("count", types.uint32),
                ("variant", types.uint8),
                ("initiator", types.uint8),
            ]
        ),
    }
)


@cache
def checked() -> bool:
    """Compare every record with the core's, once.

    Raises
    ------
    UserFunctionError
        When size, a field, or the place of one differs.
    """
    compare(_core.user_layouts())
    return True


def compare(native: dict[str, tuple[int, dict[str, tuple[int, int]]]]) -> None:
    """Compare every record with what the core says of it; raise as `checked` does."""
    for name, record in RECORDS.items():
        size, fields = native[name]
        mine = {field: (record.offset(field), _size(record.typeof(field))) for field in record.fields}
        wrong = sorted(field for field in {*mine, *fields} if mine.get(field) != fields.get(field))
        if wrong or record.size != size:
            places = "; ".join(f"{field}: {mine.get(field)} here, {fields.get(field)} there" for field in wrong)
            raise UserFunctionError(
                f"numba and the native core disagree on how a {name} lies in memory ({record.size} octets here, {size}"
                f" there; {places}), so users' functions cannot be run: install flowclass anew"
            )


def offset(record: str, field: str) -> int:
    """Give the place of a field, in octets."""
    found: int = RECORDS[record].offset(field)
    return found


def _size(kind: Any) -> int:
    if isinstance(kind, types.NestedArray):
        return int(kind.dtype.bitwidth) // 8 * int(kind.shape[0])
    return int(kind.bitwidth) // 8

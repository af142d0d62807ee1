"""What a user's fingerprint is given: ``head`` and ``evidence``, as numba knows them.

Takes the addresses of the core's records. Gives a head that can only be read, and only as far as octets were kept:
a number that lies beyond is -1, a payload that is not there is an IndexError. Evidence can only be added to.

Every method is compiled into the function that uses it, so a call costs a few instructions. All numbers are int64:
with unsigned ones a difference below 0 would be a large number.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
from numba import njit, types
from numba.core.errors import TypingError
from numba.extending import overload_attribute, overload_method

from flowclass.udf.layout import MOST_CHECKS, RECORDS, offset
from flowclass.udf.primitives import (
    HEAD,
    EvidenceType,
    HeadType,
    address_of,
    as_head,
    as_pointer,
    carray,
    evidence_maker,
    loader,
    method,
    plain,
    read_only,
    writer,
)

__all__ = ["HEAD", "EvidenceType", "as_head", "evidence_maker"]

_SWAPPED = sys.byteorder != "big"


def _field(record: str, field: str) -> Any:
    """Give what reads a field of the record at an address, as int64."""
    load, place = loader(RECORDS[record].typeof(field)), offset(record, field)

    @njit
    def read(address: Any) -> Any:
        return np.int64(load(address + np.uintp(place)))

    return read


_count, _entries = _field("head", "entry_count"), _field("head", "entries")
_octets_fwd, _octets_rev = _field("head", "octets_fwd"), _field("head", "octets_rev")
_size_fwd, _size_rev = _field("head", "size_fwd"), _field("head", "size_rev")
_start, _kept, _direction = (_field("entry", name) for name in ("start", "kept", "direction"))
_ENTRY = RECORDS["entry"].size


@njit
def _entry(address: Any, place: Any) -> Any:
    """Give the address of an entry."""
    if place < 0 or place >= _count(address):
        raise IndexError("the head has no such payload")
    return np.uintp(_entries(address)) + np.uintp(place * _ENTRY)


@njit
def _side(address: Any, direction: Any) -> Any:
    """Give the address and number of a direction's octets."""
    if direction == 0:
        return np.uintp(_octets_fwd(address)), _size_fwd(address)
    return np.uintp(_octets_rev(address)), _size_rev(address)


@njit
def _span(address: Any, place: Any) -> Any:
    """Give the address and number of a payload's kept octets; as FlowHead::payload does."""
    entry = _entry(address, place)
    octets, size = _side(address, _direction(entry))
    start = _start(entry)
    return octets + np.uintp(start), max(0, min(_kept(entry), size - start))


def _attribute(name: str, field: str) -> None:
    read = _field("head", field)

    @overload_attribute(HeadType, name)
    @plain
    def overload(head: Any) -> Any:
        del head
        return lambda head: read(address_of(head))


for _name, _stored in (
    ("count", "entry_count"),
    ("ip_proto", "ip_proto"),
    ("src_port", "src_port"),
    ("dst_port", "dst_port"),
    ("truncated", "truncated"),
):
    _attribute(_name, _stored)


def _entry_method(name: str, field: str) -> None:
    read = _field("entry", field)

    @overload_method(HeadType, name)
    @method(f"head.{name}")
    def overload(head: Any, place: Any) -> Any:
        del head, place
        return lambda head, place: read(_entry(address_of(head), place))


for _name, _stored in (("direction", "direction"), ("length", "length"), ("time_ns", "time"), ("packet", "packet")):
    _entry_method(_name, _stored)


@overload_method(HeadType, "kept")
@method("head.kept")
def _kept_method(head: Any, place: Any) -> Any:
    del head, place
    return lambda head, place: _span(address_of(head), place)[1]


@overload_method(HeadType, "octets")
@method("head.octets")
def _octets_method(head: Any, place: Any) -> Any:
    del head, place

    def octets(head: Any, place: Any) -> Any:
        address, size = _span(address_of(head), place)
        return read_only(carray(as_pointer(address), (size,), np.uint8))

    return plain(octets)


@overload_method(HeadType, "stream")
@method("head.stream")
def _stream_method(head: Any, direction: Any) -> Any:
    del head, direction

    def stream(head: Any, direction: Any) -> Any:
        address, size = _side(address_of(head), direction)
        return read_only(carray(as_pointer(address), (size,), np.uint8))

    return plain(stream)


def _number_method(name: str, kind: Any, *, big_endian: bool) -> None:
    load, width = loader(kind, swapped=big_endian == _SWAPPED and kind is not types.uint8), kind.bitwidth // 8

    @overload_method(HeadType, name)
    @method(f"head.{name}")
    def overload(head: Any, place: Any, offset: Any) -> Any:
        del head, place, offset

        def number(head: Any, place: Any, offset: Any) -> Any:
            address, size = _span(address_of(head), place)
            if offset < 0 or offset + width > size:
                return np.int64(-1)
            # What does not fit is no number either; of the widths here that can only be one of 64 bits.
            return max(np.int64(-1), np.int64(load(address + np.uintp(offset))))

        return plain(number)


_number_method("u8", types.uint8, big_endian=True)
for _bits, _kind in ((16, types.uint16), (32, types.uint32), (64, types.uint64)):
    _number_method(f"be{_bits}", _kind, big_endian=True)
    _number_method(f"le{_bits}", _kind, big_endian=False)

_evidence_count = _field("evidence", "count")
_write_u32, _write_u16, _write_u8 = (writer(kind) for kind in (types.uint32, types.uint16, types.uint8))
_write_float = writer(types.float64)
_AT_COUNT, _AT_VARIANT, _AT_INITIATOR = (offset("evidence", name) for name in ("count", "variant", "initiator"))
_CHECK = RECORDS["check"].size
_AT_BITS, _AT_RULE, _AT_ENTRY, _AT_OFFSET, _AT_LENGTH = (
    offset("check", name) for name in ("bits", "rule", "entry", "offset", "length")
)


@njit
def _add(address: Any, rule: Any, entry: Any, octets: Any, bits: Any) -> None:
    offset, length = octets
    if entry < 0 or offset < 0 or length < 0 or max(entry, offset, length) > 0xFFFF:
        raise IndexError("a check lies outside of its payload")
    count = _evidence_count(address)
    if count < MOST_CHECKS:
        check = address + np.uintp(count * _CHECK)
        _write_float(check + np.uintp(_AT_BITS), float(bits))
        _write_u16(check + np.uintp(_AT_RULE), rule)
        _write_u16(check + np.uintp(_AT_ENTRY), entry)
        _write_u16(check + np.uintp(_AT_OFFSET), offset)
        _write_u16(check + np.uintp(_AT_LENGTH), length)
        _write_u32(address + np.uintp(_AT_COUNT), count + 1)


@overload_method(EvidenceType, "add", prefer_literal=True)
@method("evidence.add")
def _add_method(evidence: Any, rule: Any, entry: Any, offset: Any, length: Any, bits: Any) -> Any:  # noqa: PLR0917
    unliteral: Any = types.unliteral
    if not all(isinstance(unliteral(one), (types.Integer, types.Float)) for one in (entry, offset, length, bits)):
        raise TypingError("a check's payload, offset, length and bits are numbers")
    place = _place(evidence.rules, rule, "rule")
    return lambda evidence, rule, entry, offset, length, bits: _add(
        address_of(evidence), place, entry, (offset, length), bits
    )


@overload_method(EvidenceType, "variant", prefer_literal=True)
@method("evidence.variant")
def _variant_method(evidence: Any, name: Any) -> Any:
    place = _place(evidence.variants, name, "variant") + 1
    return lambda evidence, name: _write_u8(address_of(evidence) + np.uintp(_AT_VARIANT), place)


@overload_method(EvidenceType, "initiator")
@method("evidence.initiator")
def _initiator_method(evidence: Any, direction: Any) -> Any:
    del evidence, direction

    def initiator(evidence: Any, direction: Any) -> None:
        if direction not in (0, 1):
            raise ValueError("a direction is 0 or 1")
        _write_u8(address_of(evidence) + np.uintp(_AT_INITIATOR), direction + 1)

    return plain(initiator)


def _place(declared: Sequence[str], given: Any, what: str) -> int:
    """Give where a literal name stands among those that were declared."""
    if not isinstance(given, types.StringLiteral):
        raise TypingError(f"a {what} is named by a text that stands in the code, e.g. {next(iter(declared), '')!r}")
    name = given.literal_value
    if name not in declared:
        near = get_close_matches(name, declared, 1)
        hint = f", did you mean {near[0]!r}?" if near else f": there are {', '.join(declared) or 'none'}"
        raise TypingError(f"no {what} {name!r} was declared{hint}")
    return declared.index(name)

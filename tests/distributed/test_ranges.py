"""Where an uncompressed pcap can be cut."""

from __future__ import annotations

import random

import pytest
from capture_files import exchange, pcap

from flowclass.distributed.ranges import FILE_HEADER, RECORD_HEADER, Pcap, find_record, pcap_of


def _begins(data: bytes, order: str) -> set[int]:
    """Give the places of all records, by walking from the beginning."""
    at, places = FILE_HEADER, set()
    while at < len(data):
        places.add(at)
        at += RECORD_HEADER + int.from_bytes(data[at + 8 : at + 12], "big" if order == ">" else "little")
    return places


@pytest.mark.parametrize("nanoseconds", [True, False])
@pytest.mark.parametrize("big_endian", [True, False])
def test_a_place_is_where_a_record_begins(nanoseconds: bool, big_endian: bool) -> None:
    data = pcap(exchange(400), nanoseconds=nanoseconds, big_endian=big_endian)
    found = pcap_of(data[:40])
    assert found is not None
    places = _begins(data, found.order) | {len(data)}
    chance = random.Random(1)
    for _ in range(50):
        nominal = chance.randrange(FILE_HEADER, len(data) - 1)
        place = find_record(found, data[nominal:], at_end=True)
        assert place is not None
        assert nominal + place == min(begin for begin in places if begin >= nominal)


def test_octets_that_are_no_records_have_no_place() -> None:
    facts = Pcap(order="<", parts=1_000_000, most=65_535, first_s=1_700_000_000)
    assert find_record(facts, random.Random(2).randbytes(20_000), at_end=False) is None
    assert find_record(facts, b"", at_end=False) is None


@pytest.mark.parametrize("head", [b"", b"\x0a\x0d\x0d\x0a" + bytes(60), b"\x1f\x8b\x08" + bytes(60), bytes(24)])
def test_what_is_no_plain_pcap_is_not_cut(head: bytes) -> None:
    assert pcap_of(head) is None

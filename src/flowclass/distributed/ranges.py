"""Takes an uncompressed pcap. Gives places at which it can be cut: where a record begins, as one stretch shows it.

A place is a guess until the range before it was read and ended exactly there, as ``streams.mend`` checks.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

FILE_HEADER = 24
RECORD_HEADER = 16
CHAIN = 24
"""Records in a row that must be plausible."""
STRETCH = 4 << 20
"""Octets that are looked at for a place."""
MOST_RECORD = 256 << 10
"""As libpcap's MAXIMUM_SNAPLEN."""
APART_S = 366 * 86_400
"""Seconds by which a record may be away from the first one."""

# pcap's magic numbers (draft-ietf-opsawg-pcap §4): the order of octets, and how many parts a second has.
_MAGICS = {
    b"\xd4\xc3\xb2\xa1": ("<", 1_000_000),
    b"\xa1\xb2\xc3\xd4": (">", 1_000_000),
    b"\x4d\x3c\xb2\xa1": ("<", 1_000_000_000),
    b"\xa1\xb2\x3c\x4d": (">", 1_000_000_000),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pcap:
    """What a file header says.

    Parameters
    ----------
    order : str
        Of octets, as `struct` writes it.
    parts : int
        Of a second.
    most : int
        Octets of the longest record.
    first_s : int
        Second of the first record.
    """

    order: str
    parts: int
    most: int
    first_s: int


def pcap_of(head: bytes) -> Pcap | None:
    """Read the beginning of a file; None where it is no uncompressed pcap with a record.

    Parameters
    ----------
    head : bytes
        The first 40 octets.
    """
    found = _MAGICS.get(head[:4])
    if found is None or len(head) < FILE_HEADER + RECORD_HEADER:
        return None
    order, parts = found
    snap_length = struct.unpack_from(order + "I", head, 16)[0]
    first_s = struct.unpack_from(order + "I", head, FILE_HEADER)[0]
    most = max(snap_length, 65_535) if 0 < snap_length <= MOST_RECORD else MOST_RECORD
    return Pcap(order=order, parts=parts, most=most, first_s=first_s)


def find_record(pcap: Pcap, octets: bytes, *, at_end: bool) -> int | None:
    """Give the first place in a stretch at which records follow one another.

    Parameters
    ----------
    pcap : Pcap
        Of the file.
    octets : bytes
        Of its middle.
    at_end : bool
        Whether the stretch ends with the file.

    Returns
    -------
    int or None
        Octets from the beginning of the stretch; None where there is no such place.
    """
    for place in range(max(len(octets) - RECORD_HEADER + 1, 0)):
        if _chain(pcap, octets, place, at_end=at_end):
            return place
    return None


def _chain(pcap: Pcap, octets: bytes, place: int, *, at_end: bool) -> bool:
    for _ in range(CHAIN):
        if place + RECORD_HEADER > len(octets):
            return at_end and place == len(octets)
        second, part, captured, length = struct.unpack_from(pcap.order + "4I", octets, place)
        plausible = (
            part < pcap.parts
            and 0 < captured <= min(pcap.most, length)
            and length <= MOST_RECORD
            and abs(second - pcap.first_s) <= APART_S
        )
        if not plausible:
            return False
        place += RECORD_HEADER + captured
    return True

"""A frame of every link type that is read, around an IP packet: what the seeds of fuzz_decode.cpp begin with."""

from __future__ import annotations

import struct

_LLC = bytes.fromhex("aaaa03 000000 0800")
_WIRELESS = b"\x08" + bytes(23) + _LLC  # a data frame, IEEE 802.11-2020 §9.2.3
_ETHERNET = bytes.fromhex("020000000002 020000000001 0800")
_PPP = bytes.fromhex("ff03 0021")

# What stands before the IP packet, by LINKTYPE (www.tcpdump.org/linktypes.html). NFLOG is made below.
HEADERS: dict[int, bytes] = {
    0: b"\x02\0\0\0",
    1: _ETHERNET,
    9: _PPP,
    12: b"",
    14: b"",
    50: _PPP,
    101: b"",
    104: bytes.fromhex("0f00 0800"),
    105: _WIRELESS,
    108: b"\0\0\0\x02",
    113: bytes(14) + b"\x08\0",
    127: b"\0\0\x08\0\0\0\0\0" + _WIRELESS,
    192: struct.pack("<BBHI", 0, 0, 8, 1) + _ETHERNET,
    228: b"",
    229: b"",
    276: b"\x08\0" + bytes(18),
}
LINK_TYPES = sorted([*HEADERS, 239])
_UDP = struct.pack(">HHHH", 40_000, 1194, 12, 0) + b"ping"
_IPV4 = struct.pack(">BBHHHBBHII", 0x45, 0, 32, 7, 0, 64, 17, 0x66C4, 0x0A000001, 0x0A000002) + _UDP
_IPV6 = struct.pack(">IHBB", 6 << 28, 12, 17, 64) + bytes(15) + b"\1" + bytes(15) + b"\2" + _UDP


def frame(link_type: int) -> bytes:
    """Give a frame of a link type with a datagram in it."""
    if link_type == 239:  # family, version, resource; an attribute of type 9 is the packet
        return struct.pack("<BBHHH", 2, 0, 0, 4 + len(_IPV4), 9) + _IPV4
    return HEADERS[link_type] + (_IPV6 if link_type == 229 else _IPV4)

"""Reads the testbed's own captures: enough of pcap, pcapng, Ethernet, IPv4 and IPv6 to find flows by address and port.

It stands apart from the product's reader on purpose: labels must not depend on what they judge.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import TestbedError

__all__ = ["Packet", "count_frames", "quoted_packet", "read_packets", "without_machine_facts"]

_LITTLE = {b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1"}
_BIG = {b"\xa1\xb2\xc3\xd4", b"\xa1\xb2\x3c\x4d"}
_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_ETHERNET = 1
_PORTS = frozenset({6, 17})
_ICMP = {1: frozenset({0, 8}), 58: frozenset({128, 129})}  # protocol: types of echo reply and request
_ICMP_ERRORS = frozenset({3, 11, 12})


@dataclass(frozen=True, slots=True)
class Packet:
    """One IP packet: `frame` counts from 1, ports are 0 where there are none, `payload` is above the port header."""

    frame: int
    src_ip: str
    dst_ip: str
    ip_proto: int
    src_port: int
    dst_port: int
    is_echo: bool
    payload: bytes


def read_packets(path: Path) -> Iterator[Packet]:
    """Give the IP packets of a capture in order; other frames are only counted."""
    for frame, data in enumerate(_frames(path), start=1):
        packet = _decode(frame, data)
        if packet is not None:
            yield packet


def quoted_packet(packet: Packet) -> Packet | None:
    """Give the IPv4 packet that an error of ICMP quotes, with its frame number; None if it is no error."""
    quoted = packet.payload[8:]
    if not packet.payload or packet.payload[0] not in _ICMP_ERRORS or len(quoted) < 28:
        return None
    return _decode(packet.frame, bytes(12) + b"\x08\x00" + quoted)


def count_frames(path: Path) -> int:
    """Count all frames, IP or not."""
    return sum(1 for _ in _frames(path))


def without_machine_facts(capture: bytes) -> bytes:
    """Give a pcapng file without its section's options (processor, kernel and program of the recording machine)."""
    out = bytearray()
    for kind, block in _blocks(capture):
        if kind == _SECTION:
            out += struct.pack("<II", kind, 28) + block[8:24] + struct.pack("<I", 28)
        else:
            out += block
    return bytes(out)


def _frames(path: Path) -> Iterator[bytes]:
    capture = path.read_bytes()
    if capture[:4] in _LITTLE | _BIG:
        return _pcap_frames(capture, "<" if capture[:4] in _LITTLE else ">")
    if capture[:4] == b"\x0a\x0d\x0d\x0a":
        return _pcapng_frames(capture)
    raise TestbedError(f"{path} is neither pcap nor pcapng")


def _pcap_frames(capture: bytes, order: str) -> Iterator[bytes]:
    if struct.unpack_from(order + "I", capture, 20)[0] != _ETHERNET:
        raise TestbedError("the capture's link type is not Ethernet")
    at = 24
    while at < len(capture):
        length = struct.unpack_from(order + "I", capture, at + 8)[0]
        yield capture[at + 16 : at + 16 + length]
        at += 16 + length


def _pcapng_frames(capture: bytes) -> Iterator[bytes]:
    for kind, block in _blocks(capture):
        if kind == _INTERFACE and struct.unpack_from("<H", block, 8)[0] != _ETHERNET:
            raise TestbedError("the capture's link type is not Ethernet")
        if kind == _PACKET:
            length = struct.unpack_from("<I", block, 20)[0]
            yield block[28 : 28 + length]


def _blocks(capture: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(capture):
        kind, length = struct.unpack_from("<II", capture, at)
        if length < 12 or at + length > len(capture):
            raise TestbedError(f"pcapng block of length {length} at byte {at} does not fit")
        yield kind, capture[at : at + length]
        at += length


def _decode(frame: int, data: bytes) -> Packet | None:
    kind = struct.unpack_from("!H", data, 12)[0]
    if kind == 0x0800:
        header = (data[14] & 15) * 4
        total, fragment, proto = struct.unpack_from("!H2xH1xB", data, 16)
        src, dst = str(ipaddress.IPv4Address(data[26:30])), str(ipaddress.IPv4Address(data[30:34]))
        body = data[14 + header : 14 + total]
        if fragment & 0x1FFF:
            return None  # a later fragment: belongs to the flow of the first one, and never begins it
    elif kind == 0x86DD:
        length, proto = struct.unpack_from("!HB", data, 18)
        src, dst = str(ipaddress.IPv6Address(data[22:38])), str(ipaddress.IPv6Address(data[38:54]))
        body = data[54 : 54 + length]
        if proto == 0:  # hop-by-hop options, as in multicast listener reports
            proto, body = body[0], body[8 + 8 * body[1] :]
        elif proto == 44:
            if int.from_bytes(body[2:4], "big") >> 3:
                return None
            proto, body = body[0], body[8:]
    else:
        return None
    ports = struct.unpack_from("!HH", body) if proto in _PORTS else (0, 0)
    skip = {6: (body[12] >> 4) * 4 if proto == 6 and len(body) > 12 else 0, 17: 8}.get(proto, 0)
    echo = bool(body) and body[0] in _ICMP.get(proto, frozenset())
    return Packet(frame, src, dst, proto, ports[0], ports[1], echo, body[skip:])

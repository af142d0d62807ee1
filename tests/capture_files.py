"""Builds small captures: frames, pcap and pcapng files, in the forms that capture tools write.

pcap: draft-ietf-opsawg-pcap; pcapng: draft-ietf-opsawg-pcapng.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from ipaddress import IPv4Address
from pathlib import Path

Frames = Sequence[tuple[int, bytes]]

START_NS = 1_732_000_000_000_000_000
ETHERNET = 1


def udp_frame(src: str, src_port: int, dst: str, dst_port: int, payload: bytes) -> bytes:
    """Give an Ethernet frame with a UDP datagram over IPv4; checksums are not computed."""
    udp = struct.pack(">HHHH", src_port, dst_port, 8 + len(payload), 0) + payload
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0)
    ip += IPv4Address(src).packed + IPv4Address(dst).packed
    return b"\x02\0\0\0\0\1\x02\0\0\0\0\2\x08\x00" + ip + udp


def exchange(count: int = 4, *, start: int = START_NS, client: str = "10.0.0.1", octet: int = 0xAB) -> Frames:
    """Give `count` frames of one UDP flow, to and fro, a millisecond apart."""
    frames = []
    for number in range(count):
        ends = (client, 40000, "10.0.0.2", 7777) if number % 2 == 0 else ("10.0.0.2", 7777, client, 40000)
        frames.append((start + number * 1_000_000, udp_frame(*ends, bytes([octet]) * (20 + number))))
    return frames


def pcap(frames: Frames, *, nanoseconds: bool = True, big_endian: bool = False, link_type: int = ETHERNET) -> bytes:
    """Give a pcap file."""
    order = ">" if big_endian else "<"
    unit = 1 if nanoseconds else 1000
    magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
    out = bytearray(struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144, link_type))
    for time, frame in frames:
        seconds, fraction = divmod(time, 1_000_000_000)
        out += struct.pack(order + "IIII", seconds, fraction // unit, len(frame), len(frame)) + frame
    return bytes(out)


def pcapng(frames: Frames, *, big_endian: bool = False, link_type: int = ETHERNET) -> bytes:
    """Give a pcapng file with one section and one interface that counts nanoseconds."""
    order = ">" if big_endian else "<"

    def block(kind: int, body: bytes) -> bytes:
        body += b"\0" * (-len(body) % 4)
        length = 12 + len(body)
        return struct.pack(order + "II", kind, length) + body + struct.pack(order + "I", length)

    out = bytearray(block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1)))
    resolution = struct.pack(order + "HHB3x", 9, 1, 9) + struct.pack(order + "HH", 0, 0)
    out += block(1, struct.pack(order + "HHI", link_type, 0, 0) + resolution)
    for time, frame in frames:
        head = struct.pack(order + "IIIII", 0, time >> 32, time & 0xFFFFFFFF, len(frame), len(frame))
        out += block(6, head + frame)
    return bytes(out)


def read_pcap(path: Path) -> tuple[Frames, int]:
    """Give the frames and the link type of a whole little-endian pcap file."""
    data = path.read_bytes()
    magic, *_, link_type = struct.unpack_from("<IHHiIII", data)
    unit = {0xA1B2C3D4: 1000, 0xA1B23C4D: 1}[magic]
    frames, at = [], 24
    while at < len(data):
        seconds, fraction, captured, wire = struct.unpack_from("<IIII", data, at)
        assert captured == wire, "these helpers know whole frames only"
        frames.append((seconds * 1_000_000_000 + fraction * unit, data[at + 16 : at + 16 + captured]))
        at += 16 + captured
    return frames, link_type

"""Captures of an attacker: floods, deep tunnels, overlaps, cut frames, clocks that jump, nothing but zeros.

Each case takes how large it is to be, and gives the octets of a capture in pieces. `small` is for the suite, `large`
for ``python -m tests.hostile``.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .mutations import MEMCAP
from .variants import EXTREMES

PIECE = 1 << 20
_FILE = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)
_MAC = b"\x02\0\0\0\0\1\x02\0\0\0\0\2"
_START = 1_732_000_000
_TCP, _UDP, _IPIP, _GRE, _ICMP = 6, 17, 4, 47, 1
ROOMY = 2 << 30
"""Octets for a flow table that holds a million flows."""
SEED = (0x0123456789ABCDEF, 0xFEDCBA9876543210)
_Words = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of attack, and how large it is in the suite and by command."""

    make: Callable[[int], Iterator[bytes]]
    small: int
    large: int
    memcap: int = MEMCAP
    hash_seed: tuple[int, int] | None = None


def ipv4(
    protocol: int, payload: bytes, *, src: int = 0x0A000001, dst: int = 0x0A000002, at: int = 0, more: bool = False
) -> bytes:
    """Give an IPv4 packet; `at` is its fragment offset in octets."""
    fragment = at >> 3 | more << 13
    length = min(20 + len(payload), 65_535)
    words = 0x4500 + length + 7 + fragment + (64 << 8 | protocol)
    words += (src >> 16) + (src & 0xFFFF) + (dst >> 16) + (dst & 0xFFFF)
    words = (words & 0xFFFF) + (words >> 16)
    checksum = ~(words + (words >> 16)) & 0xFFFF  # without a right one nothing is taken for the inside of a tunnel
    return struct.pack(">BBHHHBBHII", 0x45, 0, length, 7, fragment, 64, protocol, checksum, src, dst) + payload


def tcp(sequence: int, payload: bytes, *, flags: int = 0x18, ports: tuple[int, int] = (40_000, 443)) -> bytes:
    """Give a TCP segment."""
    return struct.pack(">HHIIBBHHH", *ports, sequence & 0xFFFFFFFF, 1, 0x50, flags, 1024, 0, 0) + payload


def udp(payload: bytes, *, ports: tuple[int, int] = (40_000, 1194)) -> bytes:
    """Give a UDP datagram."""
    return struct.pack(">HHHH", *ports, 8 + len(payload) & 0xFFFF, 0) + payload


def record(
    packet: bytes, number: int, *, second: int | None = None, snap: int = 262_144, kind: bytes = b"\x08\0"
) -> bytes:
    """Give a pcap record of an Ethernet frame, 10 us behind the one before."""
    frame = (_MAC + kind + packet)[:snap]
    seconds = (_START + number // 100_000 if second is None else second) & 0xFFFFFFFF
    return struct.pack("<IIII", seconds, number % 100_000 * 10, len(frame), 14 + len(packet)) + frame


def _pieces(records: Iterator[bytes]) -> Iterator[bytes]:
    out = bytearray(_FILE)
    for one in records:
        out += one
        if len(out) >= PIECE:
            yield bytes(out)
            out.clear()
    yield bytes(out)


def syn_flood(count: int) -> Iterator[bytes]:
    """SYNs from forged addresses to one server."""
    syn = tcp(1, b"", flags=2)
    numbers = random.Random(1)
    return _pieces(record(ipv4(_TCP, syn, src=numbers.getrandbits(32)), number) for number in range(count))


def random_tuples(count: int) -> Iterator[bytes]:
    """Datagrams of random ends and payloads."""
    numbers = random.Random(2)

    def one(number: int) -> bytes:
        ports = (numbers.getrandbits(16), numbers.getrandbits(16))
        payload = udp(numbers.randbytes(24), ports=ports)
        return record(ipv4(_UDP, payload, src=numbers.getrandbits(32), dst=numbers.getrandbits(32)), number)

    return _pieces(map(one, range(count)))


def nested(depth: int) -> Iterator[bytes]:
    """Give IPv4 in IPv4, in GRE, and VLAN tags in each other, to every depth up to one."""

    def one(number: int) -> bytes:
        packet = ipv4(_UDP, udp(b"inside"))
        for _ in range(number + 1):
            packet = ipv4(_IPIP, packet) if number % 2 else ipv4(_GRE, b"\0\0\x08\0" + packet)
        return record(packet, number)

    tags = (
        record(b"\0\1\x81\0" * number + b"\0\1\x08\0" + ipv4(_UDP, udp(b"x")), number, kind=b"\x81\0")
        for number in range(depth)
    )
    return _pieces(piece for pair in zip(map(one, range(depth)), tags, strict=True) for piece in pair)


def overlapping(count: int) -> Iterator[bytes]:
    """Fragments and segments over each other, with other contents, out of order, never complete."""
    numbers = random.Random(3)

    def one(number: int) -> bytes:
        octets = numbers.randbytes(numbers.choice((8, 24, 600)))
        if number % 2:
            at = numbers.randrange(0, 65_528, 8)
            return record(ipv4(_UDP, octets, at=at, more=numbers.random() < 0.9, src=number % 64), number)
        return record(ipv4(_TCP, tcp(numbers.randrange(3000), octets), src=number % 64), number)

    return _pieces(map(one, range(count)))


def snapped(count: int) -> Iterator[bytes]:
    """Frames of which 0 to 96 octets were kept."""
    whole = (ipv4(_TCP, tcp(1, bytes(500))), ipv4(_UDP, udp(bytes(500))), ipv4(_IPIP, ipv4(_UDP, udp(bytes(50)))))
    return _pieces(record(whole[number % 3], number, snap=number % 97) for number in range(count))


def jumping(count: int) -> Iterator[bytes]:
    """A clock that jumps over years, back, and to both ends of what the container can say."""
    seconds = (0, 1, _START, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, _START - 86_400, _START + 400 * 86_400)
    packet = ipv4(_UDP, udp(b"tick"))
    return _pieces(record(packet, number, second=seconds[number * 5 % len(seconds)]) for number in range(count))


def zeros(octets: int) -> Iterator[bytes]:
    """Give nothing but zeros."""
    for _ in range(octets // PIECE):
        yield bytes(PIECE)


def zero_records(octets: int) -> Iterator[bytes]:
    """Give a good file header, then zeros: each 16 of them are a record without a frame."""
    yield _FILE
    yield from zeros(octets)


def interfaces(count: int) -> Iterator[bytes]:
    """Give a pcapng of so many interfaces, and a packet of each hundredth."""
    yield struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
    block = struct.pack("<IIHHII", 1, 20, 1, 0, 0, 20)
    for at in range(0, count, 10_000):
        yield block * min(10_000, count - at)
    frame = (_MAC + b"\x08\0" + ipv4(_UDP, udp(b"xx"))).ljust(44, b"\0")
    for number in range(0, count, 100):
        yield (
            struct.pack("<IIIIIII", 6, 32 + len(frame), number, 0, number, len(frame), len(frame))
            + frame
            + struct.pack("<I", 32 + len(frame))
        )


def lengths(count: int) -> Iterator[bytes]:
    """Give packets in which a field of one or two octets, wherever it lies, has an extreme value."""
    whole = (
        ipv4(_TCP, tcp(1, bytes(60))),
        ipv4(_UDP, udp(bytes(60))),
        ipv4(_GRE, b"\0\0\x08\0" + ipv4(_UDP, udp(b"x" * 9))),
    )

    def one(number: int) -> bytes:
        packet = bytearray(whole[number % 3])
        at, width = number // 3 % 60, 1 + number // 180 % 2
        packet[at : at + width] = (EXTREMES[number // 360 % len(EXTREMES)] & (256**width - 1)).to_bytes(width, "big")
        return record(bytes(packet), number)

    return _pieces(map(one, range(count)))


def _sip(key: tuple[int, int], words: int) -> int:
    """Give SipHash-2-4 of so many words, all zero."""
    mask = (1 << 64) - 1
    v = [
        part ^ constant
        for part, constant in zip(
            key * 2,
            (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573),
            strict=True,
        )
    ]

    def rotated(word: int, by: int) -> int:
        return (word << by | word >> 64 - by) & mask

    def rounds(count: int) -> None:
        for _ in range(count):
            v[0] = v[0] + v[1] & mask
            v[1] = rotated(v[1], 13) ^ v[0]
            v[0] = rotated(v[0], 32)
            v[2] = v[2] + v[3] & mask
            v[3] = rotated(v[3], 16) ^ v[2]
            v[0] = v[0] + v[3] & mask
            v[3] = rotated(v[3], 21) ^ v[0]
            v[2] = v[2] + v[1] & mask
            v[1] = rotated(v[1], 17) ^ v[2]
            v[2] = rotated(v[2], 32)

    rounds(2 * words)
    v[3] ^= 8 * words << 56
    rounds(2)
    v[0] ^= 8 * words << 56
    v[2] ^= 0xFF
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def _product(one: _Words, other: _Words) -> tuple[_Words, _Words]:
    """Give the upper and the lower half of products of 128 bits."""
    half, low = np.uint64(32), np.uint64(0xFFFFFFFF)
    both_low = (one & low) * (other & low)
    middle = (one >> half) * (other & low) + (both_low >> half)
    second = (one & low) * (other >> half) + (middle & low)
    return (one >> half) * (other >> half) + (middle >> half) + (second >> half), one * other


def place_hash(one: _Words, other: _Words, seed: tuple[int, int]) -> _Words:
    """Give where flows of IPv4 lie, from the two words of their keys (native/src/base/place_hash.hpp)."""
    secrets = [np.uint64(_sip(seed, number + 1)) for number in range(12)]
    high, low = _product(one + secrets[0], other + secrets[1])
    high, low = _product(high + secrets[10], low + secrets[11])
    return high ^ low


def colliding_ends(count: int) -> Iterator[tuple[int, int]]:
    """Give addresses and ports whose flows lie in one 64th of the index, once that is as large as they need."""
    top = (2 * count - 1).bit_length()
    mask = np.uint64((1 << top) - (1 << (top - 6)))
    found, at, step = 0, 0, 1 << 20
    while found < count:
        numbers = np.arange(at, at + step, dtype=np.uint64)
        address = np.uint64(0x0B000000) + (numbers & np.uint64(0xFFFFFF))
        port = np.uint64(1024) + (numbers >> np.uint64(24))
        ends = np.uint64(0x0A000001 << 32) | address
        rest = port << np.uint64(48) | np.uint64(1194 << 32 | 0xFFFF << 16 | _UDP << 8 | 4)
        chosen = np.flatnonzero(place_hash(ends, rest, SEED) & mask == 0)[: count - found]
        yield from zip(address[chosen].tolist(), port[chosen].tolist(), strict=True)
        found, at = found + len(chosen), at + step


def colliding(count: int) -> Iterator[bytes]:
    """Datagrams of so many flows whose places in the table are one, to who knows the seed."""
    return _pieces(
        record(ipv4(_UDP, udp(b"", ports=(port, 1194)), dst=address), number // 10)
        for number, (address, port) in enumerate(colliding_ends(count))
    )


CASES: dict[str, Case] = {
    "syn_flood": Case(syn_flood, 30_000, 2_000_000),
    "random_tuples": Case(random_tuples, 30_000, 2_000_000),
    "nested": Case(nested, 60, 1_000),
    "overlapping": Case(overlapping, 10_000, 500_000),
    "snapped": Case(snapped, 10_000, 500_000),
    "jumping": Case(jumping, 4_000, 500_000),
    "zeros": Case(zeros, 32 << 20, 4 << 30),
    "zero_records": Case(zero_records, 4 << 20, 1 << 30),
    "interfaces": Case(interfaces, 70_000, 1_000_000),
    "lengths": Case(lengths, 7_200, 7_200),
    "colliding": Case(colliding, 60_000, 1_000_000, ROOMY, SEED),
    "colliding_unknown": Case(colliding, 60_000, 1_000_000, ROOMY),
}

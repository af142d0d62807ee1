"""Takes captures. Gives broken variants of them: cut, bits flipped, blocks swapped, length fields at their extremes.

The same number and seed give the same variant on every machine, so a variant that broke something is named by two
integers.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

from flowclass.errors import SourceError
from flowclass.sources.stream import MemorySource

MOST_OCTETS = 1 << 20  # of a capture that is broken: what lies behind is as good as cut off
EXTREMES = (0, 1, 2, 3, 4, 7, 8, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0xFFFFFF, 1 << 24)
EXTREMES += (0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
_PCAP = {b"\xd4\xc3\xb2\xa1": "<", b"\x4d\x3c\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">", b"\xa1\xb2\x3c\x4d": ">"}
_SECTION = b"\x0a\x0d\x0d\x0a"


def octets_of(path: Path) -> bytes:
    """Give the first octets of a capture, decompressed as far as that goes."""
    stored = path.read_bytes()
    out = bytearray()
    try:
        for piece in MemorySource(stored).slices():
            out += piece
            if len(out) >= MOST_OCTETS:
                break
    except SourceError:
        pass  # some of the public ones are cut on purpose
    return bytes(out[:MOST_OCTETS])


def blocks_of(data: bytes) -> list[int]:
    """Give where the records of a pcap, or the blocks of a pcapng, begin, and where the last one ends.

    Only as far as the file is whole; a file of another kind is cut into pieces of 64 octets.
    """
    order = _PCAP.get(data[:4])
    places = []
    if order is not None:
        at = 24
        while at + 16 <= len(data):
            places.append(at)
            at += 16 + int(struct.unpack_from(order + "I", data, at + 8)[0])
    elif data[:4] == _SECTION and len(data) >= 12:
        order = "<" if data[8:12] == b"\x4d\x3c\x2b\x1a" else ">"
        at = 0
        while at + 12 <= len(data):
            places.append(at)
            at += max(12, int(struct.unpack_from(order + "I", data, at + 4)[0]))
    else:
        places, at = list(range(0, len(data), 64)), len(data)
    return [*places, min(at, len(data))]


def cut(data: bytearray, numbers: random.Random) -> None:
    """Take the end off."""
    del data[numbers.randrange(len(data) + 1) :]


def flip(data: bytearray, numbers: random.Random) -> None:
    """Flip up to 64 bits."""
    for _ in range(numbers.choice((1, 2, 8, 64))):
        data[numbers.randrange(len(data))] ^= 1 << numbers.randrange(8)


def swap(data: bytearray, numbers: random.Random) -> None:
    """Swap records or blocks; the last of them may be the rest of the file."""
    places = blocks_of(bytes(data))
    pieces = [bytes(data[begin:end]) for begin, end in pairwise(places)]
    ahead, behind = bytes(data[: places[0]]), bytes(data[places[-1] :])
    for _ in range(numbers.choice((1, 4, 16))):
        if len(pieces) > 1:
            left, right = numbers.randrange(len(pieces)), numbers.randrange(len(pieces))
            pieces[left], pieces[right] = pieces[right], pieces[left]
    data[:] = ahead + b"".join(pieces) + behind


def repeat(data: bytearray, numbers: random.Random) -> None:
    """Write a record or block once more, somewhere among the others."""
    places = blocks_of(bytes(data))
    which = numbers.randrange(max(1, len(places) - 1))
    piece = bytes(data[places[which] : places[min(which + 1, len(places) - 1)]])
    at = numbers.choice(places)
    data[at:at] = piece


def stretch(data: bytearray, numbers: random.Random) -> None:
    """Put extreme numbers where fields are: of the container near a block's start, of packets anywhere in it."""
    places = blocks_of(bytes(data))
    for _ in range(numbers.choice((1, 3))):
        at = numbers.choice(places) + numbers.choice((0, 4, 8, 12, 16, numbers.randrange(80)))
        width = numbers.choice((1, 2, 4))
        value = numbers.choice(EXTREMES) & ((1 << 8 * width) - 1)
        data[at : at + width] = value.to_bytes(width, numbers.choice(("little", "big")))


BREAKERS: tuple[Callable[[bytearray, random.Random], None], ...] = (cut, flip, swap, repeat, stretch)


def variant(files: Sequence[bytes], number: int, seed: int) -> bytes:
    """Give a variant: of the files in turn, broken in one to three ways.

    Parameters
    ----------
    files : sequence of bytes
        Captures.
    number : int
        Which variant.
    seed : int
        Another one gives other variants.
    """
    numbers = random.Random(seed << 64 | number)
    data = bytearray(files[number % len(files)])
    for _ in range(numbers.choice((1, 1, 2, 3))):
        if data:
            numbers.choice(BREAKERS)(data, numbers)
    return bytes(data)

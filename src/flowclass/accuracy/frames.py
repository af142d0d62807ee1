"""Takes the octets of a capture. Gives its frames as they stand there, and writes frames as a capture.

pcap (draft-ietf-opsawg-pcap) and pcapng (draft-ietf-opsawg-pcapng) in either byte order. It stands apart from the
native reader on purpose: what a view holds must not depend on what is measured with it. A capture that is cut or
garbled gives the frames before that place.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from flowclass.errors import SourceError

SECOND = 1_000_000_000
MOST_OCTETS = 1 << 26
_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _PACKET = 0x0A0D0D0A, 1, 2, 3, 6
_MAGICS = {  # pcap: units of the fraction of a second in ns, octets of a record's header
    0xA1B2C3D4: (1000, 16),
    0xA1B23C4D: (1, 16),
    0xA1B2CD34: (1000, 24),
}
_SNAP_LENGTH = 262_144
_TIME_RESOLUTION, _TIME_OFFSET = 9, 14


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame as it stands in a capture.

    Parameters
    ----------
    time : int
        ns since 1970 UTC; 0 where the capture has none.
    link_type : int
        LINKTYPE number.
    octets : bytes
        What was captured.
    wire_length : int
        Octets it had on the wire.
    """

    time: int
    link_type: int
    octets: bytes
    wire_length: int


def read_frames(capture: bytes) -> list[Frame]:
    """Give all frames in their order.

    Raises
    ------
    SourceError
        When the octets are neither pcap nor pcapng.
    """
    if len(capture) >= 24:
        for order in ("<", ">"):
            magic = struct.unpack_from(order + "I", capture)[0]
            if magic in _MAGICS:
                return list(_pcap(capture, order, *_MAGICS[magic]))
        if struct.unpack_from("<I", capture)[0] == _SECTION:
            return list(_pcapng(capture))
    raise SourceError("neither pcap nor pcapng; convert it with tshark -r FILE -w NEW.pcapng")


def write_pcap(frames: Iterable[Frame]) -> bytes:
    """Give a pcap file with nanoseconds.

    Raises
    ------
    ValueError
        When the frames have several link types, which a pcap file cannot say.
    """
    out = bytearray()
    link_type = None
    for frame in frames:
        if link_type is None:
            link_type = frame.link_type
        if frame.link_type != link_type:
            raise ValueError(f"frames of link types {link_type} and {frame.link_type} do not go into one pcap file")
        seconds, rest = divmod(frame.time, SECOND)
        out += struct.pack("<IIII", seconds & 0xFFFFFFFF, rest, len(frame.octets), frame.wire_length) + frame.octets
    return struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, _SNAP_LENGTH, link_type or 0) + bytes(out)


def _pcap(capture: bytes, order: str, unit: int, header: int) -> Iterator[Frame]:
    link_type = struct.unpack_from(order + "I", capture, 20)[0] & 0x0FFFFFFF  # above: octets of a check sequence
    record = struct.Struct(order + "IIII")
    at = 24
    while at + header <= len(capture):
        seconds, fraction, captured, wire = record.unpack_from(capture, at)
        at += header
        if captured > MOST_OCTETS or at + captured > len(capture):
            return
        yield Frame(seconds * SECOND + fraction * unit, link_type, capture[at : at + captured], wire)
        at += captured


@dataclass(slots=True)
class _Interface:
    link_type: int
    snap_length: int
    ticks: int = 1_000_000  # in a second
    offset: int = 0  # in seconds

    def time(self, high: int, low: int) -> int:
        return self.offset * SECOND + ((high << 32 | low) * SECOND) // self.ticks


def _pcapng(capture: bytes) -> Iterator[Frame]:
    order, at = "<", 0
    interfaces: list[_Interface] = []
    while at + 12 <= len(capture):
        kind = struct.unpack_from(order + "I", capture, at)[0]
        if kind == _SECTION:
            order = "<" if capture[at + 8 : at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            interfaces = []
        length = struct.unpack_from(order + "I", capture, at + 4)[0]
        if length < 12 or length % 4 or at + length > len(capture):
            return
        body = capture[at + 8 : at + length - 4]
        at += length
        try:
            if kind == _INTERFACE:
                interfaces.append(_interface(body, order))
            elif kind in (_PACKET, _OLD_PACKET, _SIMPLE_PACKET):
                yield _packet(kind, body, order, interfaces)
        except (struct.error, IndexError):
            return  # a block too short for its kind, or a packet of an interface that nobody described


def _packet(kind: int, body: bytes, order: str, interfaces: list[_Interface]) -> Frame:
    if kind == _SIMPLE_PACKET:
        one, time = interfaces[0], 0
        wire = struct.unpack_from(order + "I", body)[0]
        captured, start = min(wire, one.snap_length or wire, len(body) - 4), 4
    else:
        number, high, low, captured, wire = struct.unpack_from(
            order + ("IIIII" if kind == _PACKET else "HxxIIII"), body
        )
        one = interfaces[number]
        time, start = one.time(high, low), 20
    if start + captured > len(body):
        raise IndexError
    return Frame(time, one.link_type, body[start : start + captured], wire)


def _interface(body: bytes, order: str) -> _Interface:
    link_type, snap_length = struct.unpack_from(order + "HxxI", body)
    one = _Interface(link_type, snap_length)
    at = 8
    while at + 4 <= len(body):
        code, length = struct.unpack_from(order + "HH", body, at)
        value = body[at + 4 : at + 4 + length]
        if code == 0:
            break
        if code == _TIME_RESOLUTION and value:
            one.ticks = 1 << (value[0] & 0x7F) if value[0] & 0x80 else 10 ** min(value[0], 30)
        if code == _TIME_OFFSET and len(value) == 8:
            one.offset = struct.unpack(order + "q", value)[0]
        at += 4 + length + -length % 4
    return one

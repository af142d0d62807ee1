"""Takes a frame. Gives the two ends of the outermost IP packet in it: as much decoding as cutting a capture needs.

It stands apart from the native decoder on purpose, and a test compares the two over whole captures. A frame of
another kind, or one too short or too odd to be told, has no ends.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TypeAlias

from flowclass.accuracy.frames import Frame
from flowclass.accuracy.labels import Key

TCP, UDP = 6, 17
_WITH_PORTS = frozenset({TCP, UDP, 132, 136})  # SCTP, UDP-Lite
_IPV6_EXTENSIONS = frozenset({0, 43, 60, 135, 139, 140})
_IPV6_FRAGMENT = 44
_MOST_SHIMS = 16

End: TypeAlias = tuple[bytes, int]
Fragment: TypeAlias = tuple[bytes, bytes, int, int]


@dataclass(frozen=True, slots=True)
class Ends:
    """Who sent a packet to whom.

    Parameters
    ----------
    src, dst : (bytes, int)
        Packed address and port; 0 where there are no ports.
    ip_proto : int
        IANA number.
    opens : bool
        TCP: a SYN without an ACK.
    answers : bool
        TCP: a SYN with an ACK.
    payload : bool
        Whether anything follows the headers up to the ports.
    fragment : tuple or None
        What a packet's fragments have in common, where it is one.
    ports_known : bool
        False of later fragments, which have no ports of their own.
    """

    src: End
    dst: End
    ip_proto: int
    opens: bool = False
    answers: bool = False
    payload: bool = True
    fragment: Fragment | None = None
    ports_known: bool = True

    @property
    def key(self) -> Key:
        """The flow, the smaller end first."""
        return (self.src, self.dst, self.ip_proto) if self.src <= self.dst else (self.dst, self.src, self.ip_proto)


def ends_of(frame: Frame) -> Ends | None:
    """Give the ends of the outermost IP packet; None where there is none to be told."""
    try:
        packet = _ip_packet(frame)
        if packet is None or not packet:
            return None
        return {4: _ipv4, 6: _ipv6}.get(packet[0] >> 4, _nothing)(packet)
    except (struct.error, IndexError):
        return None


def _nothing(packet: bytes) -> None:
    del packet


def _ip_packet(frame: Frame) -> bytes | None:
    """Take off the link's header and what stands between it and IP: VLAN tags, MPLS labels, PPPoE."""
    octets, link = frame.octets, frame.link_type
    if link in (12, 14, 101, 228, 229):  # RAW, IPV4, IPV6
        return octets
    if link in (0, 108):  # NULL, LOOP
        family = struct.unpack_from("<I", octets)[0]
        return octets[4:] if {family, family >> 24} & {2, 10, 24, 28, 30} else None
    if link in (9, 50):  # PPP, PPP_HDLC
        return _of_ppp(octets)
    at = {1: 12, 113: 14, 276: 0, 104: 2}.get(link)  # ETHERNET, LINUX_SLL, LINUX_SLL2, C_HDLC: the EtherType's place
    if at is None:
        return None
    kind = struct.unpack_from("!H", octets, at)[0]
    at = 20 if link == 276 else at + 2
    for _ in range(_MOST_SHIMS):
        if kind in (0x0800, 0x86DD):
            return octets[at:]
        if kind in (0x8100, 0x88A8, 0x9100, 0x9200):
            kind = struct.unpack_from("!H", octets, at + 2)[0]
            at += 4
        elif kind in (0x8847, 0x8848):
            bottom = octets[at + 2] & 1
            at += 4
            kind = {4: 0x0800, 6: 0x86DD}.get(octets[at] >> 4, 0) if bottom else kind
        elif kind == 0x8864:
            return _of_ppp(octets[at + 6 :])
        else:
            return None
    return None


def _of_ppp(octets: bytes) -> bytes | None:
    at = 2 if octets[:2] == b"\xff\x03" else 0
    protocol = octets[at] if octets[at] & 1 else struct.unpack_from("!H", octets, at)[0]
    at += 1 if octets[at] & 1 else 2
    return octets[at:] if protocol in (0x21, 0x57) else None


def _ipv4(packet: bytes) -> Ends | None:
    header = (packet[0] & 15) * 4
    total, identification, place, proto = struct.unpack_from("!HHHxB", packet, 2)
    if header < 20 or len(packet) < 20:
        return None
    fragment = (packet[12:16], packet[16:20], proto, identification) if place & 0x3FFF else None
    length = (total or len(packet)) - header
    addresses, first = (packet[12:16], packet[16:20]), place & 0x1FFF == 0
    return _transport(addresses, proto, packet[header:], length=length, fragment=fragment, first=first)


def _ipv6(packet: bytes) -> Ends | None:
    length, proto = struct.unpack_from("!HB", packet, 4)
    length = length or len(packet) - 40
    addresses = packet[8:24], packet[24:40]
    if len(packet) < 40:
        return None
    at, fragment, first = 40, None, True
    while proto in _IPV6_EXTENSIONS or proto == _IPV6_FRAGMENT:
        if proto == _IPV6_FRAGMENT:
            place, identification = struct.unpack_from("!HI", packet, at + 2)
            proto, at = packet[at], at + 8
            if place & 0xFFF9:
                fragment, first = (*addresses, proto, identification), place & 0xFFF8 == 0
            if not first:
                break
        else:
            proto, at = packet[at], at + 8 * (packet[at + 1] + 1)
    return _transport(addresses, proto, packet[at:], length=length + 40 - at, fragment=fragment, first=first)


def _transport(
    addresses: tuple[bytes, bytes],
    proto: int,
    body: bytes,
    *,
    length: int,
    fragment: Fragment | None,
    first: bool,
) -> Ends:
    src, dst = addresses
    if proto not in _WITH_PORTS:
        return Ends((src, 0), (dst, 0), proto, fragment=fragment)
    if not first:
        return Ends((src, 0), (dst, 0), proto, fragment=fragment, ports_known=False)
    src_port, dst_port = struct.unpack_from("!HH", body)
    ends = (src, src_port), (dst, dst_port)
    if proto != TCP:
        return Ends(*ends, proto, payload=length > (12 if proto == 132 else 8), fragment=fragment)
    offset, flags = body[12] >> 4, body[13]
    syn, ack = bool(flags & 2), bool(flags & 16)
    return Ends(*ends, proto, syn and not ack, syn and ack, length > 4 * offset, fragment)

"""Flows of `datasets/captures` as templates to copy.

Takes the captures and their labels. Gives for every labelled flow its frames as pcap records, and where in each
record the addresses, the client's port and the checksums lie. It stands apart from the product's reader on purpose:
the truth of a benchmark must not depend on what it measures.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

__all__ = [
    "CAPTURES",
    "RECORD_HEADER",
    "Key",
    "NotEthernet",
    "Packet",
    "Record",
    "Template",
    "frames",
    "packets",
    "read_templates",
    "template",
]

CAPTURES = Path(__file__).resolve().parent.parent / "datasets" / "captures"
RECORD_HEADER = 16
VPN_FAMILIES = frozenset({"openvpn", "wireguard", "ike", "esp", "ah"})

_PCAP_UNITS = {b"\xd4\xc3\xb2\xa1": ("<", 1000), b"\x4d\x3c\xb2\xa1": ("<", 1), b"\xa1\xb2\xc3\xd4": (">", 1000)}
_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_TCP, _UDP, _ICMP6 = 6, 17, 58
_L4_HEADER = {_TCP: 20, _UDP: 8}
_L4_CHECKSUM = {_TCP: 16, _UDP: 6, _ICMP6: 2}
_ETHERNET = 14
_LINK_ETHERNET = 1
_EPHEMERAL = 32768

Key = tuple[bytes, bytes, int, int, int]  # addresses and ports with the smaller end first, IP protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One frame behind room for a pcap record header; offsets count from the record's start, 0 means there is none."""

    data: bytes
    time_ns: int
    client: int  # of the last four octets of the client's address
    server: int
    port: int  # of the client's port
    ip_checksum: int
    l4_checksum: int
    is_udp: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A whole flow of a capture, its label, and what stands in its address fields."""

    capture: str
    frame: int
    family: str
    variant: str | None
    ip_proto: int
    client: bytes
    server: bytes
    client_port: int
    rewrites_port: bool
    accept: tuple[str, ...] = ()  # names that are right too
    records: list[Record] = field(default_factory=list)

    @property
    def is_vpn(self) -> bool:
        """Whether the label names a VPN protocol."""
        return self.family in VPN_FAMILIES

    @property
    def bytes(self) -> int:
        """Octets of one copy in the trace, record headers included."""
        return sum(len(record.data) for record in self.records)


class NotEthernet(ValueError):
    """The capture is of something else, or no capture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """An IP packet of a capture."""

    frame: int
    time_ns: int
    data: bytes
    src: bytes
    dst: bytes
    proto: int
    ports: tuple[int, int]
    l4: int  # offset of the transport header, 0 in later fragments
    whole: bool  # captured to its end

    @property
    def key(self) -> Key:
        """Name the flow it is of."""
        ends = sorted([(self.src, self.ports[0]), (self.dst, self.ports[1])])
        return ends[0][0], ends[1][0], ends[0][1], ends[1][1], self.proto


def read_templates(captures: Path = CAPTURES) -> list[Template]:
    """Give one template for each labelled flow that can be copied by changing addresses and a port.

    In the order of the labels. Left out: families that no fingerprint has a name for (``other-...``), captures not of
    Ethernet, and whatever is cut or comes in pieces.
    """
    labels: dict[str, list[dict[str, object]]] = {}
    for line in (captures.parent / "labels.jsonl").read_text().splitlines():
        label = json.loads(line)
        if not label["family"].startswith("other-"):
            labels.setdefault(label["capture"], []).append(label)
    found = []
    for name, of_capture in sorted(labels.items()):
        flows: dict[Key, list[Packet]] = {}
        try:
            for packet in packets(frames((captures / name).read_bytes())):
                flows.setdefault(packet.key, []).append(packet)
        except NotEthernet:
            continue
        first = {flow[0].frame: flow for flow in flows.values()}
        for label in of_capture:
            flow = first.get(int(str(label["frame"])))
            if flow is not None and all(packet.whole for packet in flow):
                found.append(template(label, flow))
    return found


def template(label: dict[str, object], flow: list[Packet]) -> Template:
    """Make a template of a flow's packets; the first one's sender is the client."""
    begin = flow[0]
    variant = label["variant"]
    accept = label.get("accept") or ()
    made = Template(
        capture=str(label["capture"]),
        frame=begin.frame,
        family=str(label["family"]),
        variant=None if variant is None else str(variant),
        accept=tuple(map(str, accept)) if isinstance(accept, list) else (),
        ip_proto=begin.proto,
        client=begin.src,
        server=begin.dst,
        client_port=begin.ports[0],
        rewrites_port=begin.proto in (_TCP, _UDP) and begin.ports[0] >= _EPHEMERAL and begin.ports[0] != begin.ports[1],
    )
    latest = begin.time_ns
    for packet in flow:
        latest = max(latest, packet.time_ns)
        made.records.append(_record(packet, made, latest - begin.time_ns))
    return made


def _record(packet: Packet, flow: Template, time_ns: int) -> Record:
    version4 = len(packet.src) == 4
    source = RECORD_HEADER + _ETHERNET + (12 if version4 else 20)
    destination = source + len(packet.src)
    from_client = packet.src == flow.client and packet.ports[0] == flow.client_port
    l4 = packet.l4 + RECORD_HEADER if packet.l4 else 0
    checksum = l4 + _L4_CHECKSUM[packet.proto] if l4 and packet.proto in _L4_CHECKSUM else 0
    if checksum and packet.proto == _UDP and packet.data[checksum - RECORD_HEADER :][:2] == b"\0\0":
        checksum = 0  # RFC 768: none was computed
    length = len(packet.data)
    return Record(
        data=struct.pack("<IIII", 0, 0, length, length) + packet.data,
        time_ns=time_ns,
        client=source if from_client else destination,
        server=destination if from_client else source,
        port=(l4 + (0 if from_client else 2)) if flow.rewrites_port and l4 else 0,
        ip_checksum=RECORD_HEADER + _ETHERNET + 10 if version4 else 0,
        l4_checksum=checksum,
        is_udp=packet.proto == _UDP,
    )


def packets(captured: Iterable[tuple[int, int, bytes]]) -> Iterator[Packet]:
    """Give the IP packets among frames (time, length on the wire, octets)."""
    fragments: dict[bytes, tuple[int, int]] = {}
    for frame, (time_ns, wire, data) in enumerate(captured, start=1):
        if len(data) < _ETHERNET + 20:
            continue
        kind = struct.unpack_from("!H", data, 12)[0]
        if kind == 0x0800:
            proto, src, dst = data[23], data[26:30], data[30:34]
            l4 = _ETHERNET + (data[14] & 15) * 4
            offset = struct.unpack_from("!H", data, 20)[0]
            datagram = data[18:20] + data[23:24] + data[26:34]
            later, more = (offset & 0x1FFF) > 0, (offset & 0x2000) > 0
        elif kind == 0x86DD and len(data) >= _ETHERNET + 40:
            proto, src, dst = data[20], data[22:38], data[38:54]
            l4, later, more, datagram = _ETHERNET + 40, False, False, b""
        else:
            continue
        ports = (0, 0)
        room = l4 + _L4_HEADER.get(proto, 4) <= len(data)
        if proto in (_TCP, _UDP) and (later or room):
            ports = fragments.get(datagram, (0, 0)) if later else struct.unpack_from("!HH", data, l4)
        if more and not later:
            fragments[datagram] = ports
        yield Packet(
            frame=frame,
            time_ns=time_ns,
            data=data,
            src=src,
            dst=dst,
            proto=proto,
            ports=ports,
            l4=0 if later else l4,
            whole=wire == len(data) and room,
        )


def frames(capture: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Give time in ns, length on the wire and octets of each frame of a pcap or pcapng of Ethernet.

    Raises
    ------
    NotEthernet
        If it is something else.
    """
    if capture[:4] == b"\x0a\x0d\x0d\x0a":
        yield from _pcapng_frames(capture)
        return
    if capture[:4] not in _PCAP_UNITS:
        raise NotEthernet
    order, unit = _PCAP_UNITS[capture[:4]]
    if struct.unpack_from(order + "I", capture, 20)[0] & 0xFFFF != _LINK_ETHERNET:
        raise NotEthernet
    at = 24
    while at + 16 <= len(capture):
        seconds, fraction, length, wire = struct.unpack_from(order + "IIII", capture, at)
        yield seconds * 1_000_000_000 + fraction * unit, wire, capture[at + 16 : at + 16 + length]
        at += 16 + length


def _pcapng_frames(capture: bytes) -> Iterator[tuple[int, int, bytes]]:
    at, unit = 0, 1000
    while at + 12 <= len(capture):
        kind, length = struct.unpack_from("<II", capture, at)
        if length < 12:
            raise NotEthernet
        if kind == _INTERFACE:
            if struct.unpack_from("<H", capture, at + 8)[0] != _LINK_ETHERNET:
                raise NotEthernet
            unit = _resolution(capture[at + 16 : at + length - 4])
        elif kind == _PACKET:
            high, low, captured, wire = struct.unpack_from("<IIII", capture, at + 12)
            yield (high << 32 | low) * unit, wire, capture[at + 28 : at + 28 + captured]
        at += length


def _resolution(options: bytes) -> int:
    """Nanoseconds of a time unit: option if_tsresol (9), a power of ten, microseconds without it."""
    at = 0
    while at + 4 <= len(options):
        code, length = struct.unpack_from("<HH", options, at)
        if code == 9:
            return int(10 ** (9 - options[at + 4])) if options[at + 4] <= 9 else 1000
        at += 4 + (length + 3) // 4 * 4
    return 1000

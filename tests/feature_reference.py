"""The feature columns once more, in plain Python and numpy: frames to packets, packets to numbers.

It shares no code with the native core. Packets are the outermost IP packets of frames, and those in IP-in-IP, GRE,
VXLAN and Geneve; frames of rarer links and what lies in other tunnels are left to other tests. A packet belongs to
the row with its ends, VLANs and frame number, so that when flows begin and end is not computed again here.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from itertools import pairwise
from typing import Any

import numpy as np
from community_id import ANSWERS, community_id

FIRST_PACKETS = 16
IDLE_GAP_NS = 5_000_000_000
TCP, UDP, ICMP, ICMPV6, FRAGMENT = 6, 17, 1, 58, 44
FLAGS = ("fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr")
EXTENSIONS = (0, 43, 60, 135)
VLAN_TAGS = (0x8100, 0x88A8, 0x9100)
NULL, ETHERNET, SLL, SLL2 = (0, 108), 1, 113, 276
RAW = (12, 14, 101, 228, 229)
FRAGMENT_MEMORY_NS = 30_000_000_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where an IP packet was: in which frame, when, behind which VLAN tags, in how many tunnels."""

    frame: int
    time: int
    vlans: tuple[int, ...]
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Packet:
    """An IP packet."""

    place: Place
    src: str
    src_port: int
    community: str
    key: tuple[Any, ...]  # of its flow, but for VLANs and tunnels
    length: int
    proto: int
    flags: int | None = None  # of a TCP header
    window: int | None = None


class Decoder:
    """Frames to packets, as RFC 791, 8200, 9293 and 768 have them; it remembers ports of first fragments."""

    def __init__(self) -> None:
        self._ports: dict[tuple[Any, ...], tuple[int, tuple[int, int]]] = {}

    def packets(self, frames: Iterable[Any]) -> Iterator[Packet]:
        """Give the packets of frames with ``time, link_type, octets, wire_length``, numbered from 1."""
        for number, frame in enumerate(frames, 1):
            found = _network(frame.link_type, frame.octets)
            if found is not None:
                at, vlans = found
                wire = frame.wire_length - at
                try:
                    yield from self._ip(Place(number, frame.time, vlans), frame.octets[at:], wire)
                except (struct.error, IndexError):
                    continue

    def _ip(self, place: Place, data: bytes, wire: int) -> Iterator[Packet]:
        version = data[0] >> 4
        ident: tuple[Any, ...] | None = None
        offset = 0
        if version == 4:
            header = (data[0] & 15) * 4
            length, ip_id, fragment = struct.unpack_from(">HHH", data, 2)
            src, dst = _text(data[12:16]), _text(data[16:20])
            if len(data) < 20 or header < 20:
                return
            proto = data[9]
            if fragment & 0x3FFF:
                ident, offset = (src, dst, proto, ip_id), fragment & 0x1FFF
            length = length or wire
            body = data[header:length]
        elif version == 6:
            length = struct.unpack_from(">H", data, 4)[0]
            length = 40 + length if length else wire
            src, dst = _text(data[8:24]), _text(data[24:40])
            if len(data) < 40:
                return
            proto, body = data[6], data[40:length]
            while proto in EXTENSIONS or proto == FRAGMENT:
                following = body[0]
                if proto == FRAGMENT:
                    field, ip_id = struct.unpack_from(">HI", body, 2)
                    if field & 0xFFF9:
                        ident, offset = (src, dst, ip_id), field >> 3
                    size = 8
                else:
                    size = 8 * (body[1] + 1)
                if len(body) < size:
                    return
                proto, body = following, body[size:]
                if offset:
                    break
        else:
            return
        ports = self._ports_of(proto, body, ident, offset, place.time)
        flags = window = None
        if proto == TCP and offset == 0:
            flags = struct.unpack_from(">H", body, 12)[0] & 0xFF
            window = struct.unpack_from(">H", body, 14)[0] if len(body) >= 16 else None
        community, key = _names(src, dst, proto, *ports)
        yield Packet(place, src, ports[0], community, key, length, proto, flags, window)
        if offset == 0 and ident is None:
            inside = _inside(proto, ports[1], body)
            if inside is not None:
                deeper = Place(place.frame, place.time, place.vlans + inside[1], place.depth + 1)
                yield from self._ip(deeper, inside[0], len(inside[0]))

    def _ports_of(
        self, proto: int, body: bytes, ident: tuple[Any, ...] | None, offset: int, time: int
    ) -> tuple[int, int]:
        if offset:
            seen, ports = self._ports.get(ident or (), (-FRAGMENT_MEMORY_NS, (0, 0)))
            return ports if 0 <= time - seen <= FRAGMENT_MEMORY_NS else (0, 0)
        ports = (0, 0)
        if proto in (TCP, UDP, 132, 136):
            ports = struct.unpack_from(">HH", body)
        elif proto in (ICMP, ICMPV6):
            ports = (body[0], body[1])
        if ident is not None:
            self._ports[ident] = (time, ports)
        return ports


def _inside(proto: int, port: int, body: bytes) -> tuple[bytes, tuple[int, ...]] | None:
    """Give the IP packet in IP-in-IP (RFC 2003, 4213), GRE (RFC 2784, 2890), VXLAN (RFC 7348), Geneve (RFC 8926)."""
    at, kind = 0, 0
    if proto in (4, 41):
        kind = 0x0800 if proto == 4 else 0x86DD
    elif proto == 47:
        bits, kind = struct.unpack_from(">HH", body)
        at = 4 + 4 * (bits >> 15) + 4 * (bits >> 13 & 1) + 4 * (bits >> 12 & 1)
        if bits & 0x4FFF:
            return None
    elif proto == UDP and port in (4789, 8472) and body[8] & 8:
        at, kind = 16, 0x6558
    elif proto == UDP and port == 6081:
        at, kind = 16 + (body[8] & 63) * 4, struct.unpack_from(">H", body, 10)[0]
    vlans: tuple[int, ...] = ()
    if kind == 0x6558:
        found = _network(ETHERNET, body[at:])
        if found is None:
            return None
        at, vlans, kind = at + found[0], found[1], 0x0800
    return (body[at:], vlans) if kind in (0x0800, 0x86DD) and at < len(body) else None


def _network(link_type: int, octets: bytes) -> tuple[int, tuple[int, ...]] | None:
    """Give where the IP header begins, and the VLAN ids before it; None where there is none."""
    vlans: list[int] = []
    try:
        if link_type in RAW:
            return 0, ()
        if link_type in NULL:
            return (4, ()) if octets[4] >> 4 in (4, 6) and sorted(octets[:4])[:3] == [0, 0, 0] else None
        at = {ETHERNET: 12, SLL: 14, SLL2: 0}[link_type]
        kind = struct.unpack_from(">H", octets, at)[0]
        at = 20 if link_type == SLL2 else at + 2
        while kind in VLAN_TAGS:
            tag, kind = struct.unpack_from(">HH", octets, at)
            vlans.append(tag & 0xFFF)
            at += 4
    except (KeyError, IndexError, struct.error):
        return None
    return (at, tuple(vlans[:2])) if kind in (0x0800, 0x86DD) and at < len(octets) else None


@lru_cache(maxsize=4096)
def _text(address: bytes) -> str:
    return str(ip_address(address)) if len(address) in (4, 16) else ""


@lru_cache(maxsize=4096)
def _names(src: str, dst: str, proto: int, src_port: int, dst_port: int) -> tuple[str, tuple[Any, ...]]:
    """Give the Community ID and the key; a type of ICMP has the type that answers it for the other port."""
    name = community_id(src, dst, proto, src_port, dst_port)
    pairs = ANSWERS.get(proto, {})
    answer = {**pairs, **{b: a for a, b in pairs.items()}}.get(src_port, dst_port)
    return name, (*sorted([(ip_address(src).packed, src_port), (ip_address(dst).packed, answer)]), proto)


def packets_of_rows(rows: Sequence[dict[str, Any]], packets: Iterable[Packet]) -> list[list[Packet] | None]:
    """Give for each row of one capture its packets; None where number or times show that some were not read."""
    by_key: dict[Any, list[Packet]] = defaultdict(list)
    keys: dict[str, tuple[Any, ...]] = {}
    for packet in packets:
        by_key[packet.key, packet.place.depth, packet.place.vlans].append(packet)
        keys[packet.community] = packet.key
    depths = {row["flow_id"]: row for row in rows}
    found: list[list[Packet] | None] = []
    for row in rows:
        vlans = tuple(row[name] for name in ("vlan_id", "inner_vlan_id") if row[name] is not None)
        depth, parent = 0, row["parent_flow_id"]
        while parent is not None and depth < 9:
            depth, parent = depth + 1, depths.get(parent, {}).get("parent_flow_id")
        own = [
            packet
            for packet in by_key[keys.get(row["community_id"]), depth, vlans]
            if row["packet_first"] <= packet.place.frame <= row["packet_last"]
        ]
        times = [packet.place.time for packet in own]
        whole = len(own) == row["packets_fwd"] + row["packets_rev"] and max(times) - min(times) == row["duration_ns"]
        found.append(own if whole else None)
    return found


def features(packets: Sequence[Packet], row: dict[str, Any], head: Sequence[dict[str, Any]] | None) -> dict[str, Any]:
    """Give every feature column of a flow.

    Parameters
    ----------
    packets : sequence of Packet
        In their order.
    row : dict
        Who began: ``src_ip, src_port, ip_proto``.
    head : sequence of dict, optional
        The row's saved head; None where it has none.
    """
    ports = row["src_port"] is not None
    back = [
        (packet.src, packet.src_port if ports else 0) != (row["src_ip"], row["src_port"] if ports else 0)
        for packet in packets
    ]
    ways = {
        "fwd": [one for one, turned in zip(packets, back, strict=True) if not turned],
        "rev": [one for one, turned in zip(packets, back, strict=True) if turned],
        "bi": list(packets),
    }
    out: dict[str, Any] = {}
    for way, own in ways.items():
        out |= _statistics("pkt_len_{}_" + way, [packet.length for packet in own])
        out |= _statistics("iat_ns_{}_" + way, _gaps(own))
    out["splt_len"] = [packet.length for packet in packets[:FIRST_PACKETS]]
    out["splt_dir"] = [-1 if turned else 1 for turned in back[:FIRST_PACKETS]]
    out["splt_iat_ns"] = [0, *_gaps(packets[:FIRST_PACKETS])]
    for way in ("fwd", "rev"):
        out |= _tcp(ways[way], way, row["ip_proto"])
    out |= _periods(packets)
    return out | _entropies(head)


def _gaps(packets: Sequence[Packet]) -> list[int]:
    times = [packet.place.time for packet in packets]
    latest = list(np.maximum.accumulate(np.array(times, np.int64))) if times else []
    return [max(0, time - int(before)) for time, before in zip(times[1:], latest, strict=False)]


def _statistics(name: str, values: Sequence[int]) -> dict[str, Any]:
    one = np.array(values, np.int64)
    # About the least: whole numbers, so constant values have no spread but 0.
    return {
        name.format("min"): int(one.min()) if len(one) else None,
        name.format("mean"): int(one.sum()) / len(one) if len(one) else None,
        name.format("std"): float((one - one.min()).std()) if len(one) > 1 else None,
        name.format("max"): int(one.max()) if len(one) else None,
    }


def _tcp(packets: Sequence[Packet], way: str, proto: int) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for bit, flag in enumerate(FLAGS):
        count = sum((packet.flags or 0) >> bit & 1 for packet in packets)
        out[f"tcp_{flag}_packets_{way}"] = count if proto == TCP else None
    windows = [packet.window for packet in packets if packet.window is not None]
    out[f"tcp_window_first_{way}"] = windows[0] if windows else None
    out[f"tcp_window_min_{way}"] = min(windows, default=None)
    out[f"tcp_window_max_{way}"] = max(windows, default=None)
    return out


def _periods(packets: Sequence[Packet]) -> dict[str, Any]:
    gaps = _gaps(packets)
    begins = [0, *(place + 1 for place, gap in enumerate(gaps) if gap > IDLE_GAP_NS), len(packets)]
    active = [
        max(packet.place.time for packet in packets[:last]) - packets[first].place.time
        for first, last in pairwise(begins)
    ]
    return (
        {"active_periods": len(active)}
        | _statistics("active_ns_{}", active)
        | _statistics("idle_ns_{}", [gap for gap in gaps if gap > IDLE_GAP_NS])
    )


def _entropies(head: Sequence[dict[str, Any]] | None) -> dict[str, Any]:
    kept = {"fwd": bytearray(), "rev": bytearray()}
    for item in head or ():
        octets = kept[item["direction"]]
        octets[item["start"] : item["start"] + len(item["prefix"])] = item["prefix"]
    out: dict[str, Any] = {}
    for way, octets in (*kept.items(), ("bi", kept["fwd"] + kept["rev"])):
        counts = np.bincount(np.frombuffer(octets, np.uint8), minlength=1)
        share = counts[counts > 0] / max(1, len(octets))
        out[f"head_octets_{way}"] = len(octets) if head else None
        out[f"head_entropy_{way}"] = float(np.abs(-(share * np.log2(share)).sum())) if octets else None
    return out

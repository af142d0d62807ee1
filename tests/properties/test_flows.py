"""Flows of any packets equal a plain model: one a 5-tuple, its sums, its names. Cutting and turning are harmless."""

from __future__ import annotations

import struct
from collections import defaultdict
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Any

import pyarrow as pa
from community_id import ANSWERS, community_id
from hypothesis import given, settings
from hypothesis import strategies as st

import flowclass

RAW_IP = 101
START_NS = 1_732_000_000_000_000_000
TCP, UDP, NO_PORTS, ICMP, ICMPV6 = 6, 17, 99, 1, 58
HOSTS = {4: ("192.0.2.1", "192.0.2.200", "10.0.0.7"), 6: ("2001:db8::1", "2001:db8::ff", "fe80::7")}
PROVENANCE = ["source_file", "packet_first", "packet_last"]


@dataclass(frozen=True)
class Sent:
    """One packet; for ICMP the ports are type and code."""

    src: str
    dst: str
    proto: int
    src_port: int
    dst_port: int
    payload: bytes
    gap_ns: int

    def turned(self) -> Sent:
        return replace(self, src=self.dst, dst=self.src, src_port=self.dst_port, dst_port=self.src_port)

    def octets(self) -> bytes:
        if self.proto == TCP:
            body = struct.pack(">HHIIBBHHH", self.src_port, self.dst_port, 1, 1, 0x50, 0x18, 512, 0, 0)
        elif self.proto == UDP:
            body = struct.pack(">HHHH", self.src_port, self.dst_port, 8 + len(self.payload), 0)
        elif self.proto in ANSWERS:
            body = struct.pack(">BBHI", self.src_port, self.dst_port, 0, 1)
        else:
            body = b""
        body += self.payload
        ends = ip_address(self.src).packed + ip_address(self.dst).packed
        if len(ends) == 8:
            return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0, 64, self.proto, 0) + ends + body
        return struct.pack(">IHBB", 0x60000000, len(body), self.proto, 64) + ends + body

    def key(self) -> tuple[Any, ...]:
        """Give what makes a flow: both ends in order and the protocol; ICMP as Community ID has it."""
        src_port, dst_port = (self.src_port, self.dst_port) if self.proto != NO_PORTS else (0, 0)
        if self.proto in ANSWERS:
            pairs = ANSWERS[self.proto]
            dst_port = {**pairs, **{b: a for a, b in pairs.items()}}.get(src_port, dst_port)
        ends = sorted([(ip_address(self.src).packed, src_port), (ip_address(self.dst).packed, dst_port)])
        return (*ends, self.proto)


@st.composite
def packets(draw: st.DrawFn, *, protocols: tuple[int, ...] = (TCP, UDP, NO_PORTS, ICMP)) -> list[Sent]:
    found = []
    for _ in range(draw(st.integers(1, 30))):
        version = draw(st.sampled_from((4, 6)))
        proto = draw(st.sampled_from(protocols))
        proto = ICMPV6 if proto == ICMP and version == 6 else proto
        src, dst = draw(st.permutations(HOSTS[version]))[:2]
        numbers = st.sampled_from((0, 8, 11, 128, 129) if proto in ANSWERS else (53, 1194, 40000))
        found.append(
            Sent(
                src,
                dst,
                proto,
                draw(numbers),
                draw(st.sampled_from((0, 1))) if proto in ANSWERS else draw(numbers),
                draw(st.binary(max_size=40)),
                draw(st.integers(0, 1_000_000_000)),
            )
        )
    return found


def frames(sent: list[Sent]) -> list[tuple[int, bytes]]:
    now, out = START_NS, []
    for packet in sent:
        now += packet.gap_ns
        out.append((now, packet.octets()))
    return out


def flows(*parts: list[tuple[int, bytes]]) -> pa.Table:
    result = flowclass.classify([flowclass.Packets(part, link_type=RAW_IP) for part in parts])
    table = result.to_pyarrow()
    assert result.balance.closed
    assert result.balance.packets_in_flows == sum(map(len, parts))
    return table.drop_columns(PROVENANCE)


def by_id(table: pa.Table) -> dict[str, dict[str, Any]]:
    rows = {row["flow_id"]: row for row in table.to_pylist()}
    assert len(rows) == table.num_rows
    return rows


@given(sent=packets())
@settings(deadline=None)
def test_flows_equal_a_plain_model(sent: list[Sent]) -> None:
    model: dict[Any, dict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0, 0]))
    first: dict[Any, Sent] = {}
    for packet, (_, frame) in zip(sent, frames(sent), strict=True):
        sums = model[packet.key()][packet.src]
        first.setdefault(packet.key(), packet)
        sums[0] += 1
        sums[1] += len(frame)
        sums[2] += len(packet.payload)
    rows = flows(frames(sent)).to_pylist()
    assert len(rows) == len(model)
    names = {community_id(one.src, one.dst, one.proto, one.src_port, one.dst_port): key for key, one in first.items()}
    for row in rows:
        sums = model.pop(names[row["community_id"]])
        for direction, end in (("fwd", "src_ip"), ("rev", "dst_ip")):
            found = [row[f"{what}_{direction}"] for what in ("packets", "bytes", "payload_bytes")]
            assert found == sums[row[end]]
        assert row["observed_directions"] == len([one for one in sums.values() if one[0]])
    assert not model


@given(sent=packets(), data=st.data())
@settings(deadline=None)
def test_cutting_anywhere_gives_the_same_flows(sent: list[Sent], data: st.DataObject) -> None:
    whole = frames(sent)
    cut = data.draw(st.integers(0, len(whole)))
    assert flows(whole[:cut], whole[cut:]).equals(flows(whole))


@given(sent=packets(protocols=(TCP, UDP)))
@settings(deadline=None)
def test_turning_every_packet_round_turns_the_flows_round(sent: list[Sent]) -> None:
    """The same flows by id; what was forth is back."""
    straight, turned = by_id(flows(frames(sent))), by_id(flows(frames([packet.turned() for packet in sent])))
    assert straight.keys() == turned.keys()
    for flow_id, row in straight.items():
        other = turned[flow_id]
        assert other["community_id"] == row["community_id"]
        assert other["time_start"] == row["time_start"]
        same = other["src_ip"] == row["src_ip"] and other["src_port"] == row["src_port"]
        # A first-packet source turns with the packets; what the payload says about it does not know of ports.
        assert not (same and row["direction_basis"] == other["direction_basis"] == "first_packet")
        for what in ("packets", "bytes", "payload_bytes", "tcp_flags"):
            pair = (row[f"{what}_fwd"], row[f"{what}_rev"])
            mirrored = (other[f"{what}_fwd"], other[f"{what}_rev"])
            assert mirrored == (pair[::-1] if same else pair)

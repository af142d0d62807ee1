"""Outer flows as tshark sees them: packets and IP octets in each direction, by 5-tuple over a whole capture.

One run of tshark gives the header fields of every frame; the flows are added up here. Reassembly is off, so that every
frame counts where it stands; ports of later fragments are learned from the first one (RFC 791 §3.2, RFC 8200 §4.5).
"""

from __future__ import annotations

import subprocess
from collections import defaultdict
from pathlib import Path

from labelled import Key, packed

ADDRESSES = ("ip.src", "ip.dst", "ipv6.src", "ipv6.dst")
PORTS = ("tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport", "sctp.srcport", "sctp.dstport")
V4 = ("ip.proto", "ip.len", "ip.id", "ip.frag_offset", "ip.flags.mf")
V6 = ("ipv6.nxt", "ipv6.plen", "ipv6.fraghdr.ident", "ipv6.fraghdr.offset", "ipv6.fraghdr.more")
EXTENSIONS = {0: "ipv6.hopopts.nxt", 43: "ipv6.routing.nxt", 44: "ipv6.fraghdr.nxt", 60: "ipv6.dstopts.nxt"}
FIELDS = ("frame.protocols", *ADDRESSES, *PORTS, *V4, *V6, *EXTENSIONS.values())
HAS_PORTS = {6: "tcp", 17: "udp", 136: "udp", 132: "sctp"}
OPTIONS = ("ip.defragment:FALSE", "ipv6.defragment:FALSE", "tcp.desegment_tcp_streams:FALSE")

Counts = dict[Key, list[int]]
Frame = dict[str, list[str]]


def add(
    counts: Counts, source: tuple[bytes, int], target: tuple[bytes, int], proto: int, sums: tuple[int, ...]
) -> None:
    """Add packets and octets from the source and back to a flow: ``[packets, octets, packets back, octets back]``."""
    first, second = sorted((source, target))
    total = counts[(first, second, proto)]
    # Where both ends are one there are no two directions.
    turned = sums if source == first or len(sums) == 2 else sums[2:] + sums[:2]
    for index, value in enumerate(turned):
        total[index % 2 if first == second else index] += value


def tshark_flows(tshark: str, capture: Path) -> Counts:
    """Give the flows of a capture."""
    command = [tshark, "-n", "-r", str(capture), "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=,"]
    for option in OPTIONS:
        command += ["-o", option]
    for name in FIELDS:
        command += ["-e", name]
    # A capture that ends in the middle of a packet makes tshark end with an error after the last whole one.
    printed = subprocess.run(command, capture_output=True, check=False, text=True, errors="replace").stdout
    counts: Counts = defaultdict(lambda: [0, 0, 0, 0])
    first_fragments: dict[tuple[str, ...], tuple[int, int]] = {}
    for line in printed.splitlines():
        frame = {name: text.split(",") if text else [] for name, text in zip(FIELDS, line.split("\t"), strict=True)}
        _add_frame(counts, frame, first_fragments)
    return dict(counts)


def _add_frame(counts: Counts, frame: Frame, first_fragments: dict[tuple[str, ...], tuple[int, int]]) -> None:
    names = "".join(frame["frame.protocols"]).split(":")
    version = next((name for name in names if name in ("ip", "ipv6")), None)
    if version is None or not frame[f"{version}.dst"]:
        return
    source, target = frame[f"{version}.src"][0], frame[f"{version}.dst"][0]
    fields = V4 if version == "ip" else V6
    length, identity, offset, more = ((frame[name] or ["0"])[0] for name in fields[1:])
    proto = int(frame["ip.proto"][0]) if version == "ip" else _upper_layer(frame)
    octets = int(length) + (40 if version == "ipv6" else 0)
    ports = (0, 0)
    if proto in HAS_PORTS:
        fragment = (source, target, str(proto), identity)
        if int(offset, 0) > 0:
            ports = first_fragments.get(fragment, ports)
        else:
            given = [frame[f"{HAS_PORTS[proto]}.{end}port"] for end in ("src", "dst")]
            ports = (int(given[0][0]), int(given[1][0])) if all(given) else ports
            if more in ("1", "True"):
                first_fragments[fragment] = ports
    ends = (packed(source), ports[0]), (packed(target), ports[1])
    forth = (1, octets, 0, 0)
    add(counts, *ends, proto, forth)


def _upper_layer(frame: Frame) -> int:
    """Walk the extension headers of the outermost IPv6 packet."""
    seen: dict[int, int] = defaultdict(int)
    following = int(frame["ipv6.nxt"][0])
    while following in EXTENSIONS:
        given = frame[EXTENSIONS[following]]
        if seen[following] >= len(given):
            break
        seen[following] += 1
        following = int(given[seen[following] - 1])
    return following

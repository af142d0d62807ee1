"""Adds up the flows of a capture as tshark reads them, through pyshark.

A program of its own, because pyshark leaves its event loop and signal handlers behind in the process that uses it.
Usage: ``python -m flowclass.verify.worker TSHARK CAPTURE``; gives one JSON object on standard output: ``flows``, each
with its IP layers from the outside (ends, IP protocol), packets and octets from the first end and back, first and
last time and frame, the names of the layers above, which of them
say what protocol it is, and those of the tunnel around; ``frames``, how many
were read; ``stopped``, why not all. Reassembly is off, so that every frame counts where it stands; ports of later
fragments are learned from the first one (RFC 791 §3.2, RFC 8200 §4.5).
"""

from __future__ import annotations

import json
import re
import resource
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from flowclass.verify.names import LAYERS

MOST_FLOWS = 500_000
MOST_NAMES = 48
MOST_LEVELS = 16
MOST_FRAGMENTS = 65_536
MEMORY = 8 << 30
FIRST_FRAMES = 16

HAS_PORTS = {6: "tcp", 17: "udp", 136: "udp", 132: "sctp"}
IN_IP = (4, 41)
AH = 51
QUOTES = frozenset({"icmp", "icmpv6"})  # errors hold packets of others, which tshark reads on
TRANSPORTS = frozenset({"tcp", "udp", "udplite", "sctp"})
EXTENSIONS = {0: "ipv6.hopopts", 43: "ipv6.routing", 44: "ipv6.fraghdr", 60: "ipv6.dstopts"}
# What tshark writes in full; of all other layers it writes the names. A name with a dot is a field's or a layer's own.
FILTER = ("ip", "ip.flags", "ipv6", *EXTENSIONS.values(), *sorted(TRANSPORTS))
PREFERENCES = {"ip.defragment": "FALSE", "ipv6.defragment": "FALSE", "tcp.desegment_tcp_streams": "FALSE"}
_CODE = re.compile(r"retcode: (-?\d+)")
_NUMBER = re.compile(r"\d+")

End = tuple[str, int]
Level = tuple[End, End, int]  # the source, the target, the IP protocol


@dataclass
class Flow:
    """The sums of one flow; counts are of the first end's packets, then of the other's."""

    packets: list[int] = field(default_factory=lambda: [0, 0])
    octets: list[int] = field(default_factory=lambda: [0, 0])
    start: int = 0
    end: int = 0
    frames: list[int] = field(default_factory=list)
    last_frame: int = 0
    names: dict[str, int] = field(default_factory=dict)  # all layers above IP, with packets
    reads: dict[str, int] = field(default_factory=dict)  # of each packet the outermost layer that means a protocol
    through: set[str] = field(default_factory=set)  # the layers of the tunnel around it

    def add(self, way: int, octets: int, time: int, frame: int, names: list[str]) -> None:
        """Add one packet."""
        first = self.packets == [0, 0]
        self.packets[way] += 1
        self.octets[way] += octets
        self.start = time if first else min(self.start, time)
        self.end = time if first else max(self.end, time)
        self.last_frame = frame
        if len(self.frames) < FIRST_FRAMES:
            self.frames.append(frame)
        for name in dict.fromkeys(names):
            if name in self.names or len(self.names) < MOST_NAMES:
                self.names[name] = self.names.get(name, 0) + 1
        read = next((name for name in names if name in LAYERS), None)
        if read is not None:
            self.reads[read] = self.reads.get(read, 0) + 1


@dataclass
class Packet:
    """One IP packet of a frame: the outermost, or one in a tunnel."""

    source: str
    target: str
    proto: int
    octets: int
    fragment: tuple[str, ...] | None = None  # what its fragments have in common
    later: bool = False
    more: bool = False
    ports: tuple[int, int] | None = None
    names: list[str] = field(default_factory=list)


class Flows:
    """All flows of a capture.

    Raises
    ------
    OverflowError
        When there are more of them than are kept.
    """

    def __init__(self) -> None:
        self.flows: dict[tuple[Level, ...], Flow] = {}
        self.frames = 0
        self._fragments: dict[tuple[str, ...], tuple[int, int]] = {}

    def add(self, packet: Any) -> None:
        """Add a frame as pyshark gives it."""
        number = int(packet.number)
        self.frames = number
        time = _nanoseconds(packet.sniff_timestamp)
        levels: list[Level] = []
        through: list[str] = []
        for one in _packets(packet.layers):
            ends = (one.source, one.target)
            ports = self._ports(one, levels)
            level: Level = ((ends[0], ports[0]), (ends[1], ports[1]), one.proto)
            turned = (level[1], level[0], one.proto)
            key = min(((*levels, level), 0), ((*levels, turned), 1))
            # What is around a flow is the same in both directions: only its own ends tell them apart.
            levels.append(min(level, turned))
            flow = self.flows.get(key[0])
            if flow is None:
                if len(self.flows) >= MOST_FLOWS:
                    raise OverflowError(f"it has more than {MOST_FLOWS} flows")
                flow = self.flows[key[0]] = Flow()
            flow.add(0 if level[0] == level[1] else key[1], one.octets, time, number, one.names)
            if len(flow.through) < MOST_NAMES:
                flow.through.update(through)
            through = one.names

    def _ports(self, one: Packet, around: list[Level]) -> tuple[int, int]:
        if one.proto not in HAS_PORTS:
            return 0, 0
        if one.fragment is None:
            return one.ports or (0, 0)
        key = (str(around), *one.fragment)
        if one.later:
            return self._fragments.get(key, (0, 0))
        if one.more and one.ports is not None:
            if len(self._fragments) >= MOST_FRAGMENTS:
                del self._fragments[next(iter(self._fragments))]
            self._fragments[key] = one.ports
        return one.ports or (0, 0)


def _packets(layers: Any) -> Iterator[Packet]:
    found: list[Packet] = []
    for layer in layers:
        name = str(layer.layer_name)
        if name in ("ip", "ipv6") and len(found) < MOST_LEVELS:
            one = _version4(layer) if name == "ip" else _version6(layer)
            if one is not None:
                if found and found[-1].proto in IN_IP and not found[-1].names:
                    found[-1].names.append("ip-in-ip")
                found.append(one)
        elif found:
            found[-1].names.append(name)
            if name in QUOTES:
                break
            if name in TRANSPORTS and found[-1].ports is None and found[-1].proto in HAS_PORTS:
                short = HAS_PORTS[found[-1].proto]
                source, target = (_text(layer, f"{short}.{end}port") for end in ("src", "dst"))
                found[-1].ports = (int(source), int(target)) if source and target else None
    return iter(found)


def _version4(layer: Any) -> Packet | None:
    source, target, proto, octets = (_text(layer, f"ip.{name}") for name in ("src", "dst", "proto", "len"))
    if not (source and target and proto):
        return None
    offset, more = _whole(_text(layer, "ip.frag_offset")), _text(layer, "ip.flags.mf") in ("1", "True")
    return Packet(
        source=source,
        target=target,
        proto=int(proto),
        octets=_whole(octets),
        fragment=(source, target, proto, _text(layer, "ip.id")) if offset or more else None,
        later=offset > 0,
        more=more,
    )


def _version6(layer: Any) -> Packet | None:
    source, target, following = (_text(layer, f"ipv6.{name}") for name in ("src", "dst", "nxt"))
    if not (source and target and following):
        return None
    proto = int(following)
    seen: dict[int, int] = {}
    while proto in EXTENSIONS:
        given = _all(layer, f"{EXTENSIONS[proto]}.nxt")
        place = seen.get(proto, 0)
        if place >= len(given):
            break
        seen[proto] = place + 1
        proto = int(given[place])
    offset = _whole(_text(layer, "ipv6.fraghdr.offset"))
    more = _text(layer, "ipv6.fraghdr.more") in ("1", "True")
    return Packet(
        source=source,
        target=target,
        proto=proto,
        octets=40 + _whole(_text(layer, "ipv6.plen")),
        fragment=(source, target, _text(layer, "ipv6.fraghdr.ident")) if offset or more else None,
        later=offset > 0,
        more=more,
        names=["ah"] if proto == AH else [],  # which tshark has among the extension headers
    )


def _all(layer: Any, name: str) -> list[str]:
    found = layer.get_field(name)
    return [] if found is None else [str(one.show) for one in found.all_fields]


def _text(layer: Any, name: str) -> str:
    found = _all(layer, name)
    return found[0] if found else ""


def _whole(text: str) -> int:
    """Read a whole number as tshark shows it: ``60``, ``0x0d9c``, or with a unit behind it."""
    if text.startswith("0x"):
        return int(text, 16)
    number = _NUMBER.match(text)
    return int(number[0]) if number else 0


def _nanoseconds(text: str) -> int:
    """Read a time in seconds since 1970, which may lie before that."""
    sign = -1 if text.startswith("-") else 1
    seconds, _, fraction = text.lstrip("-").partition(".")
    return sign * (int(seconds or 0) * 10**9 + int(fraction.ljust(9, "0")[:9]))


def read(tshark: str, capture: str) -> dict[str, Any]:
    """Give the flows of a capture as plain values.

    Parameters
    ----------
    tshark : str
        The program.
    capture : str
        A file.
    """
    import pyshark

    flows, stopped = Flows(), ""
    packets = pyshark.FileCapture(
        capture,
        keep_packets=False,
        tshark_path=tshark,
        override_prefs=PREFERENCES,
        custom_parameters=["-n", "-j", " ".join(FILTER)],
    )
    try:
        for packet in packets:
            flows.add(packet)
        packets.close()
    except Exception as problem:  # pyshark has no common root, and a cut capture makes tshark end with an error
        code = _CODE.search(str(problem))
        what = f"{type(problem).__name__}: {problem}".splitlines()[0]
        if code is not None:
            what = f"it ended with code {code[1]}"
        elif type(problem).__name__ == "TSharkCrashException":
            what = "it crashed"
        stopped = f"{what}; frames up to {flows.frames} were read"
    rows = [
        {
            "levels": key,
            "packets": flow.packets,
            "octets": flow.octets,
            "start": flow.start,
            "end": flow.end,
            "frames": flow.frames,
            "last_frame": flow.last_frame,
            "names": flow.names,
            "reads": flow.reads,
            "through": sorted(flow.through),
        }
        for key, flow in flows.flows.items()
    ]
    return {"frames": flows.frames, "flows": rows, "stopped": stopped}


def main(tshark: str, capture: str) -> None:
    """Answer on standard output."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    sys.stdout.write(json.dumps(read(tshark, capture)))
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])

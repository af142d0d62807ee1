"""Flows of public captures as templates to copy: no labels, so only their packets and octets are known.

Takes a folder of captures as they come: cut, damaged, of any link. Gives templates of those flows that can be copied
by changing addresses and a port: Ethernet, IP without tunnels in front, whole packets. The rest is left out.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.templates import RECORD_HEADER, Key, NotEthernet, Packet, Template, frames, packets, template

__all__ = ["public_templates"]

_MOST_OCTETS = 200_000  # of a flow; longer ones are cut
_MOST_FLOWS = 40  # of a capture, so that no scan fills a trace
_LARGEST_FILE = 2_000_000


def public_templates(folder: Path) -> list[Template]:
    """Give templates of the flows of all captures that can be read, in the order of their names."""
    found: list[Template] = []
    for path in sorted(folder.iterdir()):
        if path.suffix not in (".pcap", ".pcapng", ".cap") or path.stat().st_size > _LARGEST_FILE:
            continue
        for flow in _flows(path)[:_MOST_FLOWS]:
            label: dict[str, object] = {"capture": path.name, "family": "", "variant": None}
            found.append(template(label, flow))
    return found


def _flows(path: Path) -> list[list[Packet]]:
    flows: dict[Key, list[Packet]] = {}
    octets: dict[Key, int] = {}
    try:
        for packet in packets(frames(path.read_bytes())):
            held = octets.get(packet.key, 0) + len(packet.data) + RECORD_HEADER
            if held <= _MOST_OCTETS:
                octets[packet.key] = held
                flows.setdefault(packet.key, []).append(packet)
    except NotEthernet:
        return []
    return [flow for flow in flows.values() if _copyable(flow)]


def _copyable(flow: list[Packet]) -> bool:
    """Whether every packet has its transport header, and the ends are two hosts."""
    first = flow[0]
    return first.proto in (6, 17) and first.src != first.dst and all(packet.l4 and packet.whole for packet in flow)

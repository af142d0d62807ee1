"""Labels by construction: what was started where says what each flow is; the capture only says which flows there are.

A program's driver states what it served (address, port, protocol, family). Every IP flow of the capture must
be one of those; a flow nobody stated, or a statement without a flow, fails the recording.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from .errors import TestbedError
from .packets import Packet, quoted_packet, read_packets

__all__ = ["ICMP", "ICMPV6", "TCP", "UDP", "Label", "Served", "label_flows", "replace_lines", "sha256"]

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What was reachable at one end: all flows to this address, port and protocol are of this family.

    Parameters
    ----------
    address, port, ip_proto
        The server's end of the flows; port 0 for protocols without ports.
    family, variant
        In the words of the product's protocol table; variant is None where there is only one.
    flows : int
        How many flows there must be at least.
    scope : str
        ``gate``: must be found; ``hint``: has no fingerprint (a family ``other-...``), but must not get another's name.
    accept : tuple of str
        Protocol ids that are right, where several share the flow; the family itself when empty.
    """

    address: str
    port: int
    ip_proto: int
    family: str
    variant: str | None = None
    flows: int = 1
    scope: Literal["gate", "hint"] = "gate"
    accept: tuple[str, ...] = ()

    def holds(self, packet: Packet) -> bool:
        """Whether the packet belongs to it."""
        if packet.ip_proto != self.ip_proto or (self.ip_proto in (ICMP, ICMPV6) and not packet.is_echo):
            return False
        ends = ((packet.src_ip, packet.src_port), (packet.dst_ip, packet.dst_port))
        return (self.address, self.port) in ends


# What errors of ICMP are, whoever sends them.
_ERRORS = Served(address="", port=0, ip_proto=ICMP, family="icmp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One line of ``labels.jsonl``; `frame` is the flow's first frame, counted from 1, and src its sender."""

    capture: str
    sha256: str
    frame: int
    src_ip: str
    src_port: int
    dst_ip: str
    dst_port: int
    ip_proto: int
    family: str
    variant: str | None
    scope: str = "gate"
    accept: tuple[str, ...] | None = None
    certainty: str = "certain"
    source: str = "testbed"


def label_flows(capture: Path, served: Sequence[Served]) -> list[Label]:
    """Give a label for every flow of the capture, in order of their first frames.

    Parameters
    ----------
    capture : Path
        The capture.
    served : sequence of Served
        What there may be, with addresses and ports as they are where it was recorded. Beside it there may be errors
        of ICMP, by hosts or the router, about any of it: these are labelled `icmp`.

    Raises
    ------
    TestbedError
        If a flow belongs to nothing that was served, or something served has too few flows.
    """
    digest = sha256(capture)
    seen: set[tuple[int, tuple[tuple[str, int], ...]]] = set()
    labels: list[Label] = []
    found = [0] * len(served)
    for packet in read_packets(capture):
        ends = sorted(((packet.src_ip, packet.src_port), (packet.dst_ip, packet.dst_port)))
        key = (packet.ip_proto, tuple(ends))
        if key in seen or (packet.ip_proto == ICMPV6 and not packet.is_echo):
            continue  # the rest of ICMPv6 is the link's own business: neighbour discovery, listener reports
        index = next((i for i, candidate in enumerate(served) if candidate.holds(packet)), None)
        if index is not None:
            found[index] += 1
            each = served[index]
        elif _is_error_about(packet, served):
            each = _ERRORS
        else:
            raise TestbedError(f"{capture.name}: nobody stated the flow that begins in frame {packet.frame}: {packet}")
        seen.add(key)
        labels.append(_label(capture.name, digest, packet, each))
    for count, wanted in zip(found, served, strict=True):
        if count < wanted.flows:
            raise TestbedError(f"{capture.name}: {count} flows instead of {wanted.flows} for {wanted}")
    return labels


def _is_error_about(packet: Packet, served: Sequence[Served]) -> bool:
    quoted = quoted_packet(packet) if packet.ip_proto == ICMP else None
    return quoted is not None and any(each.holds(quoted) for each in served)


def _label(capture: str, digest: str, packet: Packet, each: Served) -> Label:
    return Label(
        capture=capture,
        sha256=digest,
        frame=packet.frame,
        src_ip=packet.src_ip,
        src_port=packet.src_port,
        dst_ip=packet.dst_ip,
        dst_port=packet.dst_port,
        ip_proto=packet.ip_proto,
        family=each.family,
        variant=each.variant,
        scope=each.scope,
        accept=each.accept or None,
    )


def replace_lines(path: Path, capture: str, lines: Iterable[object]) -> None:
    """Replace the lines of one capture in a JSON lines file, which stays sorted by capture.

    Parameters
    ----------
    path : Path
        The file; it need not exist yet.
    capture : str
        The capture whose lines are replaced.
    lines : iterable of dataclass instances or mappings
        The new lines, in order.
    """
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)  # runs at the same time share the file
        _replace_lines(path, capture, lines)
    finally:
        os.close(folder)


def _replace_lines(path: Path, capture: str, lines: Iterable[object]) -> None:
    old = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    kept = [(json.loads(line)["capture"], line) for line in old]
    kept = [pair for pair in kept if pair[0] != capture]
    for line in lines:
        table = line if isinstance(line, dict) else asdict(line)  # type: ignore[call-overload]
        kept.append((capture, json.dumps(table)))
    kept.sort(key=lambda pair: pair[0])
    new = path.with_name(f".{path.name}.new")
    new.write_text("".join(line + "\n" for _, line in kept), encoding="utf-8")
    new.replace(path)  # a run that is killed leaves the old lines or the new ones


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()

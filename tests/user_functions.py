"""Users' functions that several tests share: compiled once, when the first test asks for one."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from conftest import ROOT

import flowclass

EXAMPLE = ROOT / "examples" / "python" / "wireguard.py"
OCTETS: tuple[tuple[int, int, bytes], ...] = ((0, 0, b"KNOCK 1"), (1, 10, b"KNOCK 2"))


@cache
def wireguard() -> flowclass.Fingerprint:
    """Give the example's fingerprint."""
    from flowclass.udf import load

    (found,) = load(Path(EXAMPLE))
    assert isinstance(found, flowclass.Fingerprint)
    return found


@cache
def several() -> tuple[Any, ...]:
    """Give one function of each kind, and a fingerprint that often fails and claims too much."""

    @flowclass.fingerprint(protocol_class="app", rules={"many": "more than one payload"}, ip_protos=("udp", "tcp"))
    def faulty(head: Any, evidence: Any) -> bool:
        if head.count == 3:
            raise ValueError("three")
        # Four octets hold 32 bits: 33 are too many.
        evidence.add("many", 0, 0, 4, 33.0 if head.count > 4 else 20.0)
        return head.count > 1

    @flowclass.flow_feature(unit="octets", meaning="octets of a packet")
    def octets_each(bytes_fwd: Any, bytes_rev: Any, packets_fwd: Any, packets_rev: Any) -> Any:
        return (bytes_fwd + bytes_rev) / (packets_fwd + packets_rev)

    @flowclass.flow_scorer(meaning="1: one way")
    def lopsided(bytes_fwd: Any, bytes_rev: Any, dst_port: Any) -> Any:
        if dst_port == 53:
            raise ValueError("no score for DNS")
        return (bytes_fwd - bytes_rev) / (bytes_fwd + bytes_rev)

    return (wireguard(), faulty, octets_each, lopsided)

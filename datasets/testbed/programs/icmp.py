"""ICMP echo: ping.

Options of a scenario: count, size (of the data, in bytes).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..lab import Lab, Program
from ..labels import ICMP, ICMPV6, Served
from ..traffic import PING, ping

__all__ = ["PROGRAM", "Options"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    count: int = 5
    size: int = 56

    def __post_init__(self) -> None:
        if not 1 <= self.count <= 50 or not 0 <= self.size <= 1400:
            raise ValueError(f"count {self.count} must be 1 to 50, size {self.size} 0 to 1400")


def play(lab: Lab, options: Options) -> list[Served]:
    """Ping the server."""
    ping(lab.client, lab.server.address, count=options.count, size=options.size)
    protocol = ICMPV6 if lab.ip_version == 6 else ICMP
    return [Served(address=lab.server.address, port=0, ip_proto=protocol, family="icmp")]


PROGRAM = Program(name="icmp", options=Options, requirements=(PING,), play=play)

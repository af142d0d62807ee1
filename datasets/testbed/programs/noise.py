"""Random octets over UDP or TCP, from a peer of the testbed's own: no protocol at all, on ports that protocols use.

Options of a scenario: transport (udp, tcp), ports, lengths (``148`` or ``20-1400``, one drawn for each message), count
(messages of a flow), flows (of each port), answer (whether the server answers), pause (milliseconds between messages).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from ..lab import Lab, Program, Requirement
from ..labels import TCP, UDP, Served

__all__ = ["PROGRAM", "Options"]

_PEER = Path(__file__).parent.parent / "peers" / "noise.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    transport: str
    ports: tuple[str, ...]
    lengths: tuple[str, ...]
    count: int = 10
    flows: int = 1
    answer: bool = True
    pause: int = 10

    def __post_init__(self) -> None:
        if self.transport not in ("udp", "tcp"):
            raise ValueError(f"transport {self.transport!r} is neither udp nor tcp")
        if not self.ports or not self.lengths or self.count < 1 or self.flows < 1:
            raise ValueError("there must be a port, a length, a message and a flow")


def play(lab: Lab, options: Options) -> list[Served]:
    """Send all messages of one flow after the other."""
    where = (options.transport, lab.server.address, ",".join(options.ports))
    answer = "answer" if options.answer else "silent"
    lab.server.start("noise", sys.executable, _PEER, "serve", *where, answer).wait_for("serving")
    lengths, amounts = ",".join(options.lengths), (str(options.count), str(options.flows))
    lab.client.run(
        sys.executable, _PEER, "send", *where, lengths, *amounts, str(options.pause / 1000), answer, seconds=60
    )
    return [
        Served(
            address=lab.server.address,
            port=int(port),
            ip_proto=UDP if options.transport == "udp" else TCP,
            family="other-app",
            variant="random",
            flows=options.flows,
            scope="hint",
        )
        for port in options.ports
    ]


PROGRAM = Program(
    name="noise",
    options=Options,
    requirements=(
        Requirement(name="python", executable=sys.executable, package="apt: python3", version=(sys.executable, "-V")),
    ),
    play=play,
)

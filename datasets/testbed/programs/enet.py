"""ENet, the datagram protocol of many games: two peers on pyenet that send reliable and unreliable messages.

Options of a scenario: port, messages.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from ..lab import Lab, Program, Requirement
from ..labels import UDP, Served

__all__ = ["PROGRAM", "Options"]

_PEER = Path(__file__).parent.parent / "peers" / "enet_game.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    port: int = 17091
    messages: int = 20


def play(lab: Lab, options: Options) -> list[Served]:
    """Connect, send messages that come back, and disconnect."""
    where = (lab.server.address, str(options.port))
    lab.server.start("enet", sys.executable, _PEER, "serve", *where).wait_for("serving")
    lab.client.run(sys.executable, _PEER, "play", *where, str(options.messages))
    return [Served(address=lab.server.address, port=options.port, ip_proto=UDP, family="enet")]


PROGRAM = Program(
    name="enet",
    options=Options,
    requirements=(Requirement(name="pyenet", executable="python:pyenet", package="pip: pyenet", version=()),),
    play=play,
)

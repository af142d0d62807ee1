"""RakNet, the datagram protocol of Minecraft Bedrock and other games: two peers that send messages to and fro.

Options of a scenario: port, messages.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from ..lab import Lab, Program, Requirement
from ..labels import UDP, Served

__all__ = ["PROGRAM", "Options"]

_PEER = Path(__file__).parent.parent / "peers" / "raknet_game.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    port: int = 19132
    messages: int = 20


def play(lab: Lab, options: Options) -> list[Served]:
    """Connect, send messages that come back, and disconnect."""
    where = (lab.server.address, str(options.port))
    lab.server.start("raknet", sys.executable, _PEER, "serve", *where).wait_for("serving")
    lab.client.run(sys.executable, _PEER, "play", *where, str(options.messages))
    return [Served(address=lab.server.address, port=options.port, ip_proto=UDP, family="raknet")]


PROGRAM = Program(
    name="raknet",
    options=Options,
    requirements=(Requirement(name="raknet", executable="python:raknet", package="pip: raknet", version=()),),
    play=play,
)

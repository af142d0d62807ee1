"""WebRTC: two peers on aiortc that agree on one pair of addresses by ICE (STUN), a key by DTLS, and send over it.

Options of a scenario: media (audio over SRTP, beside the data channel), messages (over the data channel), seconds.
All of it shares one flow; it counts as found whichever of the three protocols is named.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from ..errors import TestbedError
from ..lab import Lab, Program, Requirement
from ..labels import UDP, Served

__all__ = ["PROGRAM", "Options"]

_PEER = Path(__file__).parent.parent / "peers" / "webrtc.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    media: bool = True
    messages: int = 10
    seconds: int = 3

    def __post_init__(self) -> None:
        if self.messages < 1 or self.seconds < 1:
            raise ValueError("there must be a message and a second")


def play(lab: Lab, options: Options) -> list[Served]:
    """Exchange descriptions in files, as a signalling server would do, then talk."""
    offer, answer = lab.client.folder / "offer.json", lab.client.folder / "answer.json"
    rest = (offer, answer, "media" if options.media else "data", str(options.messages), str(options.seconds))
    callee = lab.server.start("webrtc", sys.executable, _PEER, "answer", *rest)
    said = lab.client.run(sys.executable, _PEER, "offer", *rest, seconds=60)
    callee.wait_for("received")
    ends = json.loads(said.splitlines()[-1])
    if ends["address"] != lab.server.address:
        raise TestbedError(f"the chosen peer is {ends['address']}, not {lab.server.address}")
    names = ("stun", "dtls", "rtp")
    return [Served(address=lab.server.address, port=ends["port"], ip_proto=UDP, family="dtls", accept=names)]


PROGRAM = Program(
    name="webrtc",
    options=Options,
    requirements=(Requirement(name="aiortc", executable="python:aiortc", package="pip: aiortc", version=()),),
    play=play,
)

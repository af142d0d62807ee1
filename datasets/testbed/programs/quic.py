"""QUIC: HTTP/3 between two ends built on aioquic (`datasets/testbed/peers/http3.py`).

Options of a scenario: port, version (1, 2).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from ..certificates import OPENSSL, Authority
from ..lab import Lab, Program, Requirement
from ..labels import UDP, Served

__all__ = ["PROGRAM", "Options"]

_PEER = Path(__file__).parent.parent / "peers" / "http3.py"
_NAME = "www.example.org"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    port: int = 443
    version: int = 1

    def __post_init__(self) -> None:
        if self.version not in (1, 2):
            raise ValueError(f"version {self.version} is neither 1 nor 2")


def play(lab: Lab, options: Options) -> list[Served]:
    """Load a page of 40 kB twice, each over a connection of its own."""
    authority = Authority(lab.server.folder / "pki")
    identity = authority.issue(_NAME, usage="serverAuth", address=lab.server.address)
    where = (lab.server.address, str(options.port))
    daemon = lab.server.start(
        "http3", sys.executable, _PEER, "serve", *where, identity.certificate, identity.key, "40000"
    )
    daemon.wait_for("serving")
    for _ in range(2):
        lab.client.run(
            sys.executable, _PEER, "get", *where, authority.certificate, _NAME, str(options.version), "40000"
        )
    return [Served(address=lab.server.address, port=options.port, ip_proto=UDP, family="quic", flows=2)]


PROGRAM = Program(
    name="quic",
    options=Options,
    requirements=(
        Requirement(name="aioquic", executable="python:aioquic", package="pip: aioquic", version=()),
        OPENSSL,
    ),
    play=play,
)

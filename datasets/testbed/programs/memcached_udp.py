"""memcached over UDP: the server, and a small client of the testbed's own, since no ready-made one speaks UDP.

Options of a scenario: port.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from ..lab import Lab, Program, Requirement
from ..labels import UDP, Served

__all__ = ["PROGRAM", "Options"]

_PEER = Path(__file__).parent.parent / "peers" / "memcached_client.py"
_CLIENTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    port: int = 11211


def play(lab: Lab, options: Options) -> list[Served]:
    """Store and fetch values from several clients; one value takes more than one datagram."""
    daemon = lab.server.start(
        "memcached", "memcached", "-u", "root", "-l", lab.server.address, "-p", "0", "-U", str(options.port), "-m", "8"
    )
    daemon.wait_until(lambda: f":{options.port} " in lab.server.run("ss", "-Hlnu"), "listening")
    for _ in range(_CLIENTS):
        lab.client.run(sys.executable, _PEER, lab.server.address, str(options.port))
    return [Served(address=lab.server.address, port=options.port, ip_proto=UDP, family="memcached", flows=_CLIENTS)]


PROGRAM = Program(
    name="memcached_udp",
    options=Options,
    requirements=(
        Requirement(name="memcached", executable="memcached", package="apt: memcached", version=("memcached", "-V")),
    ),
    play=play,
)

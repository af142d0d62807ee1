"""n2n: a supernode and an edge on the server, an edge on the client; encrypted with a shared key.

Options of a scenario: port (the supernode's), edge_port (the edges' own), idle (seconds of silence).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..host import Daemon, Host
from ..lab import Lab, Program, Requirement
from ..labels import UDP, Served
from ..tunnels import USE, check_port, use_path, wait_for_address, wait_for_path

__all__ = ["PROGRAM", "Options"]

_INSIDE = "10.33.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    port: int = 7654
    edge_port: int = 50001
    idle: int = 6

    def __post_init__(self) -> None:
        check_port(self.port)
        check_port(self.edge_port)


def play(lab: Lab, options: Options) -> list[Served]:
    """Register both edges and use the tunnel: first by the supernode, then straight between the edges."""
    middle = lab.server.start("supernode", "supernode", "-l", str(options.port), "-v")
    middle.wait_for("ready")
    _edge(lab.server, lab.server.address, _INSIDE, options)
    edge = _edge(lab.client, lab.server.address, "10.33.0.2", options)
    wait_for_path(edge, lab.client, _INSIDE)
    use_path(lab.client, lab.server, _INSIDE, idle=options.idle)
    edge.stop()
    return [
        Served(address=lab.server.address, port=port, ip_proto=UDP, family="n2n", variant="v1", flows=flows)
        for port, flows in ((options.port, 1), (options.edge_port, 0))
    ]


def _edge(host: Host, supernode: str, inside: str, options: Options) -> Daemon:
    edge = host.start(
        *("edge", "edge", "-a", inside, "-c", "village", "-k", "a key of two villages", "-v"),
        *("-l", f"{supernode}:{options.port}", "-p", str(options.edge_port), "-d", "n2n0", "-u", "0", "-g", "0"),
    )
    wait_for_address(edge, host, inside)
    return edge


PROGRAM = Program(
    name="n2n",
    options=Options,
    requirements=(
        Requirement(name="n2n", executable="edge", package="apt: n2n", version=("dpkg-query", "-W", "n2n")),
        Requirement(
            name="ifconfig", executable="ifconfig", package="apt: net-tools", version=("ifconfig", "--version")
        ),
        *USE,
    ),
    play=play,
    needs_tun=True,
)

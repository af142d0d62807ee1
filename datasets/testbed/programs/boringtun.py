"""WireGuard of two implementations: boringtun, which does not pad, serves (in mitmproxy-wireguard), wireguard-go asks.

Options of a scenario: port (of the server), keepalive (seconds, of the client; 0: none), size (of the page that is
loaded through the tunnel), idle (seconds of silence). Nobody answers pings in the tunnel: it ends in a program that
speaks TCP.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from ..lab import Lab, Program, Requirement
from ..labels import UDP, Served
from ..ppp_line import ROOT
from ..traffic import CURL, silence
from ..tunnels import check_port, shown
from .wireguard import WG, WIREGUARD_GO, new_key, start_tunnel

__all__ = ["PROGRAM", "Options"]

_GATEWAY = "10.66.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    port: int = 51820
    keepalive: int = 0
    size: int = 30_000
    idle: int = 4

    def __post_init__(self) -> None:
        check_port(self.port)


def play(lab: Lab, options: Options) -> list[Served]:
    """Bring both ends up, load pages, be silent, load another."""
    own, other = new_key("genkey"), new_key("genkey")
    server = lab.server.start(
        "boringtun",
        *(sys.executable, "-m", "datasets.testbed.peers.boringtun_server", lab.server.address, str(options.port)),
        *(own, new_key("pubkey", other), str(options.size)),
        environment={"PYTHONPATH": str(ROOT)},
    )
    server.wait_for("boringtun listens")
    endpoint = f"Endpoint = {shown(lab.server.address)}:{options.port}\nPersistentKeepalive = {options.keepalive}\n"
    start_tunnel(lab.client, other, 0, own, endpoint)
    for path in ("", "page.html"):
        _load(lab, path)
    silence(options.idle)
    _load(lab, "again.html")
    return [Served(address=lab.server.address, port=options.port, ip_proto=UDP, family="wireguard")]


def _load(lab: Lab, path: str) -> None:
    lab.client.run("curl", "-sS", "-o", "/dev/null", "--fail", "--max-time", "20", f"http://{_GATEWAY}:8080/{path}")


PROGRAM = Program(
    name="boringtun",
    options=Options,
    requirements=(
        Requirement(
            name="mitmproxy-wireguard",
            executable="python:mitmproxy-wireguard",
            package="pip: mitmproxy-wireguard",
            version=(),
        ),
        WIREGUARD_GO,
        WG,
        CURL,
    ),
    play=play,
    needs_tun=True,
)

"""ptunnel and ptunnel-ng: a TCP connection inside ICMP echo.

Options of a scenario: program (ptunnel, ptunnel-ng), size (of the page fetched).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..lab import Lab, Program, Requirement
from ..labels import ICMP, Served
from ..traffic import CURL, NGINX, silence, start_web_server
from ..tunnels import IP, check_choice, fetch, wait_for_listener

__all__ = ["PROGRAM", "Options"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    program: str
    size: int = 12_000

    def __post_init__(self) -> None:
        check_choice("program", self.program, ("ptunnel", "ptunnel-ng"))


def play(lab: Lab, options: Options) -> list[Served]:
    """Fetch a page through the tunnel."""
    start_web_server(lab.server, "127.0.0.1:8080", size=options.size)
    new = options.program == "ptunnel-ng"
    lab.server.start(
        "ptunnel", options.program, "-v", "3", *(("-r127.0.0.1", "-R8080", "-uroot", "-groot") if new else ())
    )
    silence(1)
    there = (
        ("-l8000", "-r127.0.0.1", "-R8080", "-uroot", "-groot")
        if new
        else ("-lp", "8000", "-da", "127.0.0.1", "-dp", "8080")
    )
    address = (f"-p{lab.server.address}",) if new else ("-p", lab.server.address)
    end = lab.client.start("ptunnel", options.program, *address, *there, "-v", "3")
    wait_for_listener(end, lab.client, 8000)
    fetch(lab.client, "http://127.0.0.1:8000/page.html")
    silence(2)
    end.stop()
    return [Served(address=lab.server.address, port=0, ip_proto=ICMP, family="icmp-tunnel", variant="ptunnel")]


PROGRAM = Program(
    name="icmp_tunnel",
    options=Options,
    requirements=(
        Requirement(
            name="ptunnel", executable="ptunnel", package="apt: ptunnel", version=("dpkg-query", "-W", "ptunnel")
        ),
        Requirement(
            name="ptunnel-ng",
            executable="ptunnel-ng",
            package="apt: ptunnel-ng",
            version=("dpkg-query", "-W", "ptunnel-ng"),
        ),
        IP,
        NGINX,
        CURL,
    ),
    play=play,
)

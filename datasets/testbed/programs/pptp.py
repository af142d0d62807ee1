"""PPTP: pptpd and the client pptp, with GRE from user space; PPP is the testbed's own where the kernel has none.

Options of a scenario: idle (seconds of silence; both ends send echo requests over PPP meanwhile).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..lab import Lab, Program, Requirement
from ..labels import TCP, Served
from ..ppp_line import GATEWAY, LEASE, has_link, put_pppd
from ..traffic import CURL, NGINX, PING, use_tunnel

__all__ = ["PROGRAM", "Options"]

_PORT = 1723
_GRE = 47


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    idle: int = 5


def play(lab: Lab, options: Options) -> list[Served]:
    """Call, use the tunnel, be silent, hang up."""
    settings = lab.server.write(
        "pptpd.conf",
        f"""ppp {put_pppd(lab.server)}
option {lab.server.write("options", "")}
localip {GATEWAY}
remoteip {LEASE}
listen {lab.server.address}
pidfile {lab.server.folder}/pptpd.pid
""",
    )
    # Without a system log it would say nothing: what tells that it listens is its port.
    daemon = lab.server.start("pptpd", "pptpd", "--fg", "--conf", settings)
    daemon.wait_until(lambda: f":{_PORT}" in lab.server.run("ss", "-Htln"), "listening")
    call = f"pptp {lab.server.address} --nolaunchpppd --loglevel 1"
    client = lab.client.start("pppd", put_pppd(lab.client), "pty", call)
    client.wait_until(lambda: has_link(lab.client) and has_link(lab.server), "bringing PPP up")
    use_tunnel(lab.client, lab.server, GATEWAY, idle=options.idle)
    client.stop()
    return [
        Served(address=lab.server.address, port=_PORT, ip_proto=TCP, family="pptp"),
        Served(address=lab.server.address, port=0, ip_proto=_GRE, family="pptp", variant="gre", accept=("pptp", "gre")),
    ]


PROGRAM = Program(
    name="pptp",
    options=Options,
    requirements=(
        Requirement(name="pptpd", executable="pptpd", package="apt: pptpd", version=("pptpd", "--version")),
        Requirement(name="pptp", executable="pptp", package="apt: pptp-linux", version=("pptp", "--version")),
        NGINX,
        CURL,
        PING,
    ),
    play=play,
    needs_tun=True,
)

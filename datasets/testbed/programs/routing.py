"""BGP and BFD: two BIRDs, a router's distance apart, exchange a few routes and watch each other.

Options of a scenario: seconds (after the session is up).
"""

from __future__ import annotations

import ipaddress
import time
from dataclasses import dataclass

from ..host import Daemon, Host
from ..lab import Lab, Program, Requirement
from ..labels import TCP, UDP, Served

__all__ = ["PROGRAM", "Options"]

_BGP, _BFD_MULTIHOP = 179, 4784


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    seconds: int = 3


def play(lab: Lab, options: Options) -> list[Served]:
    """Bring both sessions up, exchange routes, and keep the sessions for some seconds."""
    for host in (lab.client, lab.server):  # one begins before the other: its host keeps quiet about a closed port
        host.run("sh", "-c", "printf 600000 > /proc/sys/net/ipv4/icmp_ratelimit")
    client = _start(lab.client, lab.server.address, 64501, 64502)
    _start(lab.server, lab.client.address, 64502, 64501)
    control = lab.client.folder / "bird.ctl"
    client.wait_until(
        lambda: "Established" in lab.client.run("birdc", "-s", control, "show", "protocols", "far", may_fail=True),
        "having a session",
    )
    time.sleep(options.seconds)
    lab.client.run("birdc", "-s", control, "disable", "far")
    # BFD of each end sends to the other's port: two flows, both of which touch the server's address. BGP may be
    # opened by either end.
    return [
        Served(address=lab.server.address, port=_BGP, ip_proto=TCP, family="bgp", flows=0),
        Served(address=lab.client.address, port=_BGP, ip_proto=TCP, family="bgp", flows=0),
        Served(address=lab.server.address, port=_BFD_MULTIHOP, ip_proto=UDP, family="bfd"),
        Served(address=lab.client.address, port=_BFD_MULTIHOP, ip_proto=UDP, family="bfd"),
    ]


def _start(host: Host, far: str, own_number: int, far_number: int) -> Daemon:
    version = ipaddress.ip_address(far).version
    route = f"10.{own_number % 256}.0.0/16" if version == 4 else f"2001:db8:{own_number % 256}::/48"
    configuration = host.write(
        "bird.conf",
        f"""log stderr all;
router id 10.0.0.{own_number % 256};
protocol device {{ }}
protocol static {{ ipv{version}; route {route} unreachable; }}
protocol bfd {{ multihop {{ interval 300 ms; multiplier 3; }}; }}
protocol bgp far {{
  local {host.address} as {own_number};
  neighbor {far} as {far_number};
  multihop 4;
  bfd on;
  connect delay time 1;
  hold time 6;
  ipv{version} {{ import all; export all; }};
}}
""",
    )
    return host.start(
        "bird", "bird", "-f", "-c", configuration, "-s", host.folder / "bird.ctl", "-P", host.folder / "bird.pid"
    )


PROGRAM = Program(
    name="routing",
    options=Options,
    requirements=(Requirement(name="bird", executable="bird", package="apt: bird2", version=("bird", "--version")),),
    play=play,
)

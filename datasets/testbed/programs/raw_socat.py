"""socat between a tun device and a raw socket: IP in IP (protocols 4 and 41), without a header between.

Options of a scenario: kind (ipv4, ipv6, 6to4, isatap), idle (seconds of silence).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from ..host import Host
from ..lab import Lab, Program, Requirement
from ..labels import Served
from ..tunnels import USE, check_choice, shown, use_path, wait_for_path

__all__ = ["PROGRAM", "Options"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    kind: str
    idle: int = 2

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, ("ipv4", "ipv6", "6to4", "isatap"))


def play(lab: Lab, options: Options) -> list[Served]:
    """Join both ends and use the path."""
    protocol = 4 if options.kind == "ipv4" else 41
    width = {"ipv4": 24, "ipv6": 64, "6to4": 16, "isatap": 64}[options.kind]
    for number, (host, far) in enumerate(((lab.server, lab.client), (lab.client, lab.server)), start=1):
        raw = f"IP{lab.ip_version}-DATAGRAM:{shown(far.address)}:{protocol},bind={shown(host.address)}"
        end = host.start("socat", "socat", "TUN,tun-name=tun0,tun-type=tun,iff-no-pi,iff-up", raw)
        end.wait_until(lambda host=host: "tun0" in host.run("ip", "link"), "making its tun device")  # type: ignore[misc]
        host.run("ip", "link", "set", "tun0", "mtu", "1400", "up")
        nodad = () if protocol == 4 else ("nodad",)
        host.run("ip", "address", "add", f"{_inside(options.kind, host, number)}/{width}", "dev", "tun0", *nodad)
    inside = _inside(options.kind, lab.server, 1)
    wait_for_path(end, lab.client, inside)
    use_path(lab.client, lab.server, inside, idle=options.idle)
    return [Served(address=lab.server.address, port=0, ip_proto=protocol, family="ip-in-ip", variant=options.kind)]


def _inside(kind: str, host: Host, number: int) -> str:
    """Give the host's address inside; those of 6to4 (RFC 3056) and ISATAP (RFC 5214) hold its IPv4 address."""
    if kind == "ipv4":
        return f"10.60.0.{number}"
    if kind == "ipv6":
        return f"2001:db8:60::{number}"
    outside = int(ipaddress.IPv4Address(host.address))
    if kind == "6to4":
        return str(ipaddress.IPv6Address((0x2002 << 112) + (outside << 80) + number))
    return str(ipaddress.IPv6Address((0x20010DB8_00610000 << 64) + (0x02005EFE << 32) + outside))


PROGRAM = Program(
    name="raw_socat",
    options=Options,
    requirements=(
        Requirement(name="socat", executable="socat", package="apt: socat", version=("socat", "-V")),
        *USE,
    ),
    play=play,
    needs_tun=True,
)

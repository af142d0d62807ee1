"""VXLAN by the kernel, with its extensions: group policy and the generic protocol extension.

Options of a scenario: port, kind (vxlan, gbp, gpe), idle (seconds of silence).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..lab import Lab, Program
from ..labels import UDP, Served
from ..tunnels import IPTABLES, USE, check_choice, check_port, served_at_both, use_path

__all__ = ["PROGRAM", "Options"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    port: int = 4789
    kind: str = "vxlan"
    network: int = 4200
    idle: int = 2

    def __post_init__(self) -> None:
        check_port(self.port)
        check_choice("kind", self.kind, ("vxlan", "gbp", "gpe"))


def play(lab: Lab, options: Options) -> list[Served]:
    """Join both ends by one segment and use it."""
    for end, (host, far) in enumerate(((lab.server, lab.client), (lab.client, lab.server)), start=1):
        # Else one end reports listeners before the other end has its interface.
        host.run("sh", "-c", "printf 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6")
        words = ["external"] if options.kind == "gpe" else ["id", str(options.network), "remote", far.address]
        host.run(
            *("ip", "link", "add", "vxlan0", "type", "vxlan", *words, "local", host.address, "dev", "eth0"),
            *("dstport", str(options.port), *([options.kind] if options.kind != "vxlan" else ["udpcsum"])),
        )
        host.run("ip", "link", "set", "vxlan0", "mtu", "1400", "up")
        host.run("ip", "address", "add", f"10.48.0.{end}/24", "dev", "vxlan0")
        if options.kind == "gbp":  # the mark is what the extension carries; without one there is none
            host.run("iptables", "-t", "mangle", "-A", "OUTPUT", "-j", "MARK", "--set-mark", "7")
            host.run("ip", "link", "set", "vxlan0", "address", f"02:00:00:00:00:0{end}")
            other = 3 - end  # ARP would have no mark
            host.run(
                *("ip", "neighbour", "add", f"10.48.0.{other}", "lladdr", f"02:00:00:00:00:0{other}", "dev", "vxlan0"),
            )
        if options.kind == "gpe":
            host.run(
                *("ip", "route", "replace", "10.48.0.0/24", "encap", "ip", "id", str(options.network)),
                *("dst", far.address, "dev", "vxlan0"),
            )
    use_path(lab.client, lab.server, "10.48.0.1", idle=options.idle)
    return served_at_both(lab, options.port, UDP, "vxlan", options.kind)


PROGRAM = Program(name="vxlan", options=Options, requirements=(IPTABLES, *USE), play=play)

"""Teredo: Miredo's client and server, and a relay towards an IPv6 host.

Options of a scenario: idle (seconds of silence).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..lab import Lab, Program, Requirement
from ..labels import UDP, Served
from ..traffic import silence
from ..tunnels import IP, USE, give_address, use_path, wait_for_path

__all__ = ["PROGRAM", "Options"]

_INSIDE = "2001:db8:63::1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    idle: int = 5


def play(lab: Lab, options: Options) -> list[Served]:
    """Qualify, then reach an IPv6 host behind the relay; the server needs two addresses, the relay has a third."""
    primary, secondary, relay = lab.server.addresses
    give_address(lab.server, f"{_INSIDE}/128")
    lab.server.run("sh", "-c", "printf 1 > /proc/sys/net/ipv6/conf/all/forwarding")
    server = lab.server.write("server.conf", f"ServerBindAddress {primary}\nServerBindAddress2 {secondary}\n")
    lab.server.start("miredo-server", "miredo-server", "-f", "-c", server)
    relaying = lab.server.write(
        "relay.conf", f"RelayType relay\nInterfaceName teredo\nBindAddress {relay}\nBindPort 3545\n"
    )
    lab.server.start("miredo-relay", "miredo", "-f", "-p", lab.server.folder / "relay.pid", "-c", relaying)
    silence(1)
    file = lab.client.write(
        "client.conf", f"InterfaceName teredo\nServerAddress {primary}\nServerAddress2 {secondary}\n"
    )
    client = lab.client.start("miredo", "miredo", "-f", "-c", file)
    client.wait_until(lambda: " 2001:0:" in lab.client.run("ip", "-o", "-6", "address"), "getting a Teredo address")
    wait_for_path(client, lab.client, _INSIDE)
    use_path(lab.client, lab.server, _INSIDE, idle=options.idle)
    client.stop()
    return [
        Served(address=primary, port=3544, ip_proto=UDP, family="teredo", variant="qualification"),
        Served(address=secondary, port=3544, ip_proto=UDP, family="teredo", variant="qualification", flows=0),
        Served(address=relay, port=3545, ip_proto=UDP, family="teredo"),
    ]


PROGRAM = Program(
    name="miredo",
    options=Options,
    requirements=(
        Requirement(name="miredo", executable="miredo", package="apt: miredo", version=("miredo", "-V")),
        Requirement(
            name="miredo-server",
            executable="miredo-server",
            package="apt: miredo-server",
            version=("miredo-server", "-V"),
        ),
        IP,
        *USE,
    ),
    play=play,
    needs_tun=True,
)

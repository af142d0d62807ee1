"""QuickTun: a tun device over UDP with no handshake; its packets are sealed with NaCl.

Options of a scenario: protocol (nacl0, nacltai), port, idle (seconds of silence).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..host import Host
from ..lab import Lab, Program, Requirement
from ..labels import UDP, Served
from ..tunnels import USE, check_choice, check_port, use_path, wait_for_path

__all__ = ["PROGRAM", "Options"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    protocol: str
    port: int = 2998
    idle: int = 2

    def __post_init__(self) -> None:
        check_port(self.port)
        check_choice("protocol", self.protocol, ("nacl0", "nacltai"))


def play(lab: Lab, options: Options) -> list[Served]:
    """Join both ends and use the path."""
    keys = {host.role: _keys(host) for host in (lab.server, lab.client)}
    for number, (host, far) in enumerate(((lab.server, lab.client), (lab.client, lab.server)), start=1):
        end = host.start(
            *("quicktun", "quicktun"),
            environment={
                "IF_QT_PROTOCOL": options.protocol,
                "IF_QT_LOCAL_ADDRESS": host.address,
                "IF_QT_LOCAL_PORT": str(options.port),
                "IF_QT_REMOTE_ADDRESS": far.address,
                "IF_QT_REMOTE_PORT": str(options.port),
                "IF_QT_INTERFACE": "tun0",
                "IF_QT_TUN_MODE": "1",
                "IF_QT_PRIVATE_KEY": keys[host.role][0],
                "IF_QT_PUBLIC_KEY": keys[far.role][1],
                "IF_QT_TIME_WINDOW": "10",
                "IF_QT_ROLE": str(number - 1),
            },
        )
        end.wait_until(lambda host=host: "tun0" in host.run("ip", "link"), "making its device")  # type: ignore[misc]
        host.run("ip", "link", "set", "tun0", "mtu", "1380", "up")
        host.run("ip", "address", "add", f"10.65.0.{number}/24", "dev", "tun0")
    wait_for_path(end, lab.client, "10.65.0.1")
    use_path(lab.client, lab.server, "10.65.0.1", idle=options.idle)
    return [
        Served(
            address=lab.server.address,
            port=options.port,
            ip_proto=UDP,
            family="other-tunnel",
            variant="quicktun",
            scope="hint",
        )
    ]


def _keys(host: Host) -> tuple[str, str]:
    """Make a pair of keys; gives secret and public."""
    said = host.run("/usr/sbin/keypair")
    secret, public = re.findall(r"(?:SECRET|PUBLIC): ([0-9a-f]{64})", said)
    return secret, public


PROGRAM = Program(
    name="quicktun",
    options=Options,
    requirements=(
        Requirement(
            name="quicktun", executable="quicktun", package="apt: quicktun", version=("dpkg-query", "-W", "quicktun")
        ),
        *USE,
    ),
    play=play,
    needs_tun=True,
)

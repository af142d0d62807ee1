"""VTun: server and client, the tunnel in the connection itself (TCP) or in UDP beside it.

Options of a scenario: port, transport (tcp, udp), encrypt (VTun's word), compress (no, zlib:9, lzo:9),
idle (seconds of silence).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..lab import Lab, Program, Requirement
from ..labels import TCP, UDP, Served
from ..tunnels import IP, USE, check_choice, check_port, use_path, wait_for_address, wait_for_listener, wait_for_path

__all__ = ["PROGRAM", "Options"]

_INSIDE = ("10.35.0.1", "10.35.0.2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    port: int = 5000
    transport: str = "tcp"
    encrypt: str = "aes128cbc"
    compress: str = "no"
    idle: int = 6

    def __post_init__(self) -> None:
        check_port(self.port)
        check_choice("transport", self.transport, ("tcp", "udp"))
        check_choice("compress", self.compress, ("no", "zlib:9", "lzo:9"))


def play(lab: Lab, options: Options) -> list[Served]:
    """Connect, use the tunnel, say nothing for a while."""
    common = f"""options {{ port {options.port}; timeout 20; syslog daemon; }}
default {{ persist no; speed 0; }}
"""
    files = []
    near, far = _INSIDE
    for host, own, other in ((lab.server, near, far), (lab.client, far, near)):
        kind = f"type tun; proto {options.transport}; compress {options.compress}; encrypt {options.encrypt};"
        session = f"""office {{
  passwd correct-horse; {kind + " keepalive 3:4;" if host is lab.server else ""}
  up {{ program "ip address add {own} peer {other} dev %d; ip link set %d mtu 1400 up" wait; }};
}}
"""
        files.append(host.write("vtund.conf", common + session))
    gateway = lab.server.start("vtund", "vtund", "-n", "-s", "-f", files[0], "-P", str(options.port))
    wait_for_listener(gateway, lab.server, options.port)
    peer = lab.client.start(
        *("vtund", "vtund", "-n", "-f", files[1], "-P", str(options.port), "office", lab.server.address)
    )
    wait_for_address(peer, lab.client, _INSIDE[1])
    wait_for_path(peer, lab.client, _INSIDE[0])
    served = [Served(address=lab.server.address, port=options.port, ip_proto=TCP, family="vtun")]
    if options.transport == "udp":
        sockets = lab.server.run("ss", "-Hnu")
        ports = re.findall(rf"{re.escape(lab.server.address)}:(\d+)\s", sockets)
        served += [Served(address=lab.server.address, port=int(port), ip_proto=UDP, family="vtun") for port in ports]
    use_path(lab.client, lab.server, _INSIDE[0], idle=options.idle)
    peer.stop()
    return served


PROGRAM = Program(
    name="vtun",
    options=Options,
    requirements=(
        Requirement(name="vtun", executable="vtund", package="apt: vtun", version=("vtund", "-h")),
        IP,
        *USE,
    ),
    play=play,
    needs_tun=True,
)

"""fastd: a server and a client with keys, every method it has.

Options of a scenario: port, method, mode (tun, tap), idle (seconds of silence).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..host import Host
from ..lab import Lab, Program, Requirement
from ..labels import UDP, Served
from ..tunnels import USE, check_choice, check_port, use_path

__all__ = ["METHODS", "PROGRAM", "Options"]

METHODS = (
    *("null", "null@l2tp", "salsa2012+umac", "salsa2012+gmac", "aes128-ctr+umac", "aes128-gcm", "null+salsa2012+umac"),
    *("null+salsa2012+umac@l2tp", "xsalsa20-poly1305"),
)
_INSIDE = "10.32.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    port: int = 10000
    method: str = "salsa2012+umac"
    mode: str = "tun"
    idle: int = 6

    def __post_init__(self) -> None:
        check_port(self.port)
        check_choice("method", self.method, METHODS)
        check_choice("mode", self.mode, ("tun", "tap"))


def play(lab: Lab, options: Options) -> list[Served]:
    """Connect, use the tunnel, say nothing for a while."""
    server_keys, client_keys = _keys(lab.server), _keys(lab.client)
    shown = f"[{lab.server.address}]" if lab.ip_version == 6 else lab.server.address
    common = f"""log level verbose;
mode {options.mode};
interface "fastd0";
method "{options.method}";
mtu 1400;
"""
    listening = f"""{common}bind {shown}:{options.port};
secret "{server_keys[0]}";
peer "laptop" {{ key "{client_keys[1]}"; }}
on up "ip address add {_INSIDE}/24 dev fastd0; ip link set fastd0 up";
"""
    calling = f"""{common}secret "{client_keys[0]}";
peer "gateway" {{ key "{server_keys[1]}"; remote {shown}:{options.port}; }}
on up "ip address add 10.32.0.2/24 dev fastd0; ip link set fastd0 up";
"""
    gateway = lab.server.start("fastd", "fastd", "-c", lab.server.write("fastd.conf", listening))
    gateway.wait_for("bound to")
    peer = lab.client.start("fastd", "fastd", "-c", lab.client.write("fastd.conf", calling))
    peer.wait_for("established")
    use_path(lab.client, lab.server, _INSIDE, idle=options.idle)
    peer.stop()
    variant = "l2tp" if options.method.endswith("@l2tp") else "plain"
    return [Served(address=lab.server.address, port=options.port, ip_proto=UDP, family="fastd", variant=variant)]


def _keys(host: Host) -> tuple[str, str]:
    """Make a pair of keys; gives secret and public."""
    said = host.run("fastd", "--generate-key")
    secret, public = re.findall(r"[0-9a-f]{64}", said)
    return secret, public


PROGRAM = Program(
    name="fastd",
    options=Options,
    requirements=(
        Requirement(name="fastd", executable="fastd", package="apt: fastd", version=("fastd", "--version")),
        *USE,
    ),
    play=play,
    needs_tun=True,
)

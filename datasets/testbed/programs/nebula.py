"""Nebula: a lighthouse on the server, a node on the client.

Options of a scenario: port, cipher (aes, chachapoly), idle (seconds of silence).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..host import Daemon, Host
from ..lab import Lab, Program, Requirement
from ..labels import UDP, Served
from ..tunnels import USE, check_choice, check_port, use_path, wait_for_path

__all__ = ["PROGRAM", "Options"]

_INSIDE = "10.34.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    port: int = 4242
    cipher: str = "aes"
    idle: int = 8

    def __post_init__(self) -> None:
        check_port(self.port)
        check_choice("cipher", self.cipher, ("aes", "chachapoly"))


def play(lab: Lab, options: Options) -> list[Served]:
    """Shake hands, report to the lighthouse, use the tunnel."""
    pki = lab.server
    pki.run("nebula-cert", "ca", "-name", "Example Mesh", "-out-crt", "ca.crt", "-out-key", "ca.key")
    for name, inside in (("lighthouse", f"{_INSIDE}/24"), ("laptop", "10.34.0.2/24")):
        pki.run(
            *("nebula-cert", "sign", "-ca-crt", "ca.crt", "-ca-key", "ca.key", "-name", name, "-ip", inside),
            *("-out-crt", f"{name}.crt", "-out-key", f"{name}.key"),
        )
    _start(lab.server, lab, "lighthouse", options)
    node = _start(lab.client, lab, "laptop", options)
    wait_for_path(node, lab.client, _INSIDE)
    use_path(lab.client, lab.server, _INSIDE, idle=options.idle)
    node.stop()
    return [Served(address=lab.server.address, port=options.port, ip_proto=UDP, family="nebula")]


def _start(host: Host, lab: Lab, name: str, options: Options) -> Daemon:
    shown = f"[{lab.server.address}]" if lab.ip_version == 6 else lab.server.address
    lighthouse = name == "lighthouse"
    text = f"""pki:
  ca: {lab.server.folder}/ca.crt
  cert: {lab.server.folder}/{name}.crt
  key: {lab.server.folder}/{name}.key
static_host_map:
  "{_INSIDE}": ["{shown}:{options.port}"]
lighthouse:
  am_lighthouse: {"true" if lighthouse else "false"}
  interval: 5
  hosts: {"[]" if lighthouse else f'["{_INSIDE}"]'}
listen:
  host: "{"::" if lab.ip_version == 6 else "0.0.0.0"}"
  port: {options.port if lighthouse else 0}
cipher: {options.cipher}
punchy:
  punch: true
tun:
  dev: nebula0
  mtu: 1300
logging:
  level: info
  format: text
firewall:
  outbound:
    - {{port: any, proto: any, host: any}}
  inbound:
    - {{port: any, proto: any, host: any}}
"""
    node = host.start("nebula", "nebula", "-config", host.write("nebula.yml", text))
    node.wait_for("Nebula interface is active")
    return node


PROGRAM = Program(
    name="nebula",
    options=Options,
    requirements=(
        Requirement(name="nebula", executable="nebula", package="apt: nebula", version=("nebula", "-version")),
        *USE,
    ),
    play=play,
    needs_tun=True,
)

"""tinc 1.0: two daemons, a meta connection over TCP and data in UDP, or all of it in the meta connection.

Options of a scenario: port, cipher, tcp_only (the option TCPOnly), idle (seconds of silence).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..host import Host
from ..lab import Lab, Program, Requirement
from ..labels import TCP, UDP, Served
from ..tunnels import USE, check_port, use_path, wait_for_path

__all__ = ["PROGRAM", "Options"]

_INSIDE = {"office": "10.31.0.1", "branch": "10.31.0.2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    port: int = 655
    cipher: str = "aes-256-cbc"
    tcp_only: bool = False
    idle: int = 6

    def __post_init__(self) -> None:
        check_port(self.port)


def play(lab: Lab, options: Options) -> list[Served]:
    """Connect the client's daemon to the server's and use the tunnel."""
    cards = [_prepare(lab.server, "office", options), _prepare(lab.client, "branch", options)]
    for host in (lab.server, lab.client):
        for name, text in zip(_INSIDE, cards, strict=True):
            host.write(f"tinc/hosts/{name}", text)
    lab.server.start("tincd", *_daemon(lab.server)).wait_for("Ready")
    peer = lab.client.start("tincd", *_daemon(lab.client))
    peer.wait_for("activated")
    wait_for_path(peer, lab.client, _INSIDE["office"])
    use_path(lab.client, lab.server, _INSIDE["office"], idle=options.idle)
    peer.stop()
    served = [Served(address=lab.server.address, port=options.port, ip_proto=TCP, family="tinc", variant="1.0")]
    if not options.tcp_only:
        # 1.0 seals its packets whole: only the connection beside them can tell what they are.
        data = Served(address=lab.server.address, port=options.port, ip_proto=UDP, family="tinc", scope="hint")
        served.append(data)
    return served


def _daemon(host: Host) -> tuple[str, ...]:
    folder = host.folder
    return "tincd", "-D", "-d3", "-c", f"{folder}/tinc", f"--pidfile={folder}/tinc.pid"


def _prepare(host: Host, name: str, options: Options) -> str:
    """Write one daemon's configuration and key; gives the text that both sides keep about it."""
    lines = [f"Name = {name}", "AddressFamily = any", "Interface = tinc0", "PingInterval = 3"]
    if name == "branch":
        lines.append("ConnectTo = office")
    host.write("tinc/tinc.conf", "\n".join(lines) + "\n")
    up = f'#!/bin/sh\nip address add {_INSIDE[name]}/24 dev "$INTERFACE"\nip link set "$INTERFACE" up\n'
    host.write("tinc/tinc-up", up, mode=0o700)
    card = f"Address = {host.address}\nPort = {options.port}\nSubnet = {_INSIDE[name]}/32\nCipher = {options.cipher}\n"
    if options.tcp_only:
        card += "TCPOnly = yes\n"
    path = host.write(f"tinc/hosts/{name}", card)
    host.run("tincd", "-c", host.folder / "tinc", "-K", "2048", stdin="\n\n")
    return path.read_text(encoding="utf-8")


PROGRAM = Program(
    name="tinc",
    options=Options,
    requirements=(
        Requirement(name="tinc", executable="tincd", package="apt: tinc", version=("tincd", "--version")),
        *USE,
    ),
    play=play,
    needs_tun=True,
)

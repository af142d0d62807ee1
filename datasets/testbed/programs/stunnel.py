"""stunnel: TLS around a SOCKS server or around OpenVPN over TCP; from outside it is TLS.

Options of a scenario: inside (socks, openvpn), port.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..certificates import OPENSSL, Authority
from ..lab import Lab, Program, Requirement
from ..labels import TCP, Served
from ..traffic import start_web_server
from ..tunnels import (
    IP,
    USE,
    check_choice,
    check_port,
    fetch,
    give_address,
    use_path,
    wait_for_address,
    wait_for_listener,
    wait_for_path,
)

__all__ = ["PROGRAM", "Options"]

_INSIDE = ("10.40.0.1", "10.40.0.2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    inside: str
    port: int = 443
    idle: int = 4

    def __post_init__(self) -> None:
        check_port(self.port)
        check_choice("inside", self.inside, ("socks", "openvpn"))


def play(lab: Lab, options: Options) -> list[Served]:
    """Start the TLS ends, then what goes through them."""
    authority = Authority(lab.server.folder / "pki")
    identity = authority.issue("gate.example.net", usage="serverAuth", address=lab.server.address)
    common = "foreground = yes\npid =\ndebug = notice\n"
    ends = {
        lab.server: f"[in]\naccept = {lab.server.address}:{options.port}\nconnect = 127.0.0.1:1080\n"
        f"cert = {identity.certificate}\nkey = {identity.key}\n",
        lab.client: f"[out]\nclient = yes\naccept = 127.0.0.1:1080\nconnect = {lab.server.address}:{options.port}\n",
    }
    for host, text in ends.items():
        daemon = host.start("stunnel", "stunnel4", host.write("stunnel.conf", common + text))
        wait_for_listener(daemon, host, options.port if host is lab.server else 1080)
    if options.inside == "socks":
        give_address(lab.server, f"{_INSIDE[0]}/32")
        start_web_server(lab.server, f"{_INSIDE[0]}:8080", size=20_000)
        proxy = lab.server.start("microsocks", "microsocks", "-i", "127.0.0.1", "-p", "1080")
        wait_for_listener(proxy, lab.server, 1080)
        for path in ("", "page.html"):
            fetch(lab.client, "--socks5", "127.0.0.1:1080", f"http://{_INSIDE[0]}:8080/{path}")
    else:
        _openvpn(lab, options)
    return [Served(address=lab.server.address, port=options.port, ip_proto=TCP, family="tls")]


def _openvpn(lab: Lab, options: Options) -> None:
    """Use OpenVPN with a static key, which needs no more than one file."""
    lab.server.run("openvpn", "--genkey", "secret", "static.key")
    common = (
        *("--dev", "tun0", "--secret", f"{lab.server.folder}/static.key", "--cipher", "AES-256-CBC"),
        *("--verb", "3"),
    )
    gateway = lab.server.start(
        *("openvpn", "openvpn", *common, "--proto", "tcp-server", "--local", "127.0.0.1", "--port", "1080"),
        *("--ifconfig", *_INSIDE),
    )
    wait_for_listener(gateway, lab.server, 1080)
    peer = lab.client.start(
        *("openvpn", "openvpn", *common, "--proto", "tcp-client", "--remote", "127.0.0.1", "1080"),
        *("--ifconfig", *reversed(_INSIDE)),
    )
    wait_for_address(peer, lab.client, _INSIDE[1])
    wait_for_path(peer, lab.client, _INSIDE[0])
    use_path(lab.client, lab.server, _INSIDE[0], idle=options.idle)
    peer.stop()


PROGRAM = Program(
    name="stunnel",
    options=Options,
    requirements=(
        Requirement(name="stunnel", executable="stunnel4", package="apt: stunnel4", version=("stunnel4", "-version")),
        Requirement(
            name="microsocks",
            executable="microsocks",
            package="apt: microsocks",
            version=("dpkg-query", "-W", "microsocks"),
        ),
        Requirement(name="openvpn", executable="openvpn", package="apt: openvpn", version=("openvpn", "--version")),
        OPENSSL,
        IP,
        *USE,
    ),
    play=play,
    needs_tun=True,
)

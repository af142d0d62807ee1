"""OpenVPN: a server and a client with certificates, every kind of control channel protection, UDP and TCP.

Options of a scenario: transport (udp, tcp), port, control (see `CONTROLS`; static-key is the mode without
handshake), cipher, renegotiate (seconds), cookie (tls-crypt-v2 only: the server insists that the client repeats its
wrapped key), extra (more lines for both ends), quiet (two pings and keepalives, no page), client_port (0: any free
one), idle (seconds of silence).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..certificates import OPENSSL, Authority, Identity
from ..lab import Lab, Program, Requirement
from ..labels import TCP, UDP, Served
from ..traffic import CURL, NGINX, PING, ping, silence, use_tunnel

__all__ = ["CONTROLS", "PROGRAM", "Options"]

# How control packets are protected: the variant, and the digest of tls-auth where there is one.
CONTROLS: Mapping[str, str | None] = {
    "plain": None,
    "tls-auth-sha1": "SHA1",
    "tls-auth-sha256": "SHA256",
    "tls-auth-sha512": "SHA512",
    "tls-crypt": None,
    "tls-crypt-v2": None,
    "static-key": None,
}
_GATEWAY = "10.8.0.1"
_STATIC_PEER = "10.8.0.2"
_READY = "Initialization Sequence Completed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    transport: str
    port: int
    control: str
    cipher: str = "AES-256-GCM"
    renegotiate: int = 0
    cookie: bool = False
    extra: tuple[str, ...] = ()
    quiet: bool = False
    client_port: int = 0
    idle: int = 7

    def __post_init__(self) -> None:
        if self.transport not in ("udp", "tcp"):
            raise ValueError(f"transport {self.transport!r} is neither udp nor tcp")
        if self.control not in CONTROLS:
            raise ValueError(f"control {self.control!r} is not one of {', '.join(CONTROLS)}")
        if not 0 < self.port < 65536:
            raise ValueError(f"port {self.port} is not between 1 and 65535")
        if not 0 <= self.client_port < 65536:
            raise ValueError(f"client_port {self.client_port} is not between 0 and 65535")
        if self.control == "static-key" and self.renegotiate:
            raise ValueError("renegotiate needs a handshake, which static-key has not")
        if self.cookie and (self.control, self.transport) != ("tls-crypt-v2", "udp"):
            raise ValueError("cookie goes with control tls-crypt-v2 over udp only")


def play(lab: Lab, options: Options) -> list[Served]:
    """Connect, use the tunnel, be silent long enough for keepalives, disconnect."""
    texts = _static_key(lab, options) if options.control == "static-key" else _with_certificates(lab, options)
    tcp = options.transport == "tcp"
    started = "Listening for incoming" if tcp and options.control == "static-key" else "link remote"
    gateway = lab.server.start("openvpn", "openvpn", "--config", lab.server.write("server.conf", texts[0]))
    gateway.wait_for(_READY if options.control != "static-key" else started)
    peer = lab.client.start("openvpn", "openvpn", "--config", lab.client.write("client.conf", texts[1]))
    peer.wait_for(_READY)
    if options.quiet:
        ping(lab.client, _GATEWAY, count=2)
        silence(options.idle)
    else:
        use_tunnel(lab.client, lab.server, _GATEWAY, idle=options.idle)
    peer.stop()
    return [
        Served(
            address=lab.server.address,
            port=options.port,
            ip_proto=TCP if tcp else UDP,
            family="openvpn",
            variant=options.control,
            # Without a handshake there is nothing but octets like random ones.
            scope="hint" if options.control == "static-key" else "gate",
        )
    ]


def _with_certificates(lab: Lab, options: Options) -> tuple[str, str]:
    """Give the configurations of server and client that agree on keys by TLS."""
    authority = Authority(lab.server.folder / "pki")
    server = authority.issue("vpn.example.net", usage="serverAuth")
    client = authority.issue("laptop.example.net", usage="clientAuth")
    keys = _control_keys(lab, options)
    common = _common(options, authority.certificate)
    family = "4" if lab.ip_version == 4 else "6"
    tcp = options.transport == "tcp"
    server_text = f"""mode server
tls-server
proto {options.transport}{family}{"-server" if tcp else ""}
local {lab.server.address}
port {options.port}
topology subnet
server 10.8.0.0 255.255.255.0 nopool
ifconfig-pool 10.8.0.10 10.8.0.20
keepalive 3 15
dh none
{_identity(server)}{keys[0]}{common}"""
    client_text = f"""client
proto {options.transport}{family}{"-client" if tcp else ""}
remote {lab.server.address} {options.port}
{_client_port(options)}
remote-cert-tls server
{"" if tcp else "explicit-exit-notify 1"}
{_identity(client)}{keys[1]}{common}"""
    return server_text, client_text


def _static_key(lab: Lab, options: Options) -> tuple[str, str]:
    """Give the configurations of two ends that share a secret: no handshake, every packet is data."""
    lab.server.run("openvpn", "--genkey", "secret", "static.key")
    family = "4" if lab.ip_version == 4 else "6"
    tcp = options.transport == "tcp"
    common = f"""dev tun0
verb 3
secret {lab.server.folder}/static.key
cipher {options.cipher}
ping 3
{_lines(options)}"""
    server_text = f"""proto {options.transport}{family}{"-server" if tcp else ""}
local {lab.server.address}
port {options.port}
ifconfig {_GATEWAY} {_STATIC_PEER}
{common}"""
    client_text = f"""proto {options.transport}{family}{"-client" if tcp else ""}
remote {lab.server.address} {options.port}
{_client_port(options)}
ifconfig {_STATIC_PEER} {_GATEWAY}
{common}"""
    return server_text, client_text


def _client_port(options: Options) -> str:
    return f"lport {options.client_port}" if options.client_port else "nobind"


def _lines(options: Options) -> str:
    return "".join(line + "\n" for line in options.extra)


def _common(options: Options, ca: Path) -> str:
    digest = CONTROLS[options.control]
    lines = [
        "dev tun0",
        "verb 3",
        f"ca {ca}",
        f"data-ciphers {options.cipher}",
        f"data-ciphers-fallback {options.cipher}",
        f"reneg-sec {options.renegotiate}",
    ]
    if digest:
        lines.append(f"auth {digest}")
    return "\n".join(lines) + "\n" + _lines(options)


def _identity(identity: Identity) -> str:
    return f"cert {identity.certificate}\nkey {identity.key}\n"


def _control_keys(lab: Lab, options: Options) -> tuple[str, str]:
    """Make the keys that protect control packets; gives the server's and the client's lines."""
    folder = lab.server.folder
    if options.control.startswith("tls-auth"):
        lab.server.run("openvpn", "--genkey", "secret", "ta.key")
        return f"tls-auth {folder}/ta.key 0\n", f"tls-auth {folder}/ta.key 1\n"
    if options.control == "tls-crypt":
        lab.server.run("openvpn", "--genkey", "secret", "tc.key")
        return (f"tls-crypt {folder}/tc.key\n",) * 2
    if options.control == "tls-crypt-v2":
        lab.server.run("openvpn", "--genkey", "tls-crypt-v2-server", "v2-server.key")
        lab.server.run(
            *("openvpn", "--tls-crypt-v2", "v2-server.key", "--genkey", "tls-crypt-v2-client", "v2-client.key")
        )
        mode = " force-cookie" if options.cookie else " allow-noncookie"
        return f"tls-crypt-v2 {folder}/v2-server.key{mode}\n", f"tls-crypt-v2 {folder}/v2-client.key\n"
    return "", ""


PROGRAM = Program(
    name="openvpn",
    options=Options,
    requirements=(
        Requirement(name="openvpn", executable="openvpn", package="apt: openvpn", version=("openvpn", "--version")),
        OPENSSL,
        NGINX,
        CURL,
        PING,
    ),
    play=play,
    needs_tun=True,
)

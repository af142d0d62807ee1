"""AnyConnect's protocol between ocserv and openconnect: in TLS, with or without DTLS beside it.

Options of a scenario: port, dtls (whether data go over DTLS, on the same port of UDP), priority (GnuTLS's words for
what the server offers), idle (seconds of silence).

Nothing of AnyConnect's own is to be seen outside TLS and DTLS 1.2: the labels' scope says that it need not be found.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..certificates import OPENSSL, Authority, Identity
from ..host import Daemon, Host
from ..lab import Lab, Program, Requirement
from ..labels import TCP, UDP, Served
from ..traffic import CURL, NGINX, PING, use_tunnel

__all__ = ["PROGRAM", "Options"]

_GATEWAY = "10.93.7.1"
_USER, _PASSWORD = "carol", "green parrot"
_NAME = "vpn.example.net"
# openconnect asks this program to set its interface up.
_SCRIPT = """#!/bin/sh
[ "$reason" = connect ] || exit 0
ip link set "$TUNDEV" mtu "$INTERNAL_IP4_MTU" up
ip address add "$INTERNAL_IP4_ADDRESS" peer 10.93.7.1 dev "$TUNDEV"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    port: int = 443
    dtls: bool = True
    priority: str = "NORMAL:%SERVER_PRECEDENCE"
    idle: int = 6

    def __post_init__(self) -> None:
        if not 0 < self.port < 65536:
            raise ValueError(f"port {self.port} is not between 1 and 65535")


def play(lab: Lab, options: Options) -> list[Served]:
    """Log in, use the tunnel, be silent, disconnect."""
    authority = Authority(lab.server.folder / "pki")
    identity = authority.issue(_NAME, usage="serverAuth", address=lab.server.address)
    settings = lab.server.write("ocserv.conf", _configuration(lab, options, identity))
    lab.server.run("ocpasswd", "-c", lab.server.folder / "passwords", _USER, stdin=f"{_PASSWORD}\n{_PASSWORD}\n")
    gateway = lab.server.start("ocserv", "ocserv", "--foreground", "--debug", "1", "--config", settings)
    gateway.wait_for("sec-mod initialized")
    to = f"[{lab.server.address}]" if lab.ip_version == 6 else lab.server.address
    url = f"https://{to}:{options.port}/"
    peer = _connect(lab.client, url, authority, options)
    peer.wait_for("Established DTLS connection" if options.dtls else "Configured as", seconds=20)
    use_tunnel(lab.client, lab.server, _GATEWAY, idle=options.idle)
    peer.stop()
    return _served(lab, options)


def _served(lab: Lab, options: Options) -> list[Served]:
    hidden = Served(
        address=lab.server.address,
        port=options.port,
        ip_proto=TCP,
        family="anyconnect",
        variant="tls",
        scope="hint",
        accept=("anyconnect", "tls"),
    )
    if not options.dtls:
        return [hidden]
    beside = replace(hidden, ip_proto=UDP, variant="dtls", accept=("anyconnect", "dtls"))
    return [hidden, beside]


def _configuration(lab: Lab, options: Options, identity: Identity) -> str:
    return f"""auth = "plain[passwd={lab.server.folder}/passwords]"
listen-host = {lab.server.address}
tcp-port = {options.port}
{f"udp-port = {options.port}" if options.dtls else ""}
run-as-user = root
run-as-group = root
socket-file = {lab.server.folder}/ocserv.socket
server-cert = {identity.certificate}
server-key = {identity.key}
isolate-workers = false
max-clients = 4
keepalive = 30
dpd = 3
mobile-dpd = 3
try-mtu-discovery = false
cert-user-oid = 0.9.2342.19200300.100.1.1
tls-priorities = "{options.priority}"
auth-timeout = 40
cookie-timeout = 300
rekey-time = 172800
use-occtl = false
pid-file = {lab.server.folder}/ocserv.pid
device = vpns
predictable-ips = true
default-domain = example.net
ipv4-network = 10.93.7.0
ipv4-netmask = 255.255.255.0
ping-leases = false
cisco-client-compat = false
dtls-legacy = false
"""


def _connect(client: Host, url: str, authority: Authority, options: Options) -> Daemon:
    script = client.write("script", _SCRIPT, mode=0o755)
    client.write("password", _PASSWORD + "\n")
    argv = ["openconnect", "--protocol=anyconnect", "--user", _USER, "--passwd-on-stdin", "--cafile"]
    argv += [str(authority.certificate), "--script", str(script), "--interface", "tun0"]
    if not options.dtls:
        argv.append("--no-dtls")
    # The password comes on the standard input, which a daemon here has not: the shell gives it one.
    return client.start("openconnect", "sh", "-c", 'exec "$@" <password', "sh", *argv, "--verbose", url)


PROGRAM = Program(
    name="ocserv",
    options=Options,
    requirements=(
        Requirement(name="ocserv", executable="ocserv", package="apt: ocserv", version=("ocserv", "--version")),
        Requirement(
            name="openconnect",
            executable="openconnect",
            package="apt: openconnect",
            version=("dpkg-query", "-W", "openconnect"),
        ),
        OPENSSL,
        NGINX,
        CURL,
        PING,
    ),
    play=play,
    needs_tun=True,
)

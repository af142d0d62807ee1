"""HTTP proxies: Squid and Tinyproxy, by absolute URIs and by CONNECT.

Options of a scenario: server (squid, tinyproxy), port, connect (a tunnel by CONNECT instead of an absolute URI), tls
(HTTPS inside it), login (the proxy wants a name and a password).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..certificates import OPENSSL, Authority
from ..lab import Lab, Program, Requirement
from ..labels import TCP, Served
from ..traffic import CURL, NGINX, start_web_server
from ..tunnels import IP, check_choice, check_port, fetch, give_address, wait_for_listener

__all__ = ["PROGRAM", "Options"]

_INSIDE = "10.39.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    server: str
    port: int
    connect: bool = False
    tls: bool = False
    login: bool = False

    def __post_init__(self) -> None:
        check_port(self.port)
        check_choice("server", self.server, ("squid", "tinyproxy"))
        if self.tls and not self.connect:
            raise ValueError("tls goes with connect only")


def play(lab: Lab, options: Options) -> list[Served]:
    """Load two pages through the proxy, each over a connection of its own."""
    give_address(lab.server, f"{_INSIDE}/32")
    identity = Authority(lab.server.folder / "pki").issue("www.example.net", usage="serverAuth", address=_INSIDE)
    tls = f"ssl_certificate {identity.certificate}; ssl_certificate_key {identity.key};" if options.tls else ""
    start_web_server(lab.server, f"{_INSIDE}:8080{' ssl' if options.tls else ''}", server_lines=tls, size=12_000)
    if options.server == "squid":
        for folder in ("/dev/shm", "/var/spool/squid", "/var/log/squid"):
            lab.server.own(folder).chmod(0o777)  # it gives up root
        configuration = lab.server.write("squid.conf", _squid(lab, options), mode=0o644)
        daemon = lab.server.start("squid", "squid", "-N", "-d1", "-f", configuration)
    else:
        configuration = lab.server.write("tinyproxy.conf", _tinyproxy(lab, options))
        daemon = lab.server.start("tinyproxy", "tinyproxy", "-d", "-c", configuration)
    wait_for_listener(daemon, lab.server, options.port, address=lab.server.address)
    shown = f"[{lab.server.address}]" if lab.ip_version == 6 else lab.server.address
    words = [*(["-p"] if options.connect else []), *(["-U", "ann:horse"] if options.login else [])]
    for path in ("", "page.html"):
        url = f"{'https' if options.tls else 'http'}://{_INSIDE}:8080/{path}"
        fetch(lab.client, "-k", *words, "-x", f"http://{shown}:{options.port}", url)
    return [
        Served(
            address=lab.server.address,
            port=options.port,
            ip_proto=TCP,
            family="http-connect" if options.connect else "http-proxy",
            flows=2,
        )
    ]


def _squid(lab: Lab, options: Options) -> str:
    shown = f"[{lab.server.address}]" if lab.ip_version == 6 else lab.server.address
    rule = "http_access allow all"
    if options.login:
        hashed = lab.server.run("openssl", "passwd", "-apr1", "horse")
        users = lab.server.write("users", f"ann:{hashed}", mode=0o644)
        rule = f"""auth_param basic program /usr/lib/squid/basic_ncsa_auth {users}
acl known proxy_auth REQUIRED
http_access allow known
http_access deny all"""
    return f"""http_port {shown}:{options.port}
{rule}
cache deny all
access_log none
cache_log /var/log/squid/cache.log
pid_filename none
shutdown_lifetime 0 seconds
visible_hostname proxy.example.net
dns_nameservers 127.0.0.1
pinger_enable off
"""


def _tinyproxy(lab: Lab, options: Options) -> str:
    return f"""Port {options.port}
Listen {lab.server.address}
Timeout 60
Allow 0.0.0.0/0
Allow ::/0
{"BasicAuth ann horse" if options.login else ""}
LogLevel Info
"""


PROGRAM = Program(
    name="http_proxy",
    options=Options,
    requirements=(
        Requirement(name="squid", executable="squid", package="apt: squid", version=("squid", "-v")),
        Requirement(name="tinyproxy", executable="tinyproxy", package="apt: tinyproxy", version=("tinyproxy", "-v")),
        OPENSSL,
        IP,
        NGINX,
        CURL,
    ),
    play=play,
)

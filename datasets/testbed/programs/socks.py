"""SOCKS servers: microsocks and Dante, asked by curl in versions 4, 4a and 5.

Options of a scenario: server (microsocks, dante), port, ways (curl's options without dashes), login (user name and
password), tls (the page is fetched by HTTPS).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..certificates import OPENSSL, Authority
from ..lab import Lab, Program, Requirement
from ..labels import TCP, Served
from ..traffic import CURL, NGINX, start_web_server
from ..tunnels import IP, check_choice, check_port, fetch, give_address, wait_for_listener

__all__ = ["PROGRAM", "Options"]

_INSIDE = "10.38.0.1"
_NAME = "www.example.net"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    server: str
    port: int = 1080
    way: str = "socks5"
    login: bool = False
    tls: bool = False

    def __post_init__(self) -> None:
        check_port(self.port)
        check_choice("server", self.server, ("microsocks", "dante"))
        check_choice("way", self.way, ("socks4", "socks4a", "socks5", "socks5-hostname"))
        if self.server == "microsocks" and self.way.startswith("socks4"):
            raise ValueError("microsocks speaks version 5 only")
        if self.login and self.server != "microsocks":
            raise ValueError("login goes with microsocks only")


def play(lab: Lab, options: Options) -> list[Served]:
    """Load two pages through the server, each over a connection of its own."""
    give_address(lab.server, f"{_INSIDE}/32")
    identity = Authority(lab.server.folder / "pki").issue(_NAME, usage="serverAuth", address=_INSIDE)
    tls = f"ssl_certificate {identity.certificate}; ssl_certificate_key {identity.key};" if options.tls else ""
    start_web_server(lab.server, f"{_INSIDE}:8080{' ssl' if options.tls else ''}", server_lines=tls, size=12_000)
    if options.server == "microsocks":
        words = ("-u", "ann", "-P", "horse") if options.login else ()
        argv = ("microsocks", "-i", lab.server.address, "-p", str(options.port), *words)
    else:
        argv = ("danted", "-f", str(lab.server.write("danted.conf", _dante(lab, options))))
    daemon = lab.server.start(options.server, *argv)
    wait_for_listener(daemon, lab.server, options.port)
    shown = f"[{lab.server.address}]" if lab.ip_version == 6 else lab.server.address
    scheme, host = ("https", _INSIDE) if options.tls else ("http", _INSIDE)
    proxy = f"ann:horse@{shown}:{options.port}" if options.login else f"{shown}:{options.port}"
    for path in ("", "page.html"):
        fetch(lab.client, "-k", f"--{options.way}", proxy, f"{scheme}://{host}:8080/{path}")
    return [
        Served(
            address=lab.server.address,
            port=options.port,
            ip_proto=TCP,
            family="socks",
            variant=options.way.partition("-")[0],
            flows=2,
        )
    ]


def _dante(lab: Lab, options: Options) -> str:
    return f"""logoutput: stderr
internal: {lab.server.address} port = {options.port}
external: lo
external: eth0
user.privileged: root
user.unprivileged: root
clientmethod: none
socksmethod: none
client pass {{ from: 0/0 to: 0/0 }}
socks pass {{ from: 0/0 to: 0/0 }}
"""


PROGRAM = Program(
    name="socks",
    options=Options,
    requirements=(
        Requirement(
            name="microsocks",
            executable="microsocks",
            package="apt: microsocks",
            version=("dpkg-query", "-W", "microsocks"),
        ),
        Requirement(name="dante", executable="danted", package="apt: dante-server", version=("danted", "-v")),
        OPENSSL,
        IP,
        NGINX,
        CURL,
    ),
    play=play,
)

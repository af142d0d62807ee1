"""L2TP version 2: xl2tpd at both ends, its data from user space; PPP is the testbed's own where the kernel has none.

Options of a scenario: port (of the server; clients of L2TP know one alone), challenge (whether the tunnel is
authenticated), lengths (whether data messages say their length), client_port, idle (seconds of silence).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..host import Daemon, Host
from ..lab import Lab, Program, Requirement
from ..labels import UDP, Served
from ..ppp_line import GATEWAY, LEASE, has_link, put_pppd
from ..traffic import CURL, NGINX, PING, use_tunnel

__all__ = ["PROGRAM", "Options"]

_PORT = 1701


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    client_port: int = _PORT
    challenge: bool = False
    lengths: bool = True
    idle: int = 5

    def __post_init__(self) -> None:
        if not 0 < self.client_port < 65536:
            raise ValueError(f"client_port {self.client_port} is not between 1 and 65535")


def play(lab: Lab, options: Options) -> list[Served]:
    """Set a tunnel and a session up, use them, be silent, take them down."""
    shared = f"""challenge = {"yes" if options.challenge else "no"}
length bit = {"yes" if options.lengths else "no"}
ppp debug = no
"""
    _start(
        lab.server,
        _PORT,
        f"[lns default]\nip range = {LEASE}-{LEASE}\nlocal ip = {GATEWAY}\nrequire authentication = no\n{shared}",
    )
    client = _start(lab.client, options.client_port, f"[lac gate]\nlns = {lab.server.address}\n{shared}")
    lab.client.run("sh", "-c", "echo 'c gate' >/run/control")
    client.wait_until(lambda: has_link(lab.client) and has_link(lab.server), "bringing PPP up")
    use_tunnel(lab.client, lab.server, GATEWAY, idle=options.idle)
    lab.client.run("sh", "-c", "echo 'd gate' >/run/control; sleep 1")
    return [Served(address=lab.server.address, port=_PORT, ip_proto=UDP, family="l2tp", variant="v2")]


def _start(host: Host, port: int, lines: str) -> Daemon:
    secrets = host.write("secrets", "* * wicker-basket\n")
    settings = host.write(
        "xl2tpd.conf",
        f"[global]\nport = {port}\nlisten-addr = {host.address}\nauth file = {secrets}\nforce userspace = yes\n{lines}",
    )
    # It starts /usr/sbin/pppd and no other: in its own view of the files that is the stand-in.
    enter = 'mount --bind "$0" /usr/sbin/pppd && exec "$@"'
    daemon = host.start(
        "xl2tpd",
        *("sh", "-c", enter, put_pppd(host), "xl2tpd", "-D", "-c", settings),
        *("-p", "/run/xl2tpd.pid", "-C", "/run/control"),
    )
    daemon.wait_for("Listening on IP address")
    return daemon


PROGRAM = Program(
    name="xl2tpd",
    options=Options,
    requirements=(
        Requirement(name="xl2tpd", executable="xl2tpd", package="apt: xl2tpd", version=("xl2tpd", "--version")),
        Requirement(name="pppd", executable="/usr/sbin/pppd", package="apt: ppp", version=("dpkg-query", "-W", "ppp")),
        NGINX,
        CURL,
        PING,
    ),
    play=play,
    needs_tun=True,
)

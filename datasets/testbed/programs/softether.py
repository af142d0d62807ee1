"""SoftEther VPN: server and client, Ethernet in TLS over one connection or several, or over UDP beside it.

Options of a scenario: port (443, 992, 1194, 5555: those that the server listens on), connections (of TCP, up to 32),
acceleration (whether data go over UDP once both ends have found each other), idle (seconds of silence).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..host import Daemon, Host
from ..lab import Lab, Program, Requirement
from ..labels import TCP, UDP, Served
from ..traffic import CURL, NGINX, PING, use_tunnel

__all__ = ["PROGRAM", "Options"]

_FOLDER = "/usr/libexec/softether"
_PORTS = (443, 992, 1194, 5555)
# Where vpncmd reaches them.
_SERVER_PORT, _CLIENT_PORT = 5555, 9931
_GATEWAY, _LEASE = "10.95.8.1", "10.95.8.10"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    port: int = 443
    connections: int = 1
    acceleration: bool = False
    idle: int = 5

    def __post_init__(self) -> None:
        if self.port not in _PORTS:
            raise ValueError(f"port {self.port} is not one of {', '.join(map(str, _PORTS))}")
        if not 0 < self.connections <= 32:
            raise ValueError(f"connections {self.connections} is not between 1 and 32")


def play(lab: Lab, options: Options) -> list[Served]:
    """Connect, use the tunnel, be silent, disconnect."""
    known = (lab.server.address, lab.client_from_outside)
    daemons = {
        "server": _start(lab.server, "vpnserver", _SERVER_PORT, known),
        "client": _start(lab.client, "vpnclient", _CLIENT_PORT, known),
    }
    _set_server_up(lab.server, daemons["server"])
    _set_client_up(lab, daemons["client"], options)
    use_tunnel(lab.client, lab.server, _GATEWAY, idle=options.idle)
    ports = {int(line.split()[3].rpartition(":")[2]) for line in lab.server.run("ss", "-Hanu").splitlines()}
    _tell(lab.client, "/CLIENT", "AccountDisconnect gate")
    beside = [
        # It takes any free ports for UDP; nothing of its own is to be seen in what it sends there.
        Served(
            address=lab.server.address,
            port=port,
            ip_proto=UDP,
            family="softether",
            variant="udp",
            scope="hint",
            flows=0,
        )
        for port in sorted(ports)
    ]
    return [
        Served(
            address=lab.server.address,
            port=options.port,
            ip_proto=TCP,
            family="softether",
            variant="tls",
            scope="hint",  # nothing of SoftEther's own is to be seen outside TLS
            accept=("softether", "tls"),
        ),
        *(beside if options.acceleration else ()),
    ]


def _start(host: Host, kind: str, port: int, known: tuple[str, ...]) -> Daemon:
    for folder in ("/var/lib", "/var/log"):
        own = host.own(folder)
        (own / "softether").mkdir()
        (own / "nginx").mkdir()  # the web server's, which this folder covers
    (host.folder / "over-run" / "softether").mkdir()
    # It looks for servers of its makers by name: with no resolver but its own machine it asks nobody,
    # and it asks the other end itself for a name that it cannot find otherwise.
    resolver = host.write("resolv.conf", "nameserver 127.0.0.1\n", mode=0o644)
    names = host.write(
        "hosts", "127.0.0.1 localhost\n" + "".join(f"{one} a.example.net\n" for one in known), mode=0o644
    )
    enter = 'mount --bind "$0" /etc/resolv.conf && mount --bind "$1" /etc/hosts && shift && exec "$@"'
    daemon = host.start(kind, "sh", "-c", enter, resolver, names, f"{_FOLDER}/{kind}/{kind}", "execsvc")
    daemon.wait_until(lambda: f":{port}" in host.run("ss", "-Htln"), "listening")
    return daemon


def _set_server_up(server: Host, daemon: Daemon) -> None:
    commands = (
        "HubCreate office /PASSWORD:x",
        "BridgeCreate office /DEVICE:gate /TAP:yes",
        "Hub office",
        "UserCreate carol /GROUP:none /REALNAME:none /NOTE:none",
        "UserPasswordSet carol /PASSWORD:parrot",
    )
    _tell(server, "/SERVER", *commands)
    _give_address(server, daemon, "tap_gate", _GATEWAY)


def _set_client_up(lab: Lab, daemon: Daemon, options: Options) -> None:
    # "/tcp" keeps it from trying UDP, ICMP and DNS beside TCP.
    to = f"{lab.server.address}/tcp:{options.port}"
    commands = (
        "NicCreate road",
        f"AccountCreate gate /SERVER:{to} /HUB:office /USERNAME:carol /NICNAME:road",
        "AccountPasswordSet gate /PASSWORD:parrot /TYPE:standard",
        f"AccountDetailSet gate /MAXTCP:{options.connections} /INTERVAL:1 /TTL:0 /HALF:no /BRIDGE:no /MONITOR:no "
        f"/NOTRACK:yes /NOQOS:yes /DISABLEUDP:{'no' if options.acceleration else 'yes'}",
        "AccountConnect gate",
    )
    _tell(lab.client, "/CLIENT", *commands)
    _give_address(lab.client, daemon, "vpn_road", _LEASE)


def _give_address(host: Host, daemon: Daemon, link: str, address: str) -> None:
    daemon.wait_until(lambda: link in host.run("ip", "-br", "link"), f"making {link}")
    host.run("ip", "address", "add", f"{address}/24", "dev", link)
    host.run("ip", "link", "set", link, "up")


def _tell(host: Host, role: str, *commands: str) -> None:
    script = host.write("commands", "".join(command + "\n" for command in commands))
    host.run(f"{_FOLDER}/vpncmd/vpncmd", "localhost", role, f"/IN:{script}")


PROGRAM = Program(
    name="softether",
    options=Options,
    requirements=(
        Requirement(
            name="softether",
            executable=f"{_FOLDER}/vpnserver/vpnserver",
            package="apt: softether-vpnserver softether-vpnclient softether-vpncmd",
            version=("dpkg-query", "-W", "softether-vpnserver"),
        ),
        NGINX,
        CURL,
        PING,
    ),
    play=play,
    needs_tun=True,
)

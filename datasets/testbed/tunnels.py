"""What drivers of tunnels and proxies share: checks of options, waiting for addresses, paths and ports."""

from __future__ import annotations

from .host import Daemon, Host
from .lab import Lab, Requirement
from .labels import Served
from .traffic import CURL, NGINX, PING, ping, silence, start_web_server

__all__ = [
    "IP",
    "IPTABLES",
    "USE",
    "check_choice",
    "check_port",
    "fetch",
    "give_address",
    "served_at_both",
    "shown",
    "use_path",
    "wait_for_address",
    "wait_for_listener",
    "wait_for_path",
]

IP = Requirement(name="ss", executable="ss", package="apt: iproute2", version=("ss", "-V"))
IPTABLES = Requirement(
    name="iptables", executable="iptables", package="apt: iptables", version=("iptables", "--version")
)
# What `use_path` needs.
USE = (NGINX, CURL, PING)


def check_port(port: int) -> None:
    """Refuse a number that is no port."""
    if not 0 < port < 65536:
        raise ValueError(f"port {port} is not between 1 and 65535")


def check_choice(name: str, value: str, known: tuple[str, ...]) -> None:
    """Refuse a value that is not one of those known."""
    if value not in known:
        raise ValueError(f"{name} {value!r} is not one of {', '.join(known)}")


def shown(address: str) -> str:
    """Give the address as it stands before a colon and a port."""
    return f"[{address}]" if ":" in address else address


def give_address(host: Host, address: str) -> None:
    """Add an address to the host's loopback: a server that only the tunnel or proxy on this host reaches."""
    host.run("ip", "address", "add", address, "dev", "lo")


def wait_for_address(daemon: Daemon, host: Host, address: str) -> None:
    """Wait until an interface of the host has the address."""
    daemon.wait_until(
        lambda: f" {address}" in host.run("ip", "-o", "address"), f"an interface getting {address}", seconds=30
    )


def wait_for_listener(daemon: Daemon, host: Host, port: int, *, udp: bool = False, address: str = "") -> None:
    """Wait until somebody listens on the port (of the address)."""
    listener = f"{shown(address) if address else ''}:{port} "
    daemon.wait_until(
        lambda: listener in host.run("ss", "-Hnlu" if udp else "-Hnlt"), f"somebody listening on {listener}"
    )


def wait_for_path(daemon: Daemon, host: Host, address: str) -> None:
    """Wait until the host can ping the address, once a second at most."""
    daemon.wait_until(
        lambda: " 0% packet loss" in host.run("ping", "-n", "-q", "-c", "1", "-W", "1", address, may_fail=True),
        f"{address} answering",
        seconds=30,
    )


def served_at_both(lab: Lab, port: int, ip_proto: int, family: str, variant: str | None) -> list[Served]:
    """Say that both ends serve it: each sends to the other's port from a port of its own, so every flow has one way."""
    return [
        Served(address=host.address, port=port, ip_proto=ip_proto, family=family, variant=variant)
        for host in (lab.server, lab.client)
    ]


def fetch(host: Host, *argv: str) -> None:
    """Load what curl's arguments say, and throw it away."""
    host.run("curl", "-sS", "-o", "/dev/null", "--fail", "--max-time", "25", *argv)


def use_path(client: Host, server: Host, address: str, *, idle: float, size: int = 20_000) -> None:
    """Ping the server's address inside a tunnel, load a page of `size` bytes from it, be silent, ping again."""
    start_web_server(server, f"{shown(address)}:8080", size=size)
    ping(client, address, count=3)
    fetch(client, f"http://{shown(address)}:8080/page.html")
    silence(idle)
    ping(client, address, count=2, size=500)

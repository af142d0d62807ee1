"""WireGuard in user space (wireguard-go), configured with wg.

Options of a scenario: port (of the server), client_port (0: any free one), keepalive (seconds, 0: none), preshared
(whether a preshared key is used), quiet (no page, two pings and keepalives), roam (the client changes its port at the
end, and then its address too if it has two), crowded (the server is under load when the client comes, and asks it for a
cookie), idle (seconds of silence in which only keepalives are sent).
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

from ..errors import TestbedError
from ..host import Host
from ..lab import Lab, Program, Requirement
from ..labels import UDP, Served
from ..traffic import CURL, NGINX, PING, ping, silence, use_tunnel

__all__ = ["PROGRAM", "WG", "WIREGUARD_GO", "Options", "new_key", "start_tunnel"]

_INNER = {"client": ("10.66.0.2", "fd66::2"), "server": ("10.66.0.1", "fd66::1")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    port: int
    client_port: int = 0
    keepalive: int = 0
    preshared: bool = False
    quiet: bool = False
    roam: bool = False
    crowded: bool = False
    idle: int = 3

    def __post_init__(self) -> None:
        if not 0 < self.port < 65536:
            raise ValueError(f"port {self.port} is not between 1 and 65535")
        if not 0 <= self.client_port < 65536:
            raise ValueError(f"client_port {self.client_port} is not between 0 and 65535")


def play(lab: Lab, options: Options) -> list[Served]:
    """Bring both ends up, use the tunnel, be silent."""
    keys = {host.role: new_key("genkey") for host in (lab.client, lab.server)}
    shared = f"PresharedKey = {new_key('genpsk')}\n" if options.preshared else ""
    address = f"[{lab.server.address}]" if lab.ip_version == 6 else lab.server.address
    client_peer = f"Endpoint = {address}:{options.port}\nPersistentKeepalive = {options.keepalive}\n"
    start_tunnel(lab.server, keys["server"], options.port, keys["client"], shared)
    if options.crowded:
        _crowd(lab.server, options.port, new_key("pubkey", keys["server"]))
    start_tunnel(lab.client, keys["client"], options.client_port, keys["server"], shared + client_peer)
    gateway, flows = _INNER["server"][0], 1
    if options.crowded:  # the client comes again with its cookie after five seconds
        lab.client.run("ping", "-n", "-q", "-c", "1", "-W", "9", gateway)
    if options.quiet:
        ping(lab.client, gateway, count=2)
        silence(options.idle)
    else:
        use_tunnel(lab.client, lab.server, gateway, idle=options.idle)
    if options.roam:
        flows += _roam(lab.client, gateway)
    return [Served(address=lab.server.address, port=options.port, ip_proto=UDP, family="wireguard", flows=flows)]


def _roam(client: Host, gateway: str) -> int:
    """Go on from another port, then from another address; gives how many flows that makes."""
    client.run("wg", "set", "wg0", "listen-port", "47113")
    ping(client, gateway, count=3)
    if len(client.addresses) == 1:
        return 1
    version = "-6" if ":" in client.address else "-4"
    route = client.run("ip", version, "route", "show", "default").split()
    width = "64" if version == "-6" else "24"
    client.run("ip", "address", "delete", f"{client.address}/{width}", "dev", "eth0")
    client.run("ip", "address", "replace", f"{client.addresses[1]}/{width}", "dev", "eth0")
    client.run("ip", version, "route", "replace", "default", "via", route[route.index("via") + 1], "dev", "eth0")
    client.run("wg", "set", "wg0", "listen-port", "47114")
    ping(client, gateway, count=3)
    return 2


def _crowd(server: Host, port: int, public: str) -> None:
    """Put the server under load with handshakes from its own machine, which no recorder sees."""
    script = f"""import base64, hashlib, os, socket
key = hashlib.blake2s(b"mac1----" + base64.b64decode("{public}")).digest()
line = socket.socket(socket.{"AF_INET6" if ":" in server.address else "AF_INET"}, socket.SOCK_DGRAM)
crowd = [b"\\1\\0\\0\\0" + os.urandom(112) for _ in range(4000)]
crowd = [one + hashlib.blake2s(one, key=key, digest_size=16).digest() + bytes(16) for one in crowd]
for one in crowd:
    line.sendto(one, ("{server.address}", {port}))
"""
    server.run(sys.executable, "-c", script)


def start_tunnel(host: Host, own_key: str, port: int, peer_key: str, peer_lines: str) -> None:
    """Start wireguard-go on a host and configure it for one peer; port 0 is any free one."""
    listen = f"ListenPort = {port}\n" if port else ""
    other = _INNER["client" if host.role == "server" else "server"]
    allowed = f"{other[0]}/32, {other[1]}/128"
    configuration = host.write(
        "wg0.conf",
        f"[Interface]\nPrivateKey = {own_key}\n{listen}\n"
        f"[Peer]\nPublicKey = {new_key('pubkey', peer_key)}\nAllowedIPs = {allowed}\n{peer_lines}",
    )
    daemon = host.start("wireguard-go", "wireguard-go", "-f", "wg0", environment={"LOG_LEVEL": "verbose"})
    daemon.wait_for("UAPI listener started")
    host.run("wg", "setconf", "wg0", configuration)
    for inner, width in zip(_INNER[host.role], (24, 64), strict=True):
        host.run("ip", "address", "add", f"{inner}/{width}", "dev", "wg0")
    host.run("ip", "link", "set", "wg0", "mtu", "1420", "up")


def new_key(kind: str, stdin: str = "") -> str:
    """Give what `wg` makes: ``genkey``, ``genpsk``, or ``pubkey`` of a private key."""
    done = subprocess.run(["wg", kind], input=stdin, capture_output=True, text=True, timeout=10, check=False)
    if done.returncode:
        raise TestbedError(f"`wg {kind}` failed: {done.stderr.strip()}")
    return done.stdout.strip()


WIREGUARD_GO = Requirement(
    name="wireguard-go",
    executable="wireguard-go",
    package="apt: wireguard-go",
    version=("dpkg-query", "-W", "wireguard-go"),
)
WG = Requirement(name="wg", executable="wg", package="apt: wireguard-tools", version=("wg", "--version"))
PROGRAM = Program(
    name="wireguard",
    options=Options,
    requirements=(
        WIREGUARD_GO,
        WG,
        NGINX,
        CURL,
        PING,
    ),
    play=play,
    needs_tun=True,
)

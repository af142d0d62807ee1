"""SSH with something inside: a SOCKS server (-D), a tun device (-w), sshuttle.

Options of a scenario: kind (socks, tun, sshuttle), port, socks (curl's way of asking: socks4, socks4a, socks5,
socks5-hostname), idle (seconds of silence).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..host import Host
from ..lab import Lab, Program, Requirement
from ..labels import TCP, Served
from ..traffic import start_web_server
from ..tunnels import (
    IP,
    IPTABLES,
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

_INSIDE = ("10.37.0.1", "10.37.0.2")
_VARIANTS = {"socks4": "socks4", "socks4a": "socks4a", "socks5": "socks5", "socks5-hostname": "socks5"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    kind: str
    port: int = 22
    socks: str = "socks5"
    idle: int = 4

    def __post_init__(self) -> None:
        check_port(self.port)
        check_choice("kind", self.kind, ("socks", "tun", "sshuttle"))
        check_choice("socks", self.socks, tuple(_VARIANTS))


def play(lab: Lab, options: Options) -> list[Served]:
    """Log in and use what the connection carries."""
    match options.kind:
        case "socks":
            return _socks(lab, options)
        case "tun":
            _tun(lab, options)
        case _:
            _sshuttle(lab, options)
    return [Served(address=lab.server.address, port=options.port, ip_proto=TCP, family="ssh")]


def _socks(lab: Lab, options: Options) -> list[Served]:
    """Let the server's ssh listen for SOCKS, with its sshd on the client's side: so both flows cross the link."""
    login = _serve(lab.client, lab.server, options.port)
    give_address(lab.client, f"{_INSIDE[0]}/32")
    start_web_server(lab.client, f"{_INSIDE[0]}:8080", size=20_000)
    shown = f"[{lab.server.address}]" if lab.ip_version == 6 else lab.server.address
    gate = lab.server.start("ssh", *login, "-N", "-D", f"{shown}:1080", f"root@{lab.client.address}")
    wait_for_listener(gate, lab.server, 1080)
    for path in ("", "page.html"):
        fetch(lab.client, f"--{options.socks}", f"{shown}:1080", f"http://{_INSIDE[0]}:8080/{path}")
    gate.stop()
    return [
        Served(address=lab.client.address, port=options.port, ip_proto=TCP, family="ssh"),
        Served(
            address=lab.server.address,
            port=1080,
            ip_proto=TCP,
            family="socks",
            variant=_VARIANTS[options.socks],
            flows=2,
        ),
    ]


def _tun(lab: Lab, options: Options) -> None:
    login = _serve(lab.server, lab.client, options.port)
    remote = f"ip address add {_INSIDE[0]} peer {_INSIDE[1]} dev tun0; ip link set tun0 up; sleep 60"
    peer = lab.client.start("ssh", *login, "-w", "0:0", f"root@{lab.server.address}", remote)
    peer.wait_until(lambda: "tun0" in lab.client.run("ip", "link"), "making its tun device")
    lab.client.run("ip", "address", "add", _INSIDE[1], "peer", _INSIDE[0], "dev", "tun0")
    lab.client.run("ip", "link", "set", "tun0", "up")
    wait_for_address(peer, lab.server, _INSIDE[0])
    wait_for_path(peer, lab.client, _INSIDE[0])
    use_path(lab.client, lab.server, _INSIDE[0], idle=options.idle)
    peer.stop()


def _sshuttle(lab: Lab, options: Options) -> None:
    login = _serve(lab.server, lab.client, options.port)
    give_address(lab.server, f"{_INSIDE[0]}/32")
    start_web_server(lab.server, f"{_INSIDE[0]}:8080", size=20_000)
    peer = lab.client.start(
        *("sshuttle", "sshuttle", "--method", "nat", "-e", " ".join(login), "-r", f"root@{lab.server.address}"),
        f"{_INSIDE[0]}/32",
    )
    peer.wait_for("Connected to server")
    peer.wait_until(lambda: "sshuttle" in lab.client.run("iptables", "-t", "nat", "-S"), "making its rules")
    for path in ("", "page.html"):
        fetch(lab.client, f"http://{_INSIDE[0]}:8080/{path}")
    peer.stop()


def _serve(server: Host, client: Host, port: int) -> tuple[str, ...]:
    """Start sshd; gives the ssh command that may log in there."""
    (server.folder / "over-run" / "sshd").mkdir(mode=0o755)
    server.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "host_key")
    client.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "user_key")
    keys = server.write("authorized_keys", (client.folder / "user_key.pub").read_text(encoding="utf-8"))
    configuration = server.write(
        "sshd_config",
        f"""Port {port}
ListenAddress {server.address}
HostKey {server.folder}/host_key
AuthorizedKeysFile {keys}
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
PermitTunnel yes
PrintMotd no
""",
    )
    server.start("sshd", "/usr/sbin/sshd", "-D", "-e", "-f", configuration).wait_for("Server listening")
    return (
        *("ssh", "-F", "none", "-q", "-T", "-p", str(port), "-i", f"{client.folder}/user_key"),
        *("-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
    )


PROGRAM = Program(
    name="ssh_tunnel",
    options=Options,
    requirements=(
        Requirement(name="sshd", executable="/usr/sbin/sshd", package="apt: openssh-server", version=("ssh", "-V")),
        Requirement(name="ssh", executable="ssh", package="apt: openssh-client", version=("ssh", "-V")),
        Requirement(name="sshuttle", executable="sshuttle", package="apt: sshuttle", version=("sshuttle", "--version")),
        IPTABLES,
        IP,
        *USE,
    ),
    play=play,
    needs_tun=True,
)

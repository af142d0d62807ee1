"""dns2tcp: a TCP connection inside DNS messages.

Options of a scenario: record (TXT, KEY), size (of the page fetched).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..lab import Lab, Program, Requirement
from ..labels import UDP, Served
from ..traffic import CURL, NGINX, start_web_server
from ..tunnels import IP, check_choice, wait_for_listener

__all__ = ["PROGRAM", "Options"]

_PORT = 53  # its client knows no other


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    record: str = "TXT"
    size: int = 8000

    def __post_init__(self) -> None:
        check_choice("record", self.record, ("TXT", "KEY"))


def play(lab: Lab, options: Options) -> list[Served]:
    """Ask for the list of resources, then fetch a page through one."""
    start_web_server(lab.server, "127.0.0.1:8080", size=options.size)
    configuration = lab.server.write(
        "dns2tcpd.conf",
        f"""listen = {lab.server.address}
port = {_PORT}
user = nobody
chroot = {lab.server.folder}
domain = t.example.net
key = horse
resources = web:127.0.0.1:8080
""",
    )
    # It looks its own domain up when it starts; no question may leave the host.
    resolver = lab.server.write("resolv.conf", "nameserver 127.0.0.1\n", mode=0o644)
    alone = f'mount --bind {resolver} /etc/resolv.conf && exec "$@"'
    server = lab.server.start("dns2tcpd", "sh", "-c", alone, "sh", "dns2tcpd", "-F", "-d", "1", "-f", configuration)
    server.wait_for("Change to user")
    call = ("dns2tcpc", "-z", "t.example.net", "-k", "horse", "-T", options.record)
    lab.client.run(*call, lab.server.address)
    end = lab.client.start("dns2tcpc", *call, "-r", "web", "-l", "8080", "-d", "1", lab.server.address)
    wait_for_listener(end, lab.client, 8080)
    for path in ("", "page.html"):
        lab.client.run("curl", "-sS", "-o", "/dev/null", "--fail", "--max-time", "25", f"http://127.0.0.1:8080/{path}")
    end.stop()
    return [
        Served(
            address=lab.server.address,
            port=_PORT,
            ip_proto=UDP,
            family="dns2tcp",
            variant=options.record.lower(),
        )
    ]


PROGRAM = Program(
    name="dns2tcp",
    options=Options,
    requirements=(
        Requirement(
            name="dns2tcp", executable="dns2tcpd", package="apt: dns2tcp", version=("dpkg-query", "-W", "dns2tcp")
        ),
        IP,
        NGINX,
        CURL,
    ),
    play=play,
)

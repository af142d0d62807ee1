"""TFTP: atftpd, and atftp, which fetches a file and stores one.

Options of a scenario: size (octets of the file).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..lab import Lab, Program, Requirement
from ..labels import UDP, Served

__all__ = ["PROGRAM", "Options"]

# The server answers from a new port: this host has one for each transfer.
_PORTS = (45000, 45001, 45002, 45003)
_PORT = 69


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    size: int = 5000


def play(lab: Lab, options: Options) -> list[Served]:
    """Fetch a file, then store one under another name."""
    files = lab.server.write("files/image.bin", "configuration line\n" * (options.size // 19), mode=0o644).parent
    (files / "stored.bin").write_bytes(b"")
    (files / "stored.bin").chmod(0o666)
    lab.server.run("sh", "-c", f"printf '%s %s' {_PORTS[0]} {_PORTS[-1]} > /proc/sys/net/ipv4/ip_local_port_range")
    daemon = lab.server.start(
        "atftpd",
        *("atftpd", "--daemon", "--no-fork", "--logfile", "-", "--user", "root", "--group", "root"),
        *("--bind-address", lab.server.address, "--port", str(_PORT), files),
    )
    daemon.wait_until(lambda: f":{_PORT} " in lab.server.run("ss", "-Hlnu"), "listening")
    for words in (("--get", "--remote-file", "image.bin"), ("--put", "--remote-file", "stored.bin")):
        lab.client.run("atftp", *words, "--local-file", "image.bin", lab.server.address, str(_PORT))
    requests = Served(address=lab.server.address, port=_PORT, ip_proto=UDP, family="tftp", flows=2)
    data = [Served(address=lab.server.address, port=port, ip_proto=UDP, family="tftp", flows=0) for port in _PORTS]
    return [requests, *data]


PROGRAM = Program(
    name="tftp",
    options=Options,
    requirements=(
        Requirement(name="atftpd", executable="atftpd", package="apt: atftpd", version=("atftpd", "--version")),
        Requirement(name="atftp", executable="atftp", package="apt: atftp", version=("atftp", "--version")),
    ),
    play=play,
)

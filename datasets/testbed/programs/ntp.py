"""NTP: chrony serves its own clock and measures it from the other end; no clock is set.

Options of a scenario: seconds (the longest time until the client trusts the server).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..lab import Lab, Program, Requirement
from ..labels import UDP, Served

__all__ = ["PROGRAM", "Options"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    seconds: int = 30

    def __post_init__(self) -> None:
        if self.seconds < 1:
            raise ValueError(f"seconds {self.seconds} is less than 1")


def play(lab: Lab, options: Options) -> list[Served]:
    """Let the client measure the server's clock until it trusts it (-x: neither end touches the machine's clock)."""
    server = lab.server.write(
        "chrony.conf",
        f"local stratum 2\nallow all\nbindaddress {lab.server.address}\ncmdport 0\n"
        f"pidfile {lab.server.folder}/chronyd.pid\n",
    )
    lab.server.start("chronyd", "chronyd", "-x", "-d", "-u", "root", "-f", server).wait_for("chronyd version")
    client = lab.client.write(
        "chrony.conf",
        f"server {lab.server.address} iburst minpoll 0 maxpoll 1\nport 0\ncmdport 0\n"
        f"pidfile {lab.client.folder}/chronyd.pid\n",
    )
    daemon = lab.client.start("chronyd", "chronyd", "-x", "-d", "-u", "root", "-f", client)
    daemon.wait_for("Selected source", seconds=options.seconds)
    daemon.stop()
    # chrony asks every question from a new port: each is a flow.
    return [Served(address=lab.server.address, port=123, ip_proto=UDP, family="ntp", flows=1)]


PROGRAM = Program(
    name="ntp",
    options=Options,
    requirements=(
        Requirement(name="chronyd", executable="chronyd", package="apt: chrony", version=("chronyd", "--version")),
    ),
    play=play,
)

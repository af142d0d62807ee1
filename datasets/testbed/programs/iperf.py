"""iperf3: measures how fast a link is, over UDP or TCP; its payload is random.

Options of a scenario: transport (udp, tcp), port, size (kB), reverse (the server sends).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..lab import Lab, Program, Requirement
from ..labels import TCP, UDP, Served

__all__ = ["PROGRAM", "Options"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    transport: str
    port: int = 5201
    size: int = 30
    reverse: bool = False

    def __post_init__(self) -> None:
        if self.transport not in ("udp", "tcp"):
            raise ValueError(f"transport {self.transport!r} is neither udp nor tcp")


def play(lab: Lab, options: Options) -> list[Served]:
    """Send `size` kB, two megabits a second; the measurement is agreed on over TCP, whatever it measures."""
    daemon = lab.server.start(
        "iperf3", "iperf3", "-s", "-1", "-p", str(options.port), "-B", lab.server.address, "--forceflush"
    )
    daemon.wait_for("Server listening")
    argv = ["iperf3", "-c", lab.server.address, "-p", str(options.port), "-n", f"{options.size}K", "-b", "2M"]
    argv += ["-u"] if options.transport == "udp" else ["-l", "8K"]
    argv += ["-R"] if options.reverse else []
    lab.client.run(*argv)
    protocols = (TCP, UDP) if options.transport == "udp" else (TCP,)
    flows = 1 if options.transport == "udp" else 2
    return [
        Served(
            address=lab.server.address,
            port=options.port,
            ip_proto=protocol,
            family="other-app",
            variant="iperf3",
            flows=flows,
            scope="hint",
        )
        for protocol in protocols
    ]


PROGRAM = Program(
    name="iperf",
    options=Options,
    requirements=(
        Requirement(name="iperf3", executable="iperf3", package="apt: iperf3", version=("iperf3", "--version")),
    ),
    play=play,
)

"""iodine: IP in DNS messages, or (raw) in UDP packets of its own behind a login by DNS.

Options of a scenario: record (NULL, PRIVATE, TXT, SRV, MX, CNAME, A), raw, port, idle (seconds of silence).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..lab import Lab, Program, Requirement
from ..labels import UDP, Served
from ..tunnels import USE, check_choice, check_port, use_path, wait_for_address, wait_for_path

__all__ = ["PROGRAM", "Options"]

_INSIDE = "10.36.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    record: str = "NULL"
    raw: bool = False
    port: int = 53
    size: int = 8000
    idle: int = 4

    def __post_init__(self) -> None:
        check_port(self.port)
        check_choice("record", self.record, ("NULL", "PRIVATE", "TXT", "SRV", "MX", "CNAME", "A"))


def play(lab: Lab, options: Options) -> list[Served]:
    """Log in, probe what the path carries, use the tunnel for a short page."""
    server = lab.server.start(
        *("iodined", "iodined", "-f", "-c", "-P", "horse", "-p", str(options.port), "-d", "dns0"),
        *("-l", lab.server.address, f"{_INSIDE}/27", "t.example.net"),
    )
    wait_for_address(server, lab.server, _INSIDE)
    server.wait_for("Listening to dns")
    mode = () if options.raw else ("-r",)
    node = lab.client.start(
        *("iodine", "iodine", "-f", *mode, "-P", "horse", "-d", "dns0", "-T", options.record, "-I", "2"),
        *(() if options.port == 53 else ("-p", str(options.port))),
        *(lab.server.address, "t.example.net"),
    )
    node.wait_for("Connection setup complete", seconds=60)
    wait_for_path(node, lab.client, _INSIDE)
    use_path(lab.client, lab.server, _INSIDE, idle=options.idle, size=options.size)
    node.stop()
    variant = "raw" if options.raw else "dns"
    return [Served(address=lab.server.address, port=options.port, ip_proto=UDP, family="iodine", variant=variant)]


PROGRAM = Program(
    name="iodine",
    options=Options,
    requirements=(
        Requirement(name="iodine", executable="iodined", package="apt: iodine", version=("iodined", "-v")),
        *USE,
    ),
    play=play,
    needs_tun=True,
)

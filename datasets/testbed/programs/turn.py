"""STUN and TURN: coturn, and its test client, whose two ends talk to each other through the relay.

Options of a scenario: transport (udp, tcp), port, stun_only (ask for the mapped address, and no more), messages.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import TestbedError
from ..lab import Lab, Program, Requirement
from ..labels import TCP, UDP, Served

__all__ = ["PROGRAM", "Options"]

_USER, _PASSWORD, _REALM = "ana", "orchard", "example.org"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    transport: str = "udp"
    port: int = 3478
    stun_only: bool = False
    messages: int = 8

    def __post_init__(self) -> None:
        if self.transport not in ("udp", "tcp"):
            raise ValueError(f"transport {self.transport!r} is neither udp nor tcp")


def play(lab: Lab, options: Options) -> list[Served]:
    """Relay messages between two allocations of one client: the relayed ends meet on the server."""
    configuration = lab.server.write(
        "turnserver.conf",
        f"""listening-ip={lab.server.address}
relay-ip={lab.server.address}
listening-port={options.port}
min-port=50000
max-port=50100
realm={_REALM}
user={_USER}:{_PASSWORD}
lt-cred-mech
fingerprint
no-cli
no-tls
no-dtls
no-rfc5780
no-multicast-peers
allow-loopback-peers
pidfile={lab.server.folder}/turnserver.pid
userdb={lab.server.folder}/turndb
log-file=stdout
simple-log
""",
        mode=0o644,
    )
    daemon = lab.server.start("turnserver", "turnserver", "-c", configuration)
    daemon.wait_for("SQLite DB connection success")
    # The test client leaves while an answer is under way; its host keeps quiet about that.
    lab.client.run("sh", "-c", "printf 600000 > /proc/sys/net/ipv4/icmp_ratelimit")
    if options.stun_only:
        said = lab.client.run("turnutils_stunclient", "-p", str(options.port), lab.server.address)
        if "reflexive addr" not in said:
            raise TestbedError(f"turnutils_stunclient got no address:\n{said[-1000:]}")
    else:
        argv = ["turnutils_uclient", *(["-t"] if options.transport == "tcp" else []), "-p", str(options.port)]
        argv += ["-u", _USER, "-w", _PASSWORD, "-n", str(options.messages), "-m", "1", "-l", "170", "-y", "-c"]
        argv += ["-x"] if lab.ip_version == 6 else []
        said = lab.client.run(*argv, lab.server.address)
        if "Total lost packets 0" not in said:
            raise TestbedError(f"turnutils_uclient lost messages:\n{said[-1000:]}")
    return [
        Served(
            address=lab.server.address,
            port=options.port,
            ip_proto=UDP if options.transport == "udp" else TCP,
            family="stun",
            variant="stun" if options.stun_only else "turn",
            flows=1 if options.stun_only else 2,
        )
    ]


PROGRAM = Program(
    name="turn",
    options=Options,
    requirements=(
        Requirement(name="coturn", executable="turnserver", package="apt: coturn", version=("turnserver", "--version")),
    ),
    play=play,
)

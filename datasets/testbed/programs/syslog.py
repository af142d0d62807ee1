"""syslog: messages from logger to rsyslog, over UDP or TCP.

Options of a scenario: transport (udp, tcp), rfc (``3164``, ``5424``), port, count.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..lab import Lab, Program, Requirement
from ..labels import TCP, UDP, Served

__all__ = ["PROGRAM", "Options"]

_MESSAGES = (
    ("auth.info", "sshd", "Accepted publickey for ana from 192.0.2.7 port 50022"),
    ("daemon.warning", "chronyd", "Source 198.51.100.123 replaced with 198.51.100.124"),
    ("cron.info", "cron", "(root) CMD (run-parts /etc/cron.hourly)"),
    ("kern.notice", "kernel", "eth0: link becomes ready"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    transport: str = "udp"
    rfc: str = "3164"
    port: int = 514
    count: int = 8

    def __post_init__(self) -> None:
        if self.transport not in ("udp", "tcp"):
            raise ValueError(f"transport {self.transport!r} is neither udp nor tcp")
        if self.rfc not in ("3164", "5424"):
            raise ValueError(f"rfc {self.rfc!r} is neither 3164 nor 5424")


def play(lab: Lab, options: Options) -> list[Served]:
    """Send messages, each from a port (over TCP: over a connection) of its own."""
    received = lab.server.folder / "received.log"
    kind = f"im{options.transport}"
    configuration = lab.server.write(
        "rsyslog.conf",
        f"""global(workDirectory="{lab.server.folder}")
module(load="{kind}")
input(type="{kind}" port="{options.port}" address="{lab.server.address}")
*.* action(type="omfile" file="{received}")
""",
    )
    pid = lab.server.folder / "rsyslogd.pid"
    daemon = lab.server.start("rsyslogd", "rsyslogd", "-n", "-f", configuration, "-i", pid)
    daemon.wait_until(pid.exists, "writing its pid file")
    for number in range(options.count):
        priority, tag, text = _MESSAGES[number % len(_MESSAGES)]
        lab.client.run(
            *("logger", "--server", lab.server.address, "--port", str(options.port), f"--{options.transport}"),
            *(f"--rfc{options.rfc}", "--priority", priority, "--tag", tag, text),
        )
    daemon.wait_until(
        lambda: received.exists() and received.read_text().count("\n") >= options.count, "receiving every message"
    )
    over_udp = options.transport == "udp"
    return [
        Served(
            address=lab.server.address,
            port=options.port,
            ip_proto=UDP if over_udp else TCP,
            family="syslog" if over_udp else "other-app",
            variant=None if over_udp else "syslog-tcp",
            flows=options.count,
            scope="gate" if over_udp else "hint",
        )
    ]


PROGRAM = Program(
    name="syslog",
    options=Options,
    requirements=(
        Requirement(name="rsyslogd", executable="rsyslogd", package="apt: rsyslog", version=("rsyslogd", "-v")),
        Requirement(name="logger", executable="logger", package="apt: bsdutils", version=("logger", "--version")),
    ),
    play=play,
)

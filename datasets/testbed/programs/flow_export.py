"""NetFlow and IPFIX: softflowd sees some pings and reports them to a collector that only listens.

Options of a scenario: version (``1``, ``5``, ``9``: NetFlow; ``10``: IPFIX), port.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from ..lab import Lab, Program, Requirement
from ..labels import ICMP, ICMPV6, UDP, Served
from ..traffic import PING, ping

__all__ = ["PROGRAM", "Options"]

_PEER = Path(__file__).parent.parent / "peers" / "noise.py"
_RUNS = 2
_LABELS = {"1": ("netflow", "v1"), "5": ("netflow", "v5"), "9": ("netflow", "v9"), "10": ("ipfix", None)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    version: str
    port: int = 2055

    def __post_init__(self) -> None:
        if self.version not in _LABELS:
            raise ValueError(f"version {self.version!r} is not one of {', '.join(_LABELS)}")


def play(lab: Lab, options: Options) -> list[Served]:
    """Ping twice; each time a new exporter reports it."""
    listen = ("serve", "udp", lab.server.address, str(options.port), "silent")
    lab.server.start("collector", sys.executable, _PEER, *listen).wait_for("serving")
    shown = f"[{lab.server.address}]" if lab.ip_version == 6 else lab.server.address
    for _ in range(_RUNS):
        exporter = lab.client.start(
            "softflowd",
            *("softflowd", "-d", "-i", "eth0", "-n", f"{shown}:{options.port}", "-v", options.version),
            *("-p", lab.client.folder / "softflowd.pid", "-c", lab.client.folder / "softflowd.ctl"),
        )
        exporter.wait_for("starting data")
        ping(lab.client, lab.server.address)
        exporter.stop()  # it reports all it has seen before it ends
    family, variant = _LABELS[options.version]
    icmp = ICMPV6 if lab.ip_version == 6 else ICMP
    return [
        Served(address=lab.server.address, port=0, ip_proto=icmp, family="icmp"),
        Served(
            address=lab.server.address, port=options.port, ip_proto=UDP, family=family, variant=variant, flows=_RUNS
        ),
    ]


PROGRAM = Program(
    name="flow_export",
    options=Options,
    requirements=(
        Requirement(name="softflowd", executable="softflowd", package="apt: softflowd", version=("softflowd", "-h")),
        PING,
    ),
    play=play,
)

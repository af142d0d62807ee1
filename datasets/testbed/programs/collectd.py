"""collectd: one sends its measurements over UDP to another.

Options of a scenario: port, seconds.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from ..lab import Lab, Program, Requirement
from ..labels import UDP, Served

__all__ = ["PROGRAM", "Options"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    port: int = 25826
    seconds: int = 5


def play(lab: Lab, options: Options) -> list[Served]:
    """Measure load and memory every second for some seconds, and send all of it."""
    for host, plugins, network in (
        (lab.server, (), f'Listen "{lab.server.address}" "{options.port}"'),
        (lab.client, ("load", "memory", "uptime"), f'Server "{lab.server.address}" "{options.port}"'),
    ):
        loads = "\n".join(f"LoadPlugin {name}" for name in (*plugins, "network", "logfile"))
        configuration = host.write(
            "collectd.conf",
            f"""Hostname "{host.role}.example.org"
Interval 1
BaseDir "{host.folder}"
PIDFile "{host.folder}/collectd.pid"
TypesDB "/usr/share/collectd/types.db"
{loads}
<Plugin logfile>
  File stdout
</Plugin>
<Plugin network>
  {network}
</Plugin>
""",
        )
        host.start("collectd", "collectd", "-f", "-C", configuration).wait_for("Initialization complete")
    time.sleep(options.seconds)
    return [Served(address=lab.server.address, port=options.port, ip_proto=UDP, family="collectd")]


PROGRAM = Program(
    name="collectd",
    options=Options,
    requirements=(
        Requirement(name="collectd", executable="collectd", package="apt: collectd-core", version=("collectd", "-h")),
    ),
    play=play,
)

"""VRRP: keepalived on both ends, told of each other's addresses, so that advertisements cross the router.

Options of a scenario: version (2, 3), seconds.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from ..host import Daemon, Host
from ..lab import Lab, Program, Requirement
from ..labels import Served

__all__ = ["PROGRAM", "Options"]

_VRRP = 112
_SHARED = "169.254.77.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    version: int = 2
    seconds: int = 5

    def __post_init__(self) -> None:
        if self.version not in (2, 3):
            raise ValueError(f"version {self.version} is neither 2 nor 3")


def play(lab: Lab, options: Options) -> list[Served]:
    """Let the server, whose priority is higher, be master for a while; the client hears it and keeps silent."""
    _start(lab.client, lab.server.address, options.version, 100)
    server = _start(lab.server, lab.client.address, options.version, 200)
    server.wait_for("Entering MASTER STATE")
    time.sleep(options.seconds)
    variant = f"v{options.version}"
    return [Served(address=lab.server.address, port=0, ip_proto=_VRRP, family="vrrp", variant=variant)]


def _start(host: Host, far: str, version: int, priority: int) -> Daemon:
    configuration = host.write(
        "keepalived.conf",
        f"""global_defs {{
  vrrp_version {version}
}}
vrrp_instance shared {{
  state BACKUP
  interface eth0
  virtual_router_id 77
  priority {priority}
  advert_int 1
  unicast_src_ip {host.address}
  unicast_peer {{
    {far}
  }}
  virtual_ipaddress {{
    {_SHARED}/32 dev lo
  }}
}}
""",
        mode=0o644,
    )
    return host.start(
        "keepalived",
        *("keepalived", "--vrrp", "-n", "-l", "-D", "-f", configuration),
        *("-p", host.folder / "keepalived.pid", "-r", host.folder / "vrrp.pid"),
    )


PROGRAM = Program(
    name="vrrp",
    options=Options,
    requirements=(
        Requirement(
            name="keepalived", executable="keepalived", package="apt: keepalived", version=("keepalived", "--version")
        ),
    ),
    play=play,
)

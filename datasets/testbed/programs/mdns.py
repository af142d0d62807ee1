"""Multicast DNS: Avahi on the client announces a service on its link; nobody else is there to answer.

Options of a scenario: seconds.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from ..lab import Lab, Program, Requirement
from ..labels import UDP, Served

__all__ = ["PROGRAM", "Options"]

_GROUPS = {4: "224.0.0.251", 6: "ff02::fb"}
_PORT, _IGMP = 5353, 2
_SERVICE = """<?xml version="1.0" standalone="no"?>
<!DOCTYPE service-group SYSTEM "avahi-service.dtd">
<service-group><name>Printer</name><service><type>_ipp._tcp</type><port>631</port></service></service-group>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    seconds: int = 4


def play(lab: Lab, options: Options) -> list[Served]:
    """Announce a host and a service; IPv4 joins the group with IGMP, too."""
    services = lab.client.own("/etc/avahi/services")
    (services / "printer.service").write_text(_SERVICE, encoding="utf-8")
    version = lab.ip_version
    configuration = lab.client.write(
        "avahi.conf",
        f"""[server]
host-name=desk
use-ipv4={"yes" if version == 4 else "no"}
use-ipv6={"yes" if version == 6 else "no"}
enable-dbus=no
allow-interfaces=eth0
[rlimits]
""",
        mode=0o644,
    )
    daemon = lab.client.start("avahi", "avahi-daemon", "--no-drop-root", "--no-chroot", "--debug", "-f", configuration)
    daemon.wait_for("Server startup complete")
    time.sleep(options.seconds)
    daemon.stop()
    served = [Served(address=_GROUPS[version], port=_PORT, ip_proto=UDP, family="mdns")]
    if version == 4:
        served.append(Served(address="224.0.0.22", port=0, ip_proto=_IGMP, family="igmp"))
    return served


PROGRAM = Program(
    name="mdns",
    options=Options,
    requirements=(
        Requirement(
            name="avahi", executable="avahi-daemon", package="apt: avahi-daemon", version=("avahi-daemon", "-V")
        ),
    ),
    play=play,
    unseen_at=("server",),  # multicast of the link
)

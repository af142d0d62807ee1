"""SNMP: Net-SNMP's agent and its commands, in one version.

Options of a scenario: version (``1``, ``2c``, ``3``), port; version 3 is authenticated (SHA) and encrypted (AES).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..lab import Lab, Program, Requirement
from ..labels import UDP, Served

__all__ = ["PROGRAM", "Options"]

_VARIANTS = {"1": "v1", "2c": "v2c", "3": "v3"}
_OBJECTS = ("1.3.6.1.2.1.1.1.0", "1.3.6.1.2.1.1.5.0", "1.3.6.1.2.1.1.6.0")
_SYSTEM = "1.3.6.1.2.1.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    version: str
    port: int = 161

    def __post_init__(self) -> None:
        if self.version not in _VARIANTS:
            raise ValueError(f"version {self.version!r} is not 1, 2c or 3")


def play(lab: Lab, options: Options) -> list[Served]:
    """Ask for three objects and walk through a group, each from a port of its own."""
    transport = "udp6" if lab.ip_version == 6 else "udp"
    shown = f"{transport}:[{lab.server.address}]" if lab.ip_version == 6 else f"{transport}:{lab.server.address}"
    state = lab.server.folder / "snmp"
    state.mkdir()
    configuration = lab.server.write(
        "agent.conf",
        f"""agentaddress {shown}:{options.port}
rocommunity public
rocommunity6 public
createUser ana SHA "wide meadow" AES "old lantern"
rouser ana priv
sysName switch1.example.org
sysDescr Example switch
sysLocation Room 1
""",
    )
    daemon = lab.server.start(
        "snmpd",
        *("snmpd", "-f", "-Lo", "-C", "-c", configuration, "-p", lab.server.folder / "snmpd.pid"),
        environment={"SNMP_PERSISTENT_DIR": str(state), "MIBS": ""},
    )
    daemon.wait_for("NET-SNMP version")
    if options.version == "3":
        login = ["-v", "3", "-u", "ana", "-l", "authPriv", "-a", "SHA", "-A", "wide meadow", "-x", "AES"]
        login += ["-X", "old lantern"]
    else:
        login = ["-v", options.version, "-c", "public"]
    here = {"SNMP_PERSISTENT_DIR": str(lab.client.folder), "MIBS": ""}
    for asked in _OBJECTS:
        lab.client.run("snmpget", *login, f"{shown}:{options.port}", asked, environment=here)
    lab.client.run("snmpwalk", *login, f"{shown}:{options.port}", _SYSTEM, environment=here)
    return [
        Served(
            address=lab.server.address,
            port=options.port,
            ip_proto=UDP,
            family="snmp",
            variant=_VARIANTS[options.version],
            flows=len(_OBJECTS) + 1,
        )
    ]


PROGRAM = Program(
    name="snmp",
    options=Options,
    requirements=(
        Requirement(name="snmpd", executable="snmpd", package="apt: snmpd", version=("snmpd", "-v")),
        Requirement(name="snmpget", executable="snmpget", package="apt: snmp", version=("snmpget", "-V")),
    ),
    play=play,
)

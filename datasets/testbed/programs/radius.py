"""RADIUS: FreeRADIUS, asked by radclient to let users in and to note what they used.

Options of a scenario: port (of authentication; accounting has the next one).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..lab import Lab, Program, Requirement
from ..labels import UDP, Served

__all__ = ["PROGRAM", "Options"]

_SECRET = "harbour"
_USERS = (("ana", "orchard"), ("bo", "wrong"), ("ana", "orchard"))

_CONFIGURATION = """raddbdir = {folder}
logdir = {folder}
run_dir = {folder}
libdir = /usr/lib/freeradius
pidfile = {folder}/radiusd.pid
security {{
  reject_delay = 0
}}
client anyone {{
  {kind} = {clients}
  secret = {secret}
}}
modules {{
  pap {{
  }}
  always ok {{
    rcode = ok
  }}
}}
server default {{
  listen {{
    type = auth
    {kind} = {address}
    port = {port}
  }}
  listen {{
    type = acct
    {kind} = {address}
    port = {accounting}
  }}
  authorize {{
    if (&User-Name == "ana") {{
      update control {{
        &Cleartext-Password := "{password}"
      }}
    }}
    pap
  }}
  authenticate {{
    Auth-Type PAP {{
      pap
    }}
  }}
  preacct {{
    ok
  }}
  accounting {{
    ok
  }}
}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    port: int = 1812


def play(lab: Lab, options: Options) -> list[Served]:
    """Ask for three users, one of whom is refused, and report the start and the end of a session."""
    version = "ipv6addr" if lab.ip_version == 6 else "ipaddr"
    clients = "::/0" if lab.ip_version == 6 else "0.0.0.0/0"
    accounting = options.port + 1
    lab.server.write(
        "radiusd.conf",
        _CONFIGURATION.format(
            folder=lab.server.folder,
            kind=version,
            clients=clients,
            secret=_SECRET,
            address=lab.server.address,
            port=options.port,
            accounting=accounting,
            password=_USERS[0][1],
        ),
    )
    daemon = lab.server.start(
        "freeradius", "freeradius", "-f", "-l", "stdout", "-X", "-d", lab.server.folder, "-n", "radiusd"
    )
    daemon.wait_for("Ready to process requests")
    shown = f"[{lab.server.address}]" if lab.ip_version == 6 else lab.server.address
    common = ["radclient", "-6" if lab.ip_version == 6 else "-4", "-t", "3", "-r", "1"]
    for user, password in _USERS:
        request = f'User-Name = "{user}"\nUser-Password = "{password}"\nNAS-Identifier = "gate1"\nNAS-Port = 7\n'
        lab.client.run(*common, f"{shown}:{options.port}", "auth", _SECRET, stdin=request, may_fail=user == "bo")
    for status in ("Start", "Stop"):
        request = f'User-Name = "ana"\nAcct-Status-Type = {status}\nAcct-Session-Id = "0A7"\nNAS-Identifier = "gate1"\n'
        lab.client.run(*common, f"{shown}:{accounting}", "acct", _SECRET, stdin=request)
    return [
        Served(address=lab.server.address, port=options.port, ip_proto=UDP, family="radius", flows=len(_USERS)),
        Served(address=lab.server.address, port=accounting, ip_proto=UDP, family="radius", flows=2),
    ]


PROGRAM = Program(
    name="radius",
    options=Options,
    requirements=(
        Requirement(
            name="freeradius", executable="freeradius", package="apt: freeradius", version=("freeradius", "-v")
        ),
        Requirement(
            name="radclient", executable="radclient", package="apt: freeradius-utils", version=("radclient", "-v")
        ),
    ),
    play=play,
)

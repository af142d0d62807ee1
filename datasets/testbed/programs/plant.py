"""Plants: Modbus (pymodbus) and OPC UA (asyncua), server and client.

Options of a scenario: service (``modbus``, ``opcua``), port.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from ..lab import Lab, Program, Requirement
from ..labels import TCP, Served

__all__ = ["PROGRAM", "Options"]

_PEER = Path(__file__).parent.parent / "peers" / "plant.py"
_PORTS = {"modbus": 502, "opcua": 4840}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose; a port of 0 is the usual one."""

    service: str
    port: int = 0

    def __post_init__(self) -> None:
        if self.service not in _PORTS:
            raise ValueError(f"service {self.service!r} is neither modbus nor opcua")


def play(lab: Lab, options: Options) -> list[Served]:
    """Read and write some values, twice."""
    port = options.port or _PORTS[options.service]
    where = (lab.server.address, str(port))
    server = lab.server.start("plant", sys.executable, _PEER, options.service, "serve", *where)
    server.wait_until(lambda: f":{port} " in lab.server.run("ss", "-Hlnt"), "listening")
    for _ in range(2):
        lab.client.run(sys.executable, _PEER, options.service, "ask", *where)
    return [Served(address=lab.server.address, port=port, ip_proto=TCP, family=options.service, flows=2)]


PROGRAM = Program(
    name="plant",
    options=Options,
    requirements=(
        Requirement(name="pymodbus", executable="python:pymodbus", package="pip: pymodbus", version=()),
        Requirement(name="asyncua", executable="python:asyncua", package="pip: asyncua", version=()),
    ),
    play=play,
)

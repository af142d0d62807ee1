"""CoAP: aiocoap's file server, asked by aiocoap's client.

Options of a scenario: port.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from ..errors import TestbedError
from ..lab import Lab, Program, Requirement
from ..labels import UDP, Served

__all__ = ["PROGRAM", "Options"]

_READING = "21.5 degrees"
_REQUESTS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    port: int = 5683


def play(lab: Lab, options: Options) -> list[Served]:
    """Ask for a short file and for one that takes several blocks, each from a port of its own."""
    lab.server.write("files/temperature", _READING)
    lab.server.write("files/history", "\n".join(f"{number} {_READING}" for number in range(150)))
    shown = f"[{lab.server.address}]" if lab.ip_version == 6 else lab.server.address
    where = f"{shown}:{options.port}"
    daemon = lab.server.start(
        "aiocoap", sys.executable, "-m", "aiocoap.cli.fileserver", "--bind", where, lab.server.folder / "files"
    )
    listening = f":{options.port} "
    daemon.wait_until(lambda: listening in lab.server.run("ss", "-Hlnu"), "listening")
    for number in range(_REQUESTS):
        name = ("temperature", "history")[number % 2]
        said = lab.client.run(sys.executable, "-m", "aiocoap.cli.client", "-q", f"coap://{where}/{name}")
        if _READING not in said:
            raise TestbedError(f"aiocoap gave something else than the file: {said[-500:]!r}")
    return [Served(address=lab.server.address, port=options.port, ip_proto=UDP, family="coap", flows=_REQUESTS)]


PROGRAM = Program(
    name="coap",
    options=Options,
    requirements=(Requirement(name="aiocoap", executable="python:aiocoap", package="pip: aiocoap", version=()),),
    play=play,
)

"""Screens from afar: X11 over TCP (Xvfb and xdpyinfo) and VNC (TigerVNC's server and viewer).

Options of a scenario: service (``x11``, ``vnc``), port (vnc alone; X11's is 6000 and the display's number).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..host import Host
from ..lab import Lab, Program, Requirement
from ..labels import TCP, Served

__all__ = ["PROGRAM", "Options"]

_DISPLAY = 7
_OVER_TCP = ("-nolock", "-listen", "tcp", "-nolisten", "unix", "-nolisten", "local")
_PORTS = {"x11": 6000 + _DISPLAY, "vnc": 5900 + _DISPLAY}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose; a port of 0 is the usual one."""

    service: str
    port: int = 0

    def __post_init__(self) -> None:
        if self.service not in _PORTS:
            raise ValueError(f"service {self.service!r} is neither x11 nor vnc")
        if self.port and self.service == "x11":
            raise ValueError("X11 has the port of its display")


def play(lab: Lab, options: Options) -> list[Served]:
    """Look at a small screen, twice."""
    port = options.port or _PORTS[options.service]
    if options.service == "x11":
        _screen(lab.server, _DISPLAY)
        asked = ["xdpyinfo", "-display", f"{lab.server.address}:{_DISPLAY}"]
    else:
        served = ("-rfbport", str(port), "-SecurityTypes", "None", "-geometry", "160x120")
        server = lab.server.start("xvnc", "Xvnc", f":{_DISPLAY}", *_OVER_TCP, *served, "-interface", lab.server.address)
        server.wait_until(lambda: f":{port} " in lab.server.run("ss", "-Hlnt"), "listening")
        _screen(lab.client, _DISPLAY + 1)
        viewer = ("xtigervncviewer", "-display", f"127.0.0.1:{_DISPLAY + 1}", f"{lab.server.address}::{port}")
        asked = ["timeout", "3", *viewer]
    for _ in range(2):
        lab.client.run(*asked, may_fail=options.service == "vnc")  # a viewer looks until it is ended
    return [Served(address=lab.server.address, port=port, ip_proto=TCP, family=options.service, flows=2)]


def _screen(host: Host, number: int) -> None:
    server = host.start("xvfb", "Xvfb", f":{number}", *_OVER_TCP, "-ac", "-screen", "0", "320x200x24")
    server.wait_until(lambda: f":{6000 + number} " in host.run("ss", "-Hlnt"), "listening")


PROGRAM = Program(
    name="screens",
    options=Options,
    requirements=(
        Requirement(name="xvfb", executable="Xvfb", package="apt: xvfb", version=("dpkg-query", "-W", "xvfb")),
        Requirement(
            name="xdpyinfo", executable="xdpyinfo", package="apt: x11-utils", version=("dpkg-query", "-W", "x11-utils")
        ),
        Requirement(
            name="tigervnc",
            executable="Xvnc",
            package="apt: tigervnc-standalone-server",
            version=("dpkg-query", "-W", "tigervnc-standalone-server"),
        ),
        Requirement(
            name="vncviewer",
            executable="xtigervncviewer",
            package="apt: tigervnc-viewer",
            version=("dpkg-query", "-W", "tigervnc-viewer"),
        ),
    ),
    play=play,
)

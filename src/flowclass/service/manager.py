"""Tells the service manager how a run is: sd_notify(3), a datagram to the socket that NOTIFY_SOCKET names.

Guarantees: nothing here waits or fails; without a manager it does nothing.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import MutableMapping


class Manager:
    """The service manager, if there is one.

    Parameters
    ----------
    environment : mapping of str to str, optional
        Where NOTIFY_SOCKET and WATCHDOG_USEC stand; they are taken out, so that no child takes them for its own.
    """

    def __init__(self, environment: MutableMapping[str, str] | None = None) -> None:
        environment = os.environ if environment is None else environment
        self._socket = _connected(environment.pop("NOTIFY_SOCKET", ""))
        microseconds = environment.pop("WATCHDOG_USEC", "")
        of_another = environment.pop("WATCHDOG_PID", str(os.getpid())) != str(os.getpid())
        self._alive_every = int(microseconds) / 4e6 if microseconds.isdecimal() and not of_another else None
        self._said_alive = 0.0
        self._stopping = False

    @property
    def present(self) -> bool:
        """Whether somebody listens."""
        return self._socket is not None

    def ready(self, says: str = "") -> None:
        """Say that the run has begun, or goes on after a reload."""
        self._send("READY=1", *([f"STATUS={says}"] if says else []))

    def reloading(self) -> None:
        """Say that registry and policy are read anew; `ready` says that it is done."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Say that the run comes to its end; once."""
        if not self._stopping:
            self._stopping = True
            self._send("STOPPING=1")

    def alive(self, says: str = "") -> None:
        """Say that the run makes progress, as often as the watchdog wants it."""
        now = time.monotonic()
        if self._alive_every is not None and now - self._said_alive >= self._alive_every:
            self._said_alive = now
            self._send("WATCHDOG=1", *([f"STATUS={says}"] if says else []))

    def end(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, *lines: str) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.send("\n".join(lines).encode())


def _connected(name: str) -> socket.socket | None:
    if not name.startswith(("/", "@")):
        return None
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    made.setblocking(False)
    try:
        made.connect("\0" + name[1:] if name.startswith("@") else name)
    except OSError:
        made.close()
        return None
    return made

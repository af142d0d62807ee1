"""How a run is asked to end early: between slices, or out of a read that waits."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stopped(BaseException):
    """A signal came while a read was waiting."""


class Stop:
    """Whether somebody asked the run to end, and by which signal.

    A signal that comes while octets are awaited ends the waiting; one that comes while records are
    written waits until they are.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._asked = False
        self._waiting = False

    @property
    def wanted(self) -> bool:
        """Whether the run is to end."""
        return self._asked or self.signal is not None

    def ask(self) -> None:
        """Ask for the end, from any thread; it comes when the next piece is asked for."""
        self._asked = True

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Permit a signal to break into what is done here."""
        if self.wanted:
            raise Stopped
        self._waiting = True
        try:
            yield
        finally:
            self._waiting = False

    @contextmanager
    def on_signals(self) -> Iterator[Stop]:
        """Take SIGINT and SIGTERM as the wish to end. Only for the main thread of a program."""
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        for number in before:
            signal.signal(number, self._take)
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _take(self, number: int, frame: FrameType | None) -> None:
        del frame
        first = self.signal is None
        self.signal = number
        if self._waiting:
            self._waiting = False
            raise Stopped
        if not first and number == signal.SIGINT:
            raise KeyboardInterrupt

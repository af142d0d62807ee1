"""Frames that were never in a file: any iterable of (time in ns, frame)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from flowclass.errors import SourceError
from flowclass.sources import Frames

BURST = 4096
MAX_LINK_TYPE = 0xFFFF


class Packets:
    """An iterable of frames of one link type.

    Parameters
    ----------
    frames : iterable of (int, bytes)
        Time in ns since 1970-01-01 UTC, and the frame.
    link_type : int
        LINKTYPE number, e.g. 1 for Ethernet or 101 for raw IP.
    name : str
        What it is called in the records.
    burst : int
        Frames that are taken together; the iterable is asked for so many before any is looked at.

    Examples
    --------
    >>> Packets([(0, b"")], link_type=1).name
    '<packets>'
    """

    def __init__(
        self, frames: Iterable[tuple[int, bytes]], *, link_type: int, name: str = "<packets>", burst: int = BURST
    ) -> None:
        if not 0 <= link_type <= MAX_LINK_TYPE:
            raise SourceError(f"{name}: link_type = {link_type} is not permitted: give 0 to {MAX_LINK_TYPE}")
        self.name = name
        self.link_type = link_type
        self._frames = frames
        self._burst = burst

    def bursts(self) -> Iterator[Frames]:
        """Give the frames in bursts, in their order."""
        frames = iter(self._frames)
        while burst := list(islice(frames, self._burst)):
            yield burst

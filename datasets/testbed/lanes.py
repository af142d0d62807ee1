"""Decides what becomes of each packet that goes one way along an impaired path; knows no sockets and no clock."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass

from .impairments import Impairments

__all__ = ["HOLD_SECONDS", "Counts", "Lane"]

# A packet that nobody overtakes goes on after this time.
HOLD_SECONDS = 0.05


@dataclass(slots=True, kw_only=True)
class Counts:
    """What happened to the packets of one way."""

    packets: int = 0
    lost: int = 0
    duplicated: int = 0
    overtaken: int = 0
    fragmented: int = 0
    too_big: int = 0

    def table(self) -> dict[str, int]:
        """Give it as a table."""
        return asdict(self)


class Lane:
    """One way of the path.

    Parameters
    ----------
    path : Impairments
        What is done to packets.
    rng : random.Random
        Decides; the fate of the n-th packet of this way depends on nothing else.
    """

    def __init__(self, path: Impairments, rng: random.Random) -> None:
        self.counts = Counts()
        self._path = path
        self._rng = rng
        self._last = 0.0
        self._held: tuple[float, bytes] | None = None

    @property
    def deadline(self) -> float | None:
        """When a packet that is held back must go on."""
        return self._held[0] if self._held else None

    def admit(self, packet: bytes, now: float) -> list[tuple[float, bytes]]:
        """Take a packet; gives packets with the times at which they leave."""
        lost, twice, back, late = (self._rng.random() for _ in range(4))
        self.counts.packets += 1
        if lost < self._path.loss:
            self.counts.lost += 1
            return []
        leaves = max(now + (self._path.delay + late * self._path.jitter) / 1000, self._last)
        if self._held is None and back < self._path.reorder:
            self._held = (leaves + HOLD_SECONDS, packet)
            return []
        self._last = leaves
        leaving = [(leaves, packet)]
        if twice < self._path.duplicate:
            self.counts.duplicated += 1
            leaving.append((leaves, packet))
        if self._held is not None:
            self.counts.overtaken += 1
            leaving.append((leaves, self._held[1]))
            self._held = None
        return leaving

    def release(self, now: float) -> list[tuple[float, bytes]]:
        """Give the packet that has been held back long enough."""
        if self._held is None or now < self._held[0]:
            return []
        packet, self._held = self._held[1], None
        self._last = max(now, self._last)
        return [(self._last, packet)]

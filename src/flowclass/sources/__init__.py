"""Where packets come from. One file per kind; each gives named sources that the pipeline pumps.

A ``ByteSource`` gives the octets of a capture in slices cut anywhere; a ``PacketSource`` gives
frames that were never in a file; a ``RingSource`` has them in the kernel's rings; a ``FolderSource`` gives
captures one after another. Reading is lazy: opening fails in ``slices()``, so that a source
that vanished is one source's problem and not the run's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

from flowclass.types import CaptureCounters

if TYPE_CHECKING:
    from flowclass import _core
    from flowclass.engine import Carried

Octets: TypeAlias = "bytes | bytearray | memoryview"
Frames: TypeAlias = Sequence[tuple[int, bytes]]

SLICE = 512 << 10
"""Octets of a full slice: they fit in a core's own cache, so that what was read is still there when it is decoded."""
SLICE_AHEAD = 1 << 20
"""The same for several threads: they meet at the end of each, so it is longer."""
PREFIX = 512 << 10
"""Octets in which the first packet of a capture is looked for."""


@runtime_checkable
class ByteSource(Protocol):
    """The octets of one capture, pcap or pcapng."""

    @property
    def name(self) -> str:
        """What stands in the column ``source_file``."""

    @property
    def size(self) -> int | None:
        """Octets as they are stored; None when that is not known."""

    @property
    def position(self) -> int:
        """Octets of ``size`` read so far."""

    def prefix(self) -> Octets | None:
        """Give the first octets of the capture, decompressed, without using them up; None when that can't be."""

    def slices(self) -> Iterator[Octets]:
        """Give the octets of the capture, decompressed, once. A slice lives until the next is asked for.

        Raises
        ------
        SourceError
            With what, where and why. The slices given before hold.
        """


@runtime_checkable
class PacketSource(Protocol):
    """Frames with times and one link type."""

    @property
    def name(self) -> str:
        """What stands in the column ``source_file``."""

    @property
    def link_type(self) -> int:
        """LINKTYPE number of every frame."""

    def bursts(self) -> Iterator[Frames]:
        """Give ``(time in ns since 1970 UTC, frame)`` pairs in bursts, once."""


@dataclass(frozen=True, slots=True)
class Ready:
    """Packets wait in a ring.

    Parameters
    ----------
    place : int
        Of the interface in ``RingSource.interfaces``.
    ring : PacketRing
        Of the native core.
    most : int
        Packets that may be taken now.
    """

    place: int
    ring: _core.PacketRing
    most: int


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing came.

    Parameters
    ----------
    until_ns : int, optional
        No packet older than this will come, ns since 1970 UTC; None as long as there was no packet at all.
    """

    until_ns: int | None


@runtime_checkable
class RingSource(Protocol):
    """Packets that the kernel lays into rings, from where the engine takes them."""

    @property
    def name(self) -> str:
        """All interfaces."""

    @property
    def interfaces(self) -> Sequence[str]:
        """What stands in the column ``source_file``, one for each ring."""

    def open(self) -> None:
        """Open all rings, once; a second call does nothing.

        Raises
        ------
        SourceError
            With what, where and why.
        """

    def moments(self) -> Iterator[Ready | Silence]:
        """Say what there is, until a limit is reached.

        Raises
        ------
        SourceError
            When no interface is left.
        """

    def rest(self) -> Iterator[Ready]:
        """Receive no more, and say what there is still."""

    def took(self, count: int) -> None:
        """Take note of packets that were taken."""

    @property
    def problems(self) -> Sequence[str]:
        """What became of interfaces that are no more."""

    def captured(self) -> dict[str, CaptureCounters]:
        """Give what became of the packets, by interface."""

    def close(self) -> None:
        """Close the rings; the counters stay."""


@runtime_checkable
class FolderSource(Protocol):
    """Captures that come one after another."""

    @property
    def name(self) -> str:
        """The folder."""

    def files(self) -> Iterator[ByteSource | None]:
        """Give the next capture, or None when there is none for now."""

    def done(self, file: ByteSource) -> None:
        """Take note that one was read to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What was left at the borders of one piece of a stream.

    Parameters
    ----------
    name : str
        What stands in the column ``source_file``.
    clock_ns : int or None
        Greatest time in all pieces before, ns since 1970 UTC.
    packets : Carried
        In their order.
    """

    name: str
    clock_ns: int | None
    packets: Carried


@runtime_checkable
class PieceSource(Protocol):
    """Packets near the borders of the pieces of a stream, whose others were classified piece by piece."""

    @property
    def name(self) -> str:
        """The stream."""

    @property
    def end_ns(self) -> int | None:
        """Greatest time in all pieces, ns since 1970 UTC."""

    def parts(self) -> Iterator[Part]:
        """Give what was left, piece after piece."""


Source: TypeAlias = "ByteSource | PacketSource | RingSource | FolderSource | PieceSource"

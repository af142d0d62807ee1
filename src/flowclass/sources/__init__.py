"""Where packets come from. One file per kind; each gives named sources that the pipeline pumps.

A ``ByteSource`` gives the octets of a capture in slices cut anywhere; a ``PacketSource`` gives
frames that were never in a file. Reading is lazy: opening fails in ``slices()``, so that a source
that vanished is one source's problem and not the run's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

Octets: TypeAlias = "bytes | bytearray | memoryview"
Frames: TypeAlias = Sequence[tuple[int, bytes]]

SLICE = 4 << 20
"""Octets of a full slice."""
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


Source: TypeAlias = "ByteSource | PacketSource"

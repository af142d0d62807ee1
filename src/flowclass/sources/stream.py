"""Captures in octet streams: standard input, file objects, octets in memory."""

from __future__ import annotations

from collections.abc import Iterator

from flowclass.errors import SourceError
from flowclass.sources import PREFIX, SLICE, Octets
from flowclass.sources.compression import MOST_RATIO, Joined, Readable, codec_of, slices


class StreamSource:
    """A stream that can be read once, e.g. standard input or an open file.

    Parameters
    ----------
    stream : Readable
        An object with ``read(size) -> bytes``.
    name : str
        What it is called in the records.
    """

    def __init__(self, stream: Readable, name: str = "-") -> None:
        self.name = name
        self._given = stream
        self._stream = _Counted(stream)

    @property
    def descriptor(self) -> int | None:
        """Of the open file, where it is one."""
        try:
            return int(self._given.fileno())  # type: ignore[attr-defined]
        except (AttributeError, OSError, ValueError):
            return None

    @property
    def size(self) -> int | None:
        """Not known."""
        return None

    @property
    def position(self) -> int:
        """Octets read so far."""
        return self._stream.taken

    def prefix(self) -> Octets | None:
        """Give the first octets when they are not compressed; they stay to be read."""
        head = b""
        while len(head) < PREFIX and (step := self._stream.read(64 << 10)):
            head += step
        self._stream = _Counted(Joined(head, self._stream))
        return head if codec_of(head) is None else _decompressed(head)

    def slices(self) -> Iterator[Octets]:
        """Give the capture's octets."""
        try:
            yield from slices(self._stream, most_ratio=MOST_RATIO)
        except SourceError as problem:
            raise SourceError(f"{self.name}: {problem}") from problem


class MemorySource:
    """Octets of a capture in memory, plain or compressed.

    Parameters
    ----------
    data : bytes-like
        Borrowed while it is read.
    name : str
        What it is called in the records.
    """

    def __init__(self, data: Octets, name: str = "<bytes>") -> None:
        self.name = name
        self._data = memoryview(data).cast("B")
        self.position = 0

    @property
    def size(self) -> int | None:
        """All octets."""
        return len(self._data)

    def prefix(self) -> Octets | None:
        """Give the first octets, decompressed."""
        head = self._data[:PREFIX]
        return head if codec_of(head) is None else _decompressed(bytes(head))

    def slices(self) -> Iterator[Octets]:
        """Give the capture's octets."""
        if codec_of(self._data[:6]) is None:
            for start in range(0, len(self._data), SLICE):
                self.position = min(start + SLICE, len(self._data))
                yield self._data[start : start + SLICE]
            return
        try:
            yield from slices(_View(self._data), again=lambda: _View(self._data))
        except SourceError as problem:
            raise SourceError(f"{self.name}: {problem}") from problem
        self.position = len(self._data)


def _decompressed(head: bytes) -> bytes:
    """Decompress what can be of the first octets of a compressed stream."""
    out = b""
    try:
        for step in slices(_View(memoryview(head)), again=lambda: _View(memoryview(head))):
            out += step
            if len(out) >= PREFIX:
                break
    except SourceError:
        pass  # the end of the prefix is the end of the stream it knows
    return out


class _Counted:
    """A stream that says how much of it was read."""

    closed = False

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self.taken = 0

    def read(self, size: int = -1, /) -> bytes:
        data = self._stream.read(size) or b""
        self.taken += len(data)
        return data


class _View:
    """Octets in memory as a stream."""

    closed = False

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._at = 0

    def read(self, size: int = -1, /) -> bytes:
        end = len(self._data) if size < 0 else self._at + size
        taken = bytes(self._data[self._at : end])
        self._at += len(taken)
        return taken

    def close(self) -> None:
        """Leave the octets to their owner."""

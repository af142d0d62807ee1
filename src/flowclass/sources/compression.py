"""Takes octets of any kind. Gives what they hold when they are compressed, recognised by content.

gz (many members), zst (many frames), lz4 and bz2 through pyarrow, xz through the standard library;
nested once. No decompressor of ours. Bounded: memory always, and the ratio where nobody chose the octets
(streams, watched folders): see ``MOST_RATIO``.
"""

from __future__ import annotations

import contextlib
import io
import lzma
from collections.abc import Callable, Iterator
from typing import Protocol

from flowclass.errors import SourceError
from flowclass.sources import SLICE, Octets

STEP = 64 << 10
MOST_LAYERS = 2
CODEC_LENGTH = 6
MOST_RATIO = 250
"""Octets out of one octet in, at most. Captures reach 2 to 20, a flood of one repeated packet 11 to 30."""
RATIO_FROM = 256 << 20
"""Octets out before the ratio counts: so much is read in a second, whatever it was."""
MOST_XZ_MEMORY = 768 << 20
"""Octets for one xz dictionary; ``xz -9`` asks for 65 MiB, the format permits 4 GiB."""


class Readable(Protocol):
    """All that is asked of a stream."""

    def read(self, size: int = -1, /) -> bytes | None:
        """Give up to ``size`` octets; none at the end."""


class Closable(Readable, Protocol):
    """A stream that is closed after use."""

    def close(self) -> None:
        """End it."""


class Joined(io.RawIOBase):
    """A stream whose first octets were read already."""

    def __init__(self, head: bytes, rest: Readable) -> None:
        super().__init__()
        self._head = memoryview(head)
        self._rest = rest

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Give the head first, then the rest."""
        if len(self._head) == 0:
            return self._rest.read(size) or b""
        taken = self._head if size < 0 else self._head[:size]
        self._head = self._head[len(taken) :]
        return bytes(taken) + (self.read(-1) if size < 0 else b"")


def codec_of(head: Octets) -> str | None:
    """Say how octets are compressed.

    Parameters
    ----------
    head : bytes-like
        The first 6 octets or more.

    Returns
    -------
    str or None
        ``gz``, ``zst``, ``lz4``, ``bz2``, ``xz``, or None when they are none of these.

    References
    ----------
    RFC 1952 §2.3.1; RFC 8878 §3.1.1 and §3.1.2 (skippable frames); LZ4 frame format 1.6.3; xz format 1.2.1
    §2.1.1.1.

    Examples
    --------
    >>> codec_of(bytes.fromhex("1f8b08000000"))
    'gz'
    >>> codec_of(bytes.fromhex("d4c3b2a10200"))
    """
    head = bytes(head[:CODEC_LENGTH])
    if head[:3] == b"\x1f\x8b\x08":
        return "gz"
    if head[:4] == b"\x28\xb5\x2f\xfd" or (head[1:4] == b"\x2a\x4d\x18" and head[0] >> 4 == 5):
        return "zst"
    if head[:4] == b"\x04\x22\x4d\x18":
        return "lz4"
    if head[:3] == b"BZh" and head[3:4] in b"123456789" and len(head) > 3:
        return "bz2"
    return "xz" if head == b"\xfd7zXZ\x00" else None


def unpacked(stored: Readable) -> tuple[Readable, list[str]]:
    """Take off up to two layers of compression.

    Returns
    -------
    stream : Readable
        The decompressed octets.
    codecs : list of str
        What was taken off, outermost first.
    """
    stream, codecs = stored, list[str]()
    while True:
        head = b""
        while len(head) < CODEC_LENGTH and (more := stream.read(CODEC_LENGTH - len(head))):
            head += more
        stream = Joined(head, stream)
        codec = codec_of(head)
        if codec is None or len(codecs) == MOST_LAYERS:
            return stream, codecs
        stream = _decoder(codec, stream)
        codecs.append(codec)


def slices(
    stored: Readable, again: Callable[[], Closable] | None = None, *, most_ratio: int | None = None
) -> Iterator[Octets]:
    """Give what a stream holds, decompressed, in slices.

    Parameters
    ----------
    stored : Readable
        The octets as they are stored.
    again : callable, optional
        Opens the same octets once more. With it the last octets before damage are given too; without it up to
        64 KiB before the damage are lost.
    most_ratio : int, optional
        Octets out of one octet in, at most, once `RATIO_FROM` octets have come out.

    Raises
    ------
    SourceError
        Where the compressed stream is cut or damaged, or more comes out than is permitted, after the slices before it.
    """
    stored = _Measured(stored)
    codecs: list[str] = []
    given = 0
    kept: list[bytes] = []
    held = 0
    try:
        stream, codecs = unpacked(stored)
        while step := stream.read(STEP):
            if not codecs and not kept and len(step) < STEP:
                given += len(step)  # a pipe that gives little: hand it on as it comes
                yield step
                continue
            kept.append(step)
            held += len(step)
            if held >= SLICE:
                given += held
                yield b"".join(kept)
                kept, held = [], 0
                if codecs and most_ratio is not None and given > max(RATIO_FROM, most_ratio * stored.taken):
                    raise SourceError(_bomb(codecs, given, stored.taken, most_ratio))
    except (OSError, EOFError, lzma.LZMAError) as problem:
        if kept:
            yield b"".join(kept)
        given += held
        if codecs and again is not None:
            rescued = _rescue(again, given)
            given += len(rescued)
            yield rescued
        raise SourceError(_sentence(codecs, given, problem)) from problem
    if kept:
        yield b"".join(kept)


def _decoder(codec: str, stream: Readable) -> Readable:
    if codec == "xz":
        return _Xz(stream)
    import pyarrow as pa

    name = {"gz": "gzip", "zst": "zstd"}.get(codec, codec)
    decoded: Readable = pa.CompressedInputStream(pa.PythonFile(stream, mode="r"), name)
    return decoded


class _Measured:
    """A stream that says how much of it was read."""

    closed = False

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self.taken = 0

    def read(self, size: int = -1, /) -> bytes:
        data = self._stream.read(size) or b""
        self.taken += len(data)
        return data


class _Xz:
    """What an xz file holds, one stream behind another, with a limit on memory, which ``lzma.LZMAFile`` has not."""

    closed = False

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._begin()

    def _begin(self) -> None:
        self._decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MOST_XZ_MEMORY)

    def read(self, size: int = -1, /) -> bytes:
        while True:
            ahead = b""
            if self._decoder.eof:
                ahead = self._behind(self._decoder.unused_data)
                if not ahead:
                    return b""
                self._begin()
            elif self._decoder.needs_input:
                ahead = self._stream.read(STEP) or b""
                if not ahead:
                    raise EOFError("the xz stream has no end")
            if step := self._decoder.decompress(ahead, size):
                return step

    def _behind(self, data: bytes) -> bytes:
        """Give what follows a stream and the zeros that may be between two (xz format 1.2.1 §2.2)."""
        while not (data := data.lstrip(b"\0")):
            if not (data := self._stream.read(STEP) or b""):
                return b""
        return data


def _rescue(again: Callable[[], Closable], given: int) -> bytes:
    """Read once more up to ``given`` and then octet by octet, until the damage."""
    out = bytearray()
    with contextlib.suppress(OSError, EOFError, lzma.LZMAError), contextlib.closing(again()) as stored:
        stream, _ = unpacked(stored)
        left = given
        while left > 0 and (step := stream.read(min(left, STEP))):
            left -= len(step)
        while len(out) < STEP and (step := stream.read(1)):
            out += step
    return bytes(out)


def _bomb(codecs: list[str], given: int, taken: int, most: int) -> str:
    return (
        f"{taken:,} octets of the {' in '.join(reversed(codecs))} stream became {given:,}, more than {most} for each:"
        " no capture is like that, the rest was not read; decompress it first if it is one after all"
    )


def _sentence(codecs: list[str], given: int, problem: Exception) -> str:
    if not codecs:
        return f"reading failed behind octet {given}: {getattr(problem, 'strerror', None) or problem}"
    cut = isinstance(problem, EOFError) or "runcated" in str(problem)
    what = "ends in its middle" if cut else f"is damaged ({problem})"
    return f"the {' in '.join(reversed(codecs))} stream {what}; {given} octets could be decompressed and were used"

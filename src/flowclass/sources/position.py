"""Takes a source of octets that was read up to somewhere. Gives where that was, and the rest, to another process."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator

import msgspec

from flowclass.errors import SourceError
from flowclass.sources import ByteSource, Octets
from flowclass.sources.file import FileSource
from flowclass.sources.live import PipeSource
from flowclass.sources.stream import StreamSource

HEAD = 512
"""Octets by which a file is known again."""


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Where in a source an engine is.

    Parameters
    ----------
    name : str
        The path of a file; ``-`` for standard input.
    octets : int
        Of the capture, decompressed, that the engine has.
    size : int or None
        Of the file, as it is stored; None where it is none, and nobody can go back in it.
    mark : str
        By which the file is known again.
    """

    name: str
    octets: int
    size: int | None
    mark: str


def position_of(source: ByteSource, octets: int) -> Position:
    """Say where in a source an engine is that has so many octets of it."""
    size, mark = _known_by(source)
    name = os.fspath(source.path) if isinstance(source, FileSource) else source.name
    return Position(name=name, octets=octets, size=size, mark=mark)


def behind(source: ByteSource, position: Position) -> Iterator[Octets]:
    """Give what lies behind a position.

    Raises
    ------
    SourceError
        When it is another file, or cannot be read; or, at its end, as ``slices``.
    """
    if _known_by(source) != (position.size, position.mark):
        raise SourceError(
            f"{source.name}: it is not the file that it was when the checkpoint was written; its part behind octet"
            f" {position.octets} was not read"
        )
    if isinstance(source, FileSource):
        yield from source.slices_from(position.octets)
        return
    left = position.octets
    for piece in source.slices():
        if left < len(piece):
            yield memoryview(piece)[left:]
        left = max(0, left - len(piece))


def can_go_back(source: ByteSource) -> bool:
    """Say whether another process can read a source once more: a pipe it cannot."""
    return _known_by(source)[0] is not None


def _known_by(source: ByteSource) -> tuple[int | None, str]:
    """Give the size of a source and a mark of it; None and nothing where it is no file."""
    try:
        if isinstance(source, FileSource):
            with source.path.open("rb", buffering=0) as file:
                facts = os.fstat(file.fileno())
                if not stat.S_ISREG(facts.st_mode):
                    return None, ""
                return facts.st_size, hashlib.sha256(file.read(HEAD)).hexdigest()
        descriptor = source.descriptor if isinstance(source, (PipeSource, StreamSource)) else None
        facts = os.fstat(-1 if descriptor is None else descriptor)
        return (facts.st_size, f"{facts.st_dev}:{facts.st_ino}") if stat.S_ISREG(facts.st_mode) else (None, "")
    except OSError:
        return None, ""

"""Takes sources as people name them. Gives pieces: files, and ranges of large pcap files, each of a capture point.

A piece is what one task reads: a range, a file, or several that follow one another (``groups``). The pieces of a
capture point, in the order of their first packets, are one stream.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from flowclass.anonymize import source_name
from flowclass.distributed.ranges import FILE_HEADER, RECORD_HEADER, STRETCH, find_record, pcap_of
from flowclass.distributed.storage import file_system, is_url, list_files, shown
from flowclass.engine import first_packet_time
from flowclass.errors import ConfigError, SourceError
from flowclass.sources import PREFIX, SLICE, Octets
from flowclass.sources.compression import slices
from flowclass.sources.file import FileSource, find

MOST_KEPT = 64 << 20
"""Octets of a piece on a far file system up to which its files are kept in memory while its task lasts."""


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A capture.

    Parameters
    ----------
    number : int
        Its place among all files, as they were given.
    name : str
        As people know it.
    column : str
        What stands in the column ``source_file``.
    place : str
        Absolute path or URL.
    octets : int
        As it is stored.
    """

    number: int
    name: str
    column: str
    place: str
    octets: int = 0


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """What one task reads.

    Parameters
    ----------
    number : int
        Of its files of records, and of what it leaves.
    files : tuple of File
        In the order given.
    point : str
        The capture point.
    start, end : int or None
        Octets of its one file that the piece has, without those of the file header; None for whole files.
    """

    number: int
    files: tuple[File, ...]
    point: str = ""
    start: int | None = None
    end: int | None = None

    @property
    def octets(self) -> int:
        """Of all its files, as they are stored."""
        return sum(file.octets for file in self.files)


@dataclass
class Plan:
    """What the sources given came to.

    Parameters
    ----------
    pieces : list of Piece
        In the order given; ranges of one file stand one behind the other.
    problems : list of (str, str)
        Name and sentence of what could not be found.
    octets : int
        Of all files, as they are stored.
    """

    pieces: list[Piece] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)
    octets: int = 0


def plan(
    sources: Iterable[str | os.PathLike[str]],
    *,
    capture_point: str | None,
    range_octets: int | None,
    anonymized: bool = False,
) -> Plan:
    """Find the captures, name their capture points, and cut the large ones.

    Parameters
    ----------
    sources : iterable of path or URL
        Files, folders, globs, ``@list.txt``; URLs of files, folders, globs.
    capture_point : str, optional
        A regular expression. Its first group, or all of it where there is none, names the capture point of a file, by
        the file's path. Files that it is not found in are of the point with the empty name. By default all files are.
    range_octets : int, optional
        Uncompressed pcap files longer than this are cut into pieces of about so many octets.
    anonymized : bool
        Whether records name the files by their place alone.

    Raises
    ------
    ConfigError
        When the expression is none.
    """
    try:
        expression = None if capture_point is None else re.compile(capture_point)
    except re.error as problem:
        raise ConfigError(f"capture_point = {capture_point!r} is no regular expression: {problem}") from None
    made = Plan()
    for count, (name, place, size) in enumerate(_files(sources, made)):
        point = _point_of(expression, place)
        made.octets += size
        column = source_name(count) if anonymized else name
        file = File(number=count, name=name, column=column, place=place, octets=size)
        for start, end in _cuts(place, size, range_octets):
            number = len(made.pieces)
            made.pieces.append(Piece(number=number, files=(file,), point=point, start=start, end=end))
    return made


def _files(sources: Iterable[str | os.PathLike[str]], made: Plan) -> Iterator[tuple[str, str, int]]:
    seen: set[tuple[int, int]] = set()
    for source in sources:
        text = os.fspath(source)
        if is_url(text):
            try:
                yield from ((shown(place), place, size) for place, size in list_files(text))
            except SourceError as problem:
                made.problems.append((shown(text), str(problem)))
            continue
        found = find([text], seen)
        made.problems += found.problems
        for file in found.sources:
            yield file.name, str(file.path.absolute()), file.size or 0


def _point_of(expression: re.Pattern[str] | None, place: str) -> str:
    found = None if expression is None else expression.search(place)
    if found is None:
        return ""
    return (found[1] if found.re.groups else found[0]) or ""


def _cuts(place: str, size: int, range_octets: int | None) -> list[tuple[int | None, int | None]]:
    """Give the ranges of one file; one that is open on both sides where it stays whole."""
    whole: list[tuple[int | None, int | None]] = [(None, None)]
    if range_octets is None or size <= range_octets + STRETCH:
        return whole
    try:
        system, path = file_system(place)
        with system.open_input_file(path) as file:
            pcap = pcap_of(file.read_at(FILE_HEADER + RECORD_HEADER, 0))
            if pcap is None:
                return whole
            places = [FILE_HEADER]
            for nominal in range(range_octets, size - range_octets // 2, range_octets):
                stretch = file.read_at(STRETCH, nominal)
                found = find_record(pcap, stretch, at_end=nominal + len(stretch) == size)
                if found is not None and nominal + found > places[-1]:
                    places.append(nominal + found)
    except OSError:
        return whole  # whoever reads it will say why it cannot be read
    ends = [*places[1:], size]
    return whole if len(places) == 1 else list(zip(places, ends, strict=True))


class PieceFile:
    """A file of a piece as a source of octets, for an engine that knows nothing of pieces.

    Parameters
    ----------
    piece : Piece
        What to read.
    file : File
        Of these.
    """

    def __init__(self, piece: Piece, file: File) -> None:
        self.name = file.column
        self.file = file
        self._piece = piece
        self._kept: bytes | None = None
        self.position = 0

    @property
    def size(self) -> int | None:
        """Not asked for."""
        return None

    def prefix(self) -> Octets | None:
        """Give nothing: whoever reads several has put them into order."""
        return None

    def first_time(self) -> int | None:
        """Give the time of the first packet, ns since 1970 UTC, as a run over all files looks for it."""
        taken = b""
        with contextlib.suppress(SourceError):
            for octets in self.slices():
                taken += octets
                if len(taken) >= PREFIX:
                    break
        return first_packet_time(taken)

    def slices(self) -> Iterator[Octets]:
        """Give the octets, decompressed.

        Raises
        ------
        SourceError
            With what, where and why. The slices given before hold.
        """
        piece, place = self._piece, self.file.place
        if piece.start is None and not is_url(place):
            yield from FileSource(Path(place), self.name).slices()
            return
        try:
            system, path = file_system(place)
            if piece.start is None:
                with self._opened(system, path) as stream:
                    yield from slices(stream, again=lambda: self._opened(system, path))
            else:
                with system.open_input_file(path) as file:
                    yield from self._range(file, piece.start, piece.end or 0)
        except SourceError as problem:
            raise SourceError(f"{self.name}: {problem}") from problem
        except (OSError, ConfigError) as problem:
            raise SourceError(f"{self.name}: cannot be read: {problem}; check name, rights and network") from problem

    def _opened(self, system: Any, path: str) -> Any:
        """Open the file; a small one comes over the network once and is kept for the next reading."""
        if self._piece.octets > MOST_KEPT:
            return system.open_input_stream(path, compression=None)
        if self._kept is None:
            with system.open_input_stream(path, compression=None) as stream:
                self._kept = stream.read()
        return io.BytesIO(self._kept)

    @staticmethod
    def _range(file: Any, start: int, end: int) -> Iterator[Octets]:
        yield file.read_at(FILE_HEADER, 0)
        while start < end:
            step = file.read_at(min(SLICE, end - start), start)
            if not step:
                return
            start += len(step)
            yield step

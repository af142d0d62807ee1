"""Captures in files: one file, folders, globs, lists.

Takes paths as a person writes them. Gives ``FileSource`` objects in the order given; folders and
globs are expanded in sorted order.

A plain file is read through one buffer and not mapped: when somebody shortens a mapped file while
it is read, touching the lost pages ends the process.
"""

from __future__ import annotations

import contextlib
import lzma
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from glob import glob, has_magic
from pathlib import Path

from flowclass._core import FileSlices
from flowclass.errors import SourceError
from flowclass.sources import PREFIX, SLICE, SLICE_AHEAD, Octets
from flowclass.sources.compression import codec_of, slices, unpacked

CAPTURE_SUFFIXES = frozenset({".pcap", ".pcapng", ".cap", ".dmp", ".ntar", ".pcap-ng"})
COMPRESSED_SUFFIXES = frozenset({".gz", ".zst", ".zstd", ".lz4", ".bz2", ".xz"})
_FIRST = 16  # octets that say how it is compressed
_CAPTURE_MAGICS = frozenset(
    bytes.fromhex(magic)
    for magic in ("d4c3b2a1", "a1b2c3d4", "4d3cb2a1", "a1b23c4d", "34cdb2a1", "a1b2cd34", "0a0d0d0a")
)


class FileSource:
    """One capture file, plain or compressed.

    Parameters
    ----------
    path : Path
        Where it lies.
    name : str, optional
        What it is called in the records; by default the path as text.
    most_ratio : int, optional
        Octets that one compressed octet may become; by default any number, since somebody named the file.
    """

    def __init__(self, path: Path, name: str | None = None, *, most_ratio: int | None = None) -> None:
        self.path = path
        self._most_ratio = most_ratio
        self.name = os.fsencode(path).decode("utf-8", "replace") if name is None else name
        self._raw: _CountedFile | None = None
        self._taken = 0

    @property
    def size(self) -> int | None:
        """Octets of the file; None when it can't be asked."""
        try:
            return self.path.stat().st_size
        except OSError:
            return None

    @property
    def position(self) -> int:
        """Octets of the file read so far."""
        return self._taken if self._raw is None else self._raw.taken

    def prefix(self) -> Octets | None:
        """Give the first octets, decompressed, as far as they can be read."""
        head = b""
        with contextlib.suppress(SourceError):  # whoever reads it all will say so
            for octets in FileSource(self.path, self.name, most_ratio=self._most_ratio).slices():
                head += octets
                if len(head) >= PREFIX:
                    break
        return head[:PREFIX] or None

    def slices(self) -> Iterator[Octets]:
        """Give the capture's octets."""
        for piece in self._slices(ahead=False):
            assert not isinstance(piece, FileSlices)
            yield piece

    def slices_from(self, octets: int) -> Iterator[Octets]:
        """Give the capture's octets behind the first so many, which are read and left out where it is compressed."""
        for piece in self._slices(ahead=False, skipped=octets):
            assert not isinstance(piece, FileSlices)
            yield piece

    def slices_ahead(self) -> Iterator[Octets | FileSlices]:
        """Give the capture's octets; those of a plain file as what an engine reads ahead with its threads."""
        return self._slices(ahead=True)

    def _slices(self, *, ahead: bool, skipped: int = 0) -> Iterator[Octets | FileSlices]:
        try:
            raw = _CountedFile(self.path)
        except OSError as problem:
            raise SourceError(_unreadable(self.name, problem)) from problem
        self._raw = raw
        try:
            before = raw.facts()
            yield from self._read(raw, ahead=ahead, skipped=skipped)
            after = raw.facts()
        except OSError as problem:
            raise SourceError(f"{self.name}: reading failed: {problem.strerror or problem}") from problem
        finally:
            self._taken = raw.taken
            self._raw = None
            raw.close()
        if after != before:
            raise SourceError(
                f"{self.name}: the file changed while it was read ({before[0]} octets before, {after[0]} after);"
                " what was there when it was read was used: run again when nothing writes to it"
            )

    def _read(self, raw: _CountedFile, *, ahead: bool, skipped: int) -> Iterator[Octets | FileSlices]:
        if ahead and raw.is_plain and codec_of(raw.first(_FIRST)) is None:
            file = FileSlices(raw.fileno(), SLICE_AHEAD)
            while count := file.next():
                raw.taken += count
                yield file
            return
        buffer = bytearray(SLICE)
        first = raw.readinto(buffer)
        if codec_of(buffer[:first]) is None:
            if skipped:
                raw.seek(skipped)
                first = raw.readinto(buffer)
            while first > 0:
                yield memoryview(buffer)[:first]
                first = raw.readinto(buffer)
            return
        raw.rewind()
        try:
            for piece in slices(raw, again=lambda: _CountedFile(self.path), most_ratio=self._most_ratio):
                if skipped < len(piece):
                    yield memoryview(piece)[skipped:] if skipped else piece
                skipped = max(0, skipped - len(piece))
        except SourceError as problem:
            raise SourceError(f"{self.name}: {problem}") from problem


@dataclass
class Found:
    """What the paths given came to.

    Parameters
    ----------
    sources : list of FileSource
        In the order given, no file twice.
    passed_over : list of str
        Files of folders and globs that are no captures by their content.
    repeated : list of str
        Files that were given more than once.
    problems : list of (str, str)
        Name and sentence of what could not be found.
    """

    sources: list[FileSource] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)


def find(given: Iterable[str | Path], seen: set[tuple[int, int]] | None = None) -> Found:
    """Find the capture files that paths, folders, globs and lists mean.

    Parameters
    ----------
    given : iterable of str or Path
        Each a file, a folder (searched to the bottom), a glob (``**`` included) or ``@list.txt`` with one of
        these a line.
    seen : set of (int, int), optional
        Device and inode of files found before; grows.
    """
    found = Found()
    seen = set() if seen is None else seen
    for item in given:
        text = os.fspath(item)
        if text.startswith("@"):
            for line in _lines(Path(text[1:]), found):
                _find_one(line, found, seen)
        else:
            _find_one(text, found, seen)
    return found


def _find_one(text: str, found: Found, seen: set[tuple[int, int]]) -> None:
    path = Path(text)
    try:
        if path.is_dir():
            inside = sorted(entry for entry in path.rglob("*") if entry.is_file() and not _hidden(entry, path))
            _add_many(inside, found, seen)
            if not inside:
                found.problems.append((text, f"{text}: the folder holds no file; give one that holds captures"))
        elif has_magic(text) and not path.exists():
            matched = sorted(Path(entry) for entry in glob(text, recursive=True))
            _add_many([entry for entry in matched if entry.is_file()], found, seen)
            if not matched:
                found.problems.append((text, f"{text}: no file matches; check the pattern and the folder"))
        else:
            _add(path, found, seen)
    except OSError as problem:
        found.problems.append((text, _unreadable(text, problem)))


def _add_many(paths: list[Path], found: Found, seen: set[tuple[int, int]]) -> None:
    for path in paths:
        if may_be_capture(path):
            _add(path, found, seen)
        else:
            found.passed_over.append(str(path))


def _add(path: Path, found: Found, seen: set[tuple[int, int]]) -> None:
    facts = path.stat()
    if (facts.st_dev, facts.st_ino) in seen:
        found.repeated.append(str(path))
        return
    seen.add((facts.st_dev, facts.st_ino))
    found.sources.append(FileSource(path))


def may_be_capture(path: Path) -> bool:
    """Say whether name or first octets are those of a capture."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if suffixes and (
        suffixes[-1] in CAPTURE_SUFFIXES
        or (len(suffixes) == 2 and suffixes[1] in COMPRESSED_SUFFIXES and suffixes[0] in CAPTURE_SUFFIXES)
    ):
        return True
    try:
        with path.open("rb", buffering=0) as raw:
            stream, _ = unpacked(raw)
            return (stream.read(4) or b"") in _CAPTURE_MAGICS
    except (OSError, EOFError, ValueError, lzma.LZMAError):
        return False


def _hidden(entry: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in entry.relative_to(folder).parts)


def _lines(path: Path, found: Found) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as problem:
        found.problems.append((f"@{path}", _unreadable(str(path), problem)))
        return []
    except UnicodeDecodeError as problem:
        found.problems.append((f"@{path}", f"{path}: the list is not UTF-8 text at octet {problem.start}"))
        return []
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def _unreadable(name: str, problem: OSError) -> str:
    advice = {
        FileNotFoundError: "check the name",
        PermissionError: "ask for the right to read it",
        IsADirectoryError: "give a file",
    }.get(type(problem), "check the disk")
    why = (problem.strerror or str(problem)).lower()
    return f"{name}: cannot be read: {why}; {advice}"


class _CountedFile:
    """A file that says how much of it was read."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self.taken = 0

    @property
    def closed(self) -> bool:
        return self._file.closed

    def read(self, size: int = -1, /) -> bytes:
        data = self._file.read(size) or b""
        self.taken += len(data)
        return data

    def readinto(self, buffer: bytearray) -> int:
        count = self._file.readinto(buffer) or 0
        self.taken += count
        return count

    @property
    def is_plain(self) -> bool:
        """Whether it can be read at any place, by any thread."""
        return stat.S_ISREG(os.fstat(self._file.fileno()).st_mode)

    def fileno(self) -> int:
        return self._file.fileno()

    def first(self, count: int) -> bytes:
        """Give the first octets; they stay to be read."""
        return os.pread(self._file.fileno(), count, 0)

    def rewind(self) -> None:
        self.seek(0)

    def seek(self, octets: int) -> None:
        self._file.seek(octets)
        self.taken = octets

    def facts(self) -> tuple[int, int]:
        facts = os.fstat(self._file.fileno())
        return facts.st_size, facts.st_mtime_ns

    def close(self) -> None:
        self._file.close()

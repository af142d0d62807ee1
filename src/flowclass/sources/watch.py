"""A folder into which a capture daemon drops files: each is read once, when it is complete, also after a restart.

A file is complete when its size and time did not change for a stated while. What was read is remembered in a small
state file, by name and by the first octets, so that a name that is used again is a new file and a file that grew
afterwards is not. The state is saved when the caller says that the records are safe.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from flowclass.engine import first_packet_time
from flowclass.errors import SourceError
from flowclass.sources import ByteSource
from flowclass.sources.compression import MOST_RATIO
from flowclass.sources.file import FileSource, may_be_capture

STATE_NAME = ".flowclass-watch.json"
_VERSION = 1
_HEAD = 512
_LOOK_EVERY_S = 0.25

_log = logging.getLogger(__name__)


class _Read(msgspec.Struct, frozen=True):
    """A file that was read: its size then, and the digest of its first octets."""

    size: int
    head: int
    sha256: str


class Watched(msgspec.Struct, frozen=True):
    """What a folder knows at a checkpoint: what was read, and which of the complete files come next."""

    read: dict[str, _Read]
    next: list[str]


class _State(msgspec.Struct):
    version: int
    read: dict[str, _Read]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a file looked like, and since when."""

    size: int
    mtime_ns: int
    since: float


class WatchedFolder:
    """The captures of a folder, as they are completed.

    Parameters
    ----------
    folder : Path
        Looked at without what lies in folders below it; names that begin with a dot are left alone.
    state : Path, optional
        Where it is remembered what was read; by default a hidden file in the folder.
    settle_s : float
        A file that did not change for so many seconds is complete.
    duration_s : float, optional
        End after so many seconds.

    Raises
    ------
    SourceError
        When the folder is none, or the state cannot be read.
    """

    def __init__(
        self, folder: Path, *, state: Path | None = None, settle_s: float = 5.0, duration_s: float | None = None
    ) -> None:
        if not folder.is_dir():
            raise SourceError(f"{folder}: this is no folder; make it, or give the one where the captures appear")
        self.name = str(folder)
        self.grown = 0
        self._folder = folder
        self._settle = settle_s
        self._duration = duration_s
        self._path = folder / STATE_NAME if state is None else state
        self._read = _load(self._path)
        self._seen: dict[str, _Seen] = {}
        self._settled: dict[str, tuple[int, int]] = {}  # sizes and times of files that need no other look
        self._next: list[FileSource] = []  # complete, in the order in which they are given

    def files(self) -> Iterator[ByteSource | None]:
        """Give the complete files in the order of their first packets, and None while there is none."""
        end = None if self._duration is None else time.monotonic() + self._duration
        while end is None or time.monotonic() < end:
            self._next = self._next or self._look()
            if not self._next:
                yield None
                time.sleep(_LOOK_EVERY_S)
            while self._next:
                yield self._next.pop(0)

    def kept(self) -> Watched:
        """Give what another process needs to go on after the file that was given last."""
        return Watched(dict(self._read), [file.path.name for file in self._next])

    def resume(self, kept: Watched, reading: Path | None) -> None:
        """Go on where another process was: with the file that it was reading, if it was, then those that came next.

        What it says was read counts, not what the state file says: that one is older.
        """
        self._read = dict(kept.read)
        names = [self._folder / Path(name).name for name in kept.next]
        self._next = [FileSource(path) for path in names if path.exists()]
        if reading is not None:
            self._next.insert(0, FileSource(reading))
        for file in self._next:
            with suppress(OSError):
                facts = file.path.stat()
                self._settled[file.path.name] = (facts.st_size, facts.st_mtime_ns)

    def done(self, file: ByteSource) -> None:
        """Remember that a file was read."""
        if isinstance(file, FileSource):
            facts = _facts(file.path)
            if facts is not None:
                self._read[file.path.name] = facts

    def save(self) -> None:
        """Write the state: the records of all that was read are safe.

        Raises
        ------
        SourceError
            When it cannot be written; the files will be read again then.
        """
        kept = {name: read for name, read in self._read.items() if (self._folder / name).exists()}
        temporary = self._path.with_name(f".tmp-{self._path.name}-{os.getpid()}")
        try:
            with temporary.open("wb") as file:
                file.write(msgspec.json.encode(_State(_VERSION, kept)))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._path)
        except OSError as problem:
            with suppress(OSError):
                temporary.unlink()
            raise SourceError(
                f"{self._path}: the state cannot be written: {(problem.strerror or str(problem)).lower()}; the same"
                " files will be read again: give --state a place that can be written"
            ) from problem

    def _look(self) -> list[FileSource]:
        """Give the files that are complete and were not read."""
        now = time.monotonic()
        seen: dict[str, _Seen] = {}
        complete: list[tuple[tuple[bool, int, str], FileSource]] = []
        for name, size, mtime_ns in self._listed():
            before = self._seen.get(name)
            same = before is not None and (before.size, before.mtime_ns) == (size, mtime_ns)
            seen[name] = before if same and before is not None else _Seen(size, mtime_ns, now)
            if now - seen[name].since < self._settle or self._settled.get(name) == (size, mtime_ns):
                continue
            self._settled[name] = (size, mtime_ns)
            if self._was_read(name, size):
                continue
            path = self._folder / name
            if may_be_capture(path):
                source = FileSource(path, most_ratio=MOST_RATIO)
                prefix = source.prefix()
                first = None if prefix is None else first_packet_time(prefix)
                complete.append(((first is None, first or 0, name), source))
        self._seen = seen
        self._read = {name: read for name, read in self._read.items() if name in seen}
        self._settled = {name: facts for name, facts in self._settled.items() if name in seen}
        return [source for _, source in sorted(complete, key=lambda pair: pair[0])]

    def _listed(self) -> list[tuple[str, int, int]]:
        out: list[tuple[str, int, int]] = []
        try:
            with os.scandir(self._folder) as entries:
                for entry in entries:
                    if entry.name.startswith(".") or not entry.is_file():
                        continue
                    with suppress(OSError):  # it went away meanwhile
                        facts = entry.stat()
                        out.append((entry.name, facts.st_size, facts.st_mtime_ns))
        except OSError as problem:
            why = (problem.strerror or str(problem)).lower()
            raise SourceError(f"{self.name}: the folder cannot be looked at any more: {why}") from problem
        return out

    def _was_read(self, name: str, size: int) -> bool:
        read = self._read.get(name)
        if read is None:
            return False
        if _digest(self._folder / name, read.head) != read.sha256:
            return False  # another capture under the same name
        if size > read.size:
            self.grown += 1
            _log.warning(
                "%s: it grew by %d octets after it was read; these are not used: settle for longer",
                self._folder / name,
                size - read.size,
            )
        return True


def _facts(path: Path) -> _Read | None:
    try:
        size = path.stat().st_size
    except OSError:
        return None
    digest = _digest(path, min(size, _HEAD))
    return None if digest is None else _Read(size, min(size, _HEAD), digest)


def _digest(path: Path, length: int) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.sha256(file.read(length)).hexdigest()
    except OSError:
        return None


def _load(path: Path) -> dict[str, _Read]:
    try:
        state = msgspec.json.decode(path.read_bytes(), type=_State)
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.DecodeError) as problem:
        raise SourceError(
            f"{path}: the state cannot be read: {problem}; mend it, or take it away to read all"
        ) from None
    if state.version != _VERSION:
        raise SourceError(f"{path}: the state is of version {state.version}, not {_VERSION}; take it away to read all")
    return state.read

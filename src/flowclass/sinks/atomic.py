"""Takes a path and octets. Gives a file that appears complete or not at all.

Written beside its place as ``.tmp-*``, synced, renamed, and the folder synced.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from io import BufferedWriter
from pathlib import Path
from typing import IO

from flowclass.errors import OutputError


class AtomicFile:
    """A file being written.

    Parameters
    ----------
    target : Path or binary file object
        A path of a plain file is replaced at ``commit``. A device or pipe, and a file object, are written as
        octets come.

    Raises
    ------
    OutputError
        When nothing can be written there.
    """

    def __init__(self, target: Path | IO[bytes]) -> None:
        self._path: Path | None = None
        self._temporary: Path | None = None
        self.file: _Counted
        self._owned: BufferedWriter | None = None
        if not isinstance(target, Path):
            self.name = str(getattr(target, "name", "the stream given"))
            self.file = _Counted(target)
            return
        self.name = str(target)
        try:
            if target.is_dir():
                raise IsADirectoryError(21, "is a folder")
            if target.exists() and not target.is_file():
                self._owned = target.open("wb")
            else:
                self._path = target.resolve()
                self._temporary = self._path.parent / f".tmp-{self._path.name}-{os.getpid()}"
                self._owned = self._temporary.open("xb")
        except OSError as problem:
            raise output_error(self.name, problem) from problem
        self.file = _Counted(self._owned)

    def rename(self, name: str) -> None:
        """Let the file have another name, in the same folder, when it appears."""
        if self._path is not None:
            self._path = self._path.with_name(name)
            self.name = str(self._path)

    def commit(self) -> None:
        """Make the file appear.

        Raises
        ------
        OutputError
            When the disk does not take it; then nothing appears.
        """
        try:
            self.file.flush()
            if self._owned is None:
                return
            if self._path is not None and self._temporary is not None:
                os.fsync(self._owned.fileno())
                self._owned.close()
                self._temporary.replace(self._path)
                self._temporary = None
                _sync_folder(self._path.parent)
            else:
                self._owned.close()
        except OSError as problem:
            self.abort()
            raise output_error(self.name, problem) from problem

    def hold(self) -> None:
        """Lock what is being written, so that others see that it is no leftover. See ``remove_leftovers``."""
        if self._temporary is not None and self._owned is not None:
            fcntl.flock(self._owned.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)

    def abort(self) -> None:
        """Leave nothing behind; what is written from now on is dropped."""
        self.file.dropping = True
        if self._owned is not None:
            with contextlib.suppress(OSError):
                self._owned.close()
        if self._temporary is not None:
            with contextlib.suppress(OSError):
                self._temporary.unlink()
            self._temporary = None


def remove_leftovers(folder: Path, begin: str) -> int:
    """Remove what programs that were killed left of files that they were writing.

    Parameters
    ----------
    folder : Path
        Where they wrote.
    begin : str
        How the names of their files begin. Only files that were held are known to be left over when nobody holds them,
        so it must be a name that is written by those who hold.

    Returns
    -------
    int
        How many were removed.
    """
    removed = 0
    for path in folder.glob(f".tmp-{begin}*"):
        with contextlib.suppress(OSError), path.open("rb") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
            removed += 1
    return removed


def output_error(name: str, problem: OSError) -> OutputError:
    """Say what could not be written, why, and what to do."""
    advice = {
        FileNotFoundError: "make the folder first",
        PermissionError: "choose a place that you may write to",
        IsADirectoryError: "give a file name",
        BrokenPipeError: "its reader ended before all was written",
        ConnectionResetError: "its reader ended before all was written",
    }.get(type(problem), "check the space and the state of the disk")
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        advice = "make room on the disk, or write elsewhere"
    why = (problem.strerror or str(problem)).lower()
    return OutputError(f"{name}: cannot be written: {why}; {advice}")


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class _Counted:
    """A stream that can say its position even when it is a pipe."""

    closed = False

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._written = 0
        self.dropping = False

    def write(self, data: bytes | bytearray | memoryview) -> int:
        view = memoryview(data).cast("B")
        done = len(view) if self.dropping else 0
        while done < len(view):
            done += self._stream.write(view[done:]) or 0
        self._written += done
        return done

    def tell(self) -> int:
        return self._written

    def flush(self) -> None:
        if not self.dropping:
            self._stream.flush()

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        """Leave the stream open: who opened it closes it."""

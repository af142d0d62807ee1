"""Takes a path and octets. Gives a file that appears complete or not at all.

Written beside its place as ``.tmp-*``, synced, renamed, and the folder synced.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import glob
import os
from collections.abc import Iterable, Mapping, Sequence
from io import BufferedRandom, BufferedWriter
from pathlib import Path
from typing import IO, Any

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
        self._owned: BufferedWriter | BufferedRandom | None = None
        self._spoken_of = False
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

    def keep(self) -> None:
        """Say before the first octet that checkpoints will speak of the file.

        What runs left that were killed before their first checkpoint is taken away.

        Raises
        ------
        OutputError
            When it cannot have another name.
        """
        if self._path is None or self._temporary is None:
            return
        try:
            self._temporary = self._temporary.rename(self._path.with_name(f".tmp-kept-{self._temporary.name[5:]}"))
            self.hold()
            remove_leftovers(self._path.parent, f"kept-{self._path.name}-")
        except OSError as problem:
            self.abort()
            raise output_error(self.name, problem) from problem

    def sync(self, *, ending: bool = False) -> dict[str, Any]:
        """Bring what was written so far onto the disk, for a checkpoint, which from now on speaks of the file.

        Parameters
        ----------
        ending : bool
            The file is complete but for what ``commit`` follows, which may have been done when it is resumed.

        Returns
        -------
        dict
            Where it lies and how long it is, for ``resume`` of another process; without a place for what is written
            as it comes.

        Raises
        ------
        OutputError
            When the disk does not take it.
        """
        try:
            self.file.flush()
            if self._owned is None or self._temporary is None or self._path is None:
                return {}
            if not self._owned.closed:
                os.fsync(self._owned.fileno())
        except OSError as problem:
            self.abort()
            raise output_error(self.name, problem) from problem
        self._spoken_of = True
        return {
            "file": str(self._path),
            "temporary": self._temporary.name,
            "octets": self.file.tell(),
            "ending": ending,
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on in the file that a killed process synced, cut back to where that was.

        Raises
        ------
        OutputError
            When it is not there, or shorter.
        """
        if self._owned is None or self._temporary is None or self._path is None or not state:
            return
        self._owned.close()
        self._temporary.unlink()
        self._spoken_of = True
        self._temporary = self._path.with_name(str(state["temporary"]))
        if state["ending"] and not self._temporary.exists() and self._path.exists():
            self._path = self._temporary = None
            self.file.dropping = True  # it has appeared
            return
        octets = int(state["octets"])
        try:
            self._owned = self._temporary.open("r+b")
            if os.fstat(self._owned.fileno()).st_size < octets:
                raise OutputError(
                    f"{self._temporary}: {octets} octets of it are part of the checkpoint, and it is shorter; take the"
                    " checkpoint away to begin anew"
                )
            self._owned.truncate(octets)
            self._owned.seek(octets)
            self.hold()
            remove_leftovers(self._path.parent, f"kept-{self._path.name}-")
        except OSError as problem:
            why = (problem.strerror or str(problem)).lower()
            raise OutputError(
                f"{self._temporary}: cannot be gone on with: {why}; it is part of the checkpoint: take that away to"
                " begin anew"
            ) from problem
        self.file.move_to(self._owned, octets)

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
                if not self._owned.closed:
                    os.fsync(self._owned.fileno())
                    self._owned.close()
                self._temporary.replace(self._path)
                self._temporary = None
                sync_folder(self._path.parent)
            else:
                self._owned.close()
        except OSError as problem:
            self.abort()
            raise output_error(self.name, problem) from problem

    def hold(self) -> None:
        """Lock what is being written, so that others see that it is no leftover. See ``remove_leftovers``."""
        if self._temporary is not None and self._owned is not None:
            fcntl.flock(self._owned.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)

    def let_go(self) -> None:
        """Close what was synced and is complete; it appears later."""
        self.file.dropping = True
        if self._owned is not None:
            self._owned.close()

    def abort(self) -> None:
        """Leave nothing behind, but what a checkpoint speaks of; what is written from now on is dropped."""
        self.file.dropping = True
        if self._owned is not None:
            with contextlib.suppress(OSError):
                self._owned.close()
        if self._temporary is not None:
            with contextlib.suppress(OSError):
                if not self._spoken_of:
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
    for path in folder.glob(f".tmp-{glob.escape(begin)}*"):
        with contextlib.suppress(OSError), path.open("rb") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
            removed += 1
    return removed


def appear(folder: Path, files: Iterable[Sequence[str]]) -> None:
    """Let complete files appear that a checkpoint covers; those that have appeared already are left alone.

    Parameters
    ----------
    folder : Path
        Where they lie.
    files : iterable of (str, str)
        The name of each while it was written, and the one it is to have. A name is no path.
    """
    for temporary, name in files:
        path = folder / Path(temporary).name
        if path.exists():
            path.replace(folder / Path(name).name)
    sync_folder(folder)


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


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder onto the disk."""
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

    def move_to(self, stream: IO[bytes], written: int) -> None:
        """Go on in another stream, where so much was written before."""
        self._stream, self._written = stream, written

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

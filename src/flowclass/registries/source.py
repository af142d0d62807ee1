"""Opens a registry's source: finds its format by content or ending, and refuses a file that changes meanwhile.

A format is a module of this folder with NAME, ENDINGS, `recognise(head)` and `read(data, ...)`; one with BY_PATH is
given the path instead of the octets, one with STEADY reads one state of it whoever writes meanwhile, and one with
BINARY always begins with its signature.
Nothing lists the formats but the folder.
"""

from __future__ import annotations

import gc
import os
import pkgutil
import stat
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

from flowclass import registries
from flowclass.errors import RegistryError, RowProblem
from flowclass.registries.kinds import Limits
from flowclass.registries.row import RegistryRow

MOST_OCTETS = 1 << 31
CHUNK = 8 << 20
HEAD = 4_096
# gzip (RFC 1952), zstd (RFC 8878), xz, bzip2, LZ4 frames, ZIP (as spreadsheets are)
_COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"BZh", b"\x04\x22\x4d\x18", b"PK\x03\x04")


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A format that registries come in.

    Parameters
    ----------
    name : str
        For people.
    endings : tuple of str
        Of file names, lower case, with the dot.
    recognise : callable
        Says of a file's first octets whether they are of this format.
    read : callable
        Gives rows and problems.
    binary : bool
        Whether every such file is recognised by its first octets.
    by_path : bool
        Whether `read` takes the path instead of the octets.
    steady : bool
        Whether `read` sees one state of the file although others write to it.
    """

    name: str
    endings: tuple[str, ...]
    recognise: Callable[[bytes], bool]
    read: Callable[..., tuple[list[RegistryRow], list[RowProblem]]]
    binary: bool
    by_path: bool
    steady: bool


@cache
def formats() -> tuple[Format, ...]:
    """Give the formats there are; one that no ending names is told from the others by its content alone."""
    modules = [
        import_module(f"{registries.__name__}.{found.name}") for found in pkgutil.iter_modules(registries.__path__)
    ]
    found = [
        Format(
            name=module.NAME,
            endings=module.ENDINGS,
            recognise=module.recognise,
            read=module.read,
            binary=getattr(module, "BINARY", False),
            by_path=getattr(module, "BY_PATH", False),
            steady=getattr(module, "STEADY", False),
        )
        for module in modules
        if hasattr(module, "ENDINGS")
    ]
    return tuple(sorted(found, key=lambda one: (bool(one.endings), not one.binary, one.name)))  # the most special first


def format_of(head: bytes, name: str) -> Format:
    """Find the format of a file.

    Parameters
    ----------
    head : bytes
        Its first octets.
    name : str
        The file's name; its ending decides where the content says nothing.

    Returns
    -------
    Format
        The one.

    Raises
    ------
    RegistryError
        Where neither says which it is, or they contradict each other.
    """
    recognised = next((one for one in formats() if one.recognise(head)), None)
    if recognised is not None:
        return recognised
    ending = Path(name).suffix.lower()
    named = next((one for one in formats() if ending in one.endings), None)
    if named is None:
        if head.startswith(_COMPRESSED):
            raise RegistryError(
                f"{name}: it is compressed, or a spreadsheet's own format; give the list itself as CSV, JSON lines,"
                " Parquet or SQLite"
            )
        there = ", ".join(f"{one.name} ({' '.join(one.endings)})" for one in formats())
        raise RegistryError(
            f"{name}: no registry format has the ending {ending!r}, and its content is of none; there are {there}"
        )
    if named.binary:
        raise RegistryError(f"{name}: it is called {ending} but does not begin as {named.name} does")
    return named


def read_source(
    path: Path, *, known_protocols: Collection[str] = (), limits: Limits | None = None
) -> tuple[list[RegistryRow], list[RowProblem], Format]:
    """Read a registry's source.

    Parameters
    ----------
    path : Path
        A file, or a pipe (but for SQLite).
    known_protocols : collection of str
        Protocol ids to warn against; empty = not checked.
    limits : Limits, optional
        How wide a prefix may be without a warning.

    Returns
    -------
    rows : list of RegistryRow
        Those without an error.
    problems : list of RowProblem
        Of every row, in order of lines.
    form : Format
        What it was.

    Raises
    ------
    RegistryError
        Where it cannot be read, is of no known format, or changes while it is read.
    """
    try:
        with path.open("rb", buffering=0) as file:
            before = os.fstat(file.fileno())
            head = os.read(file.fileno(), HEAD)
            form = format_of(head, str(path))
            source: Path | bytes = path
            if not form.by_path:
                source = _rest(file.fileno(), head, path)
                _refuse_changed(path, before, os.fstat(file.fileno()), len(source))
            elif not stat.S_ISREG(before.st_mode):
                raise RegistryError(f"{path}: {form.name} is read from a plain file only; save it as one")
            rows, problems = form.read(source, name=str(path), known_protocols=known_protocols, limits=limits)
            if form.by_path and not form.steady:
                _refuse_changed(path, before, path.stat(), before.st_size)
    except OSError as problem:
        why = problem.strerror or str(problem)
        raise RegistryError(f"{path}: the registry cannot be read: {why}; check the path") from problem
    return rows, problems, form


@contextmanager
def without_collection() -> Iterator[None]:
    """Hold the cycle collector: rows make no cycles, and looking for them takes a third of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _rest(descriptor: int, head: bytes, path: Path) -> bytes:
    """Read to the end, but not without end."""
    data = bytearray(head)
    while chunk := os.read(descriptor, CHUNK):
        data += chunk
        if len(data) > MOST_OCTETS:
            raise RegistryError(f"{path}: more than {MOST_OCTETS >> 30} GiB: this is no registry")
    return bytes(data)


def _refuse_changed(path: Path, before: os.stat_result, after: os.stat_result, taken: int) -> None:
    """Refuse a plain file that is not the one that it was; a pipe has nothing to compare."""
    if not stat.S_ISREG(before.st_mode):
        return
    marks = [(one.st_dev, one.st_ino, one.st_size, one.st_mtime_ns) for one in (before, after)]
    if marks[0] != marks[1] or taken != before.st_size:
        raise RegistryError(
            f"{path}: the file changed while it was read, so its rows may be half old and half new;"
            " load it again when its writer is done, or put a new file in its place by renaming"
        )

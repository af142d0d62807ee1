"""The compiled registry: one file that is mapped and verified, never half believed.

Its layout is written above ``native/src/registry/snapshot.hpp``.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flowclass import _core
from flowclass.errors import RegistryError
from flowclass.sinks.atomic import AtomicFile

ENDING = ".fcr"
_HASH_OCTETS = 32
_MAGIC = b"\x89FCR\r\n\x1a\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotSource:
    """A file that a snapshot was built from.

    Parameters
    ----------
    name : str
        As it was called then.
    sha256 : str
        Of its octets, in hex.
    """

    name: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotFacts:
    """What a snapshot says of itself.

    Parameters
    ----------
    version : str
        The registry's version, SHA-256 in hex of its content.
    built_at : int
        Time of building as the builder gave it, ns UTC.
    sources : tuple of SnapshotSource
        What it was built from.
    sha256 : str
        Of the file without its last 32 octets, which hold it; in hex.
    octets : int
        Length of the file.
    """

    version: str
    built_at: int
    sources: tuple[SnapshotSource, ...]
    sha256: str
    octets: int


def write_snapshot(
    path: Path, native: _core.Registry, *, version: str, built_at: int, sources: Sequence[SnapshotSource]
) -> None:
    """Write a snapshot; it appears complete or not at all.

    Parameters
    ----------
    path : Path
        The file, replaced when there is one.
    native : _core.Registry
        The registry.
    version : str
        Its version, in hex.
    built_at : int
        Time of building, ns UTC.
    sources : sequence of SnapshotSource
        What it is built from.

    Raises
    ------
    RegistryError
        When it cannot be put into the form.
    OutputError
        When it cannot be written.
    """
    try:
        body = native.snapshot(
            built_at=built_at,
            version=bytes.fromhex(version),
            sources=[(source.name, bytes.fromhex(source.sha256)) for source in sources],
        )
    except ValueError as problem:
        raise RegistryError(f"{path}: the registry cannot be written as a snapshot: {problem}") from None
    file = AtomicFile(path)
    try:
        file.file.write(body)
        file.file.write(hashlib.sha256(body).digest())
    except BaseException:
        file.abort()
        raise
    file.commit()


def is_snapshot(path: Path) -> bool:
    """Say whether a file is meant as a snapshot: by its ending, else by its first octets."""
    if path.suffix.lower() == ENDING:
        return True
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


def open_snapshot(path: Path) -> tuple[_core.Registry, SnapshotFacts]:
    """Map a snapshot and verify all of it: header, SHA-256, and every number in it.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    registry : _core.Registry
        It looks at the mapped file and keeps it.
    facts : SnapshotFacts
        What the file says of itself.

    Raises
    ------
    RegistryError
        When anything does not hold; nothing of the file is used then.

    Notes
    -----
    While a process has the file mapped it may be replaced, as `write_snapshot` does, but not changed in place: a change
    while it is verified is noticed and refused, a later one is not.
    """
    try:
        # Without waiting for the writer of a named pipe.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode):
                raise _refusal(path, "it is no plain file")
            if before.st_size == 0:
                raise _refusal(path, "it is empty")
            view = memoryview(mmap.mmap(file.fileno(), before.st_size, access=mmap.ACCESS_READ))
            native, facts = _verified(path, view)
            after = os.fstat(file.fileno())
    except OSError as problem:
        why = problem.strerror or str(problem)
        raise RegistryError(f"{path}: the registry cannot be read: {why}; check the path") from problem
    if (before.st_size, before.st_mtime_ns, before.st_ctime_ns) != (
        after.st_size,
        after.st_mtime_ns,
        after.st_ctime_ns,
    ):
        raise _refusal(path, "it was changed while it was read")
    return native, facts


def _verified(path: Path, view: memoryview) -> tuple[_core.Registry, SnapshotFacts]:
    defect = _core.Registry.snapshot_defect(view)
    if defect is not None:
        raise _refusal(path, defect)
    digest = hashlib.sha256(view[:-_HASH_OCTETS]).digest()
    if digest != view[-_HASH_OCTETS:]:
        raise _refusal(path, f"its SHA-256 is {digest.hex()}, its end says {view[-_HASH_OCTETS:].hex()}")
    try:
        native, built_at, version, sources = _core.Registry.open(view)
    except ValueError as problem:
        raise _refusal(path, str(problem)) from None
    facts = SnapshotFacts(
        version=version.hex(),
        built_at=built_at,
        sources=tuple(SnapshotSource(name=name, sha256=sha256.hex()) for name, sha256 in sources),
        sha256=digest.hex(),
        octets=len(view),
    )
    return native, facts


def _refusal(path: Path, why: str) -> RegistryError:
    return RegistryError(
        f"{path}: the registry snapshot is refused and nothing of it used: {why}; build it again from its sources"
        " with `flowclass registry build`"
    )

"""The file from which a killed run goes on: the engine's state, the sources' position, and what the outputs hold.

A checkpoint is a moment at which these three fit together: all rows so far are in the outputs and last there, the
engine's state is that of the packets before the position. It is written beside its place, synced, renamed, and the
folder synced, so there is always a whole one; what the outputs show belongs to it.

    octets                 what
    8                      89 46 43 43 50 0d 0a 0a: the magic
    engine octets          the engine's state, as the native core writes it; none when the run has ended
    header octets          a `Header` as JSON
    8, 8                   engine octets, header octets; big-endian
    32                     SHA-256 of all before
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import struct
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from io import BufferedRandom
from pathlib import Path
from typing import IO, Any

import msgspec

from flowclass.engine import Engine, rules_sha256
from flowclass.errors import ConfigError
from flowclass.schema import SCHEMA_VERSION
from flowclass.sinks import KeptSink
from flowclass.sinks.atomic import output_error, sync_folder
from flowclass.version import __version__

MAGIC = b"\x89FCCP\r\n\n"
FORM = 1
LENGTHS = struct.Struct(">QQ")
DIGEST = 32
SECOND_S = 1e9
MOST_WAITING = 64
"""Files that wait to appear; with more of them a checkpoint is due at once."""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What a checkpoint says besides the engine's state.

    Parameters
    ----------
    form : int
        Of this struct; another number is another struct.
    flowclass, schema, rules_sha256 : str
        Versions of the program, of the records, and of the fingerprints.
    options : dict of str to str
        What has to be the same when the run goes on.
    written_ns : int
        When it was written, by the clock, ns since 1970 UTC.
    ended : bool
        Every flow was ended and is in the outputs, which are complete but for their last step.
    run : dict
        What the run knows: where it is in its sources, and what it read before.
    sinks : list of dict
        What each output needs to go on.
    """

    form: int
    flowclass: str
    schema: str
    rules_sha256: str
    options: dict[str, str]
    written_ns: int
    ended: bool
    run: dict[str, Any]
    sinks: list[dict[str, Any]]


class Checkpoint:
    """The checkpoints of one run, in one file.

    Parameters
    ----------
    path : Path
        The file. What is in it is read at once, if it is there.
    every_s : float
        A checkpoint is due so long after the last one.
    options : mapping of str to str
        Everything that decides what the run gives, by names that people know.

    Attributes
    ----------
    found : Header or None
        What the file said; None where there was none.

    Raises
    ------
    ConfigError
        When the file is damaged, of another version, of other options, or in use.
    OutputError
        When it cannot be written there.
    """

    def __init__(self, path: Path, *, every_s: float, options: Mapping[str, str]) -> None:
        self._path = path
        self._every = every_s
        self._options = dict(options)
        self._sinks: Sequence[KeptSink] = ()
        self._lock = self._locked()
        self._state: bytes | memoryview = b""
        self.found: Header | None = None
        try:
            self.found = self._load()
        except BaseException:
            self.close()
            raise
        self._next = time.monotonic() + (0 if self.found is None else every_s)

    @property
    def name(self) -> str:
        """The file, for people."""
        return str(self._path)

    def attach(self, sinks: Sequence[KeptSink]) -> None:
        """Let the outputs of the run go on where they were, and take part from now on."""
        states: Sequence[dict[str, Any] | None] = [None] * len(sinks) if self.found is None else self.found.sinks
        try:
            for sink, state in zip(sinks, states, strict=True):
                sink.resume(state)
        except (KeyError, TypeError, ValueError) as problem:
            raise self.refused(f"what it says of the outputs cannot be used: {problem!r}") from None
        self._sinks = sinks

    def restore(self, engine: Engine) -> None:
        """Give an engine the state that was found.

        Raises
        ------
        ConfigError
            When it does not take it.
        """
        try:
            engine.restore(self._state)
        except ValueError as problem:
            raise self.refused(str(problem).rstrip(".").removeprefix("The state is refused: ")) from None
        self._state = b""

    @property
    def has_ended(self) -> bool:
        """Whether the run that was found had ended, but for the last step of its outputs."""
        return self.found is not None and self.found.ended

    @property
    def due(self) -> bool:
        """Whether it is time for the next one."""
        return time.monotonic() >= self._next or any(getattr(sink, "waiting", 0) > MOST_WAITING for sink in self._sinks)

    def write(self, run: Mapping[str, Any], engine: Engine | None, metadata: Mapping[str, str] | None = None) -> None:
        """Write one: the outputs first, then the file, then let the outputs show what it covers.

        Parameters
        ----------
        run : mapping
            What the run knows.
        engine : Engine, optional
            With every row taken out of it; None when the run has ended.
        metadata : mapping of str to str, optional
            At the end, what the outputs say about the run.

        Raises
        ------
        OutputError
            When an output or the file cannot be written; the one before it holds.
        """
        sinks = [sink.prepare(metadata) for sink in self._sinks]
        header = Header(
            form=FORM,
            flowclass=__version__,
            schema=SCHEMA_VERSION,
            rules_sha256=rules_sha256(),
            options=self._options,
            written_ns=time.time_ns(),
            ended=engine is None,
            run=dict(run),
            sinks=sinks,
        )
        temporary = self._path.with_name(f".tmp-{self._path.name}")
        try:
            with open(temporary, "w+b", opener=_private) as file:
                _fill(file, engine, header)
            temporary.replace(self._path)
            sync_folder(self._path.parent)
        except OSError as problem:
            with suppress(OSError):
                temporary.unlink()
            raise output_error(str(self._path), problem) from problem
        for sink in self._sinks:
            sink.publish()
        self._next = time.monotonic() + self._every

    def remove(self) -> None:
        """Take the file away: the run is over and its outputs are complete.

        Raises
        ------
        OutputError
            When it stays.
        """
        try:
            self._path.unlink(missing_ok=True)
            sync_folder(self._path.parent)
        except OSError as problem:
            raise output_error(str(self._path), problem) from problem

    def close(self) -> None:
        """Let others use the file."""
        with suppress(OSError):
            self._lock_path.unlink()
        self._lock.close()

    @property
    def _lock_path(self) -> Path:
        return self._path.with_name(f".{self._path.name}.lock")

    def _locked(self) -> IO[bytes]:
        try:
            lock = os.fdopen(_private(str(self._lock_path), os.O_WRONLY | os.O_CREAT), "wb")
        except OSError as problem:
            raise output_error(str(self._path), problem) from problem
        try:
            fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise ConfigError(f"{self._path}: another run uses this checkpoint: give another file") from None
        return lock

    def _load(self) -> Header | None:
        try:
            octets = self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as problem:
            raise self.refused(f"it cannot be read: {(problem.strerror or str(problem)).lower()}") from problem
        tail = len(octets) - DIGEST - LENGTHS.size
        if tail < len(MAGIC) or not octets.startswith(MAGIC):
            raise self.refused("it is no checkpoint, or cut short")
        if hashlib.sha256(memoryview(octets)[:-DIGEST]).digest() != octets[-DIGEST:]:
            raise self.refused("its octets are not those that were written")
        engine, header = LENGTHS.unpack_from(octets, tail)
        if len(MAGIC) + engine + header != tail:
            raise self.refused("its parts do not add up")
        found = self._header(octets[tail - header : tail])
        self._state = memoryview(octets)[len(MAGIC) : len(MAGIC) + engine]
        return found

    def _header(self, octets: bytes) -> Header:
        try:
            form = msgspec.json.decode(octets, type=dict[str, Any]).get("form")
            if form != FORM:
                raise self.refused(f"it is of form {form}, and this version reads form {FORM}")
            found = msgspec.json.decode(octets, type=Header)
        except msgspec.DecodeError as problem:
            raise self.refused(f"what it says cannot be read: {problem}") from None
        ours = {"schema": SCHEMA_VERSION, "rules_sha256": rules_sha256()}
        theirs = {"schema": found.schema, "rules_sha256": found.rules_sha256}
        if ours != theirs:
            raise self.refused(
                f"it is of flowclass {found.flowclass}, whose records or fingerprints are not those of {__version__}"
            )
        names = sorted({*self._options, *found.options})
        differing = [name for name in names if self._options.get(name) != found.options.get(name)]
        if differing:
            told = ", ".join(
                f"{name} {found.options.get(name, 'nothing')} there and {self._options.get(name, 'nothing')} here"
                for name in differing
            )
            raise self.refused(f"it is of a run with other options: {told}")
        return found

    def refused(self, why: str) -> ConfigError:
        """Give the error that says why the file is not gone on from."""
        return ConfigError(
            f"{self._path}: the checkpoint is refused: {why}; go on as that run was started, or take the file away to"
            " begin anew"
        )


def _fill(file: BufferedRandom, engine: Engine | None, header: Header) -> None:
    """Write and sync a checkpoint."""
    file.write(MAGIC)
    file.flush()
    if engine is not None:
        engine.save(file.fileno())
    state = file.seek(0, os.SEEK_END) - len(MAGIC)
    told = msgspec.json.encode(header)
    file.write(told + LENGTHS.pack(state, len(told)))
    file.flush()
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").digest()
    file.seek(0, os.SEEK_END)
    file.write(digest)
    file.flush()
    os.fsync(file.fileno())


def _private(path: str, flags: int) -> int:
    """Open a file that nobody else reads: addresses and payload are in it, whatever the records show."""
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def since(header: Header) -> float:
    """Give the seconds since a checkpoint was written, by the clock; 0 when that was set back."""
    return max(0.0, (time.time_ns() - header.written_ns) / SECOND_S)

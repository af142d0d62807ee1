"""Takes a folder. Gives a sink that fills one file after the other there, each complete when it appears.

A file is closed by the time of the records, by its rows, or by its octets. Its name says its number, its least
``time_start`` and its greatest ``time_end``, so the names sort in the order of writing. What a killed run was writing
is a ``.tmp-*`` file, which readers of folders leave out and which the next run in the folder removes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flowclass.errors import ConfigError, OutputError
from flowclass.sinks import Sink, open_sink
from flowclass.sinks.atomic import AtomicFile, appear, output_error, remove_leftovers
from flowclass.sinks.delivered import Delivered
from flowclass.sinks.parquet import Sink as ParquetSink

BEGIN = "flows-"
SUFFIXES = {"arrow": "arrows", "eve": "eve.json", "zeek": "conn.log"}
LEAST_OCTETS = 1 << 20
LEAST_NS = 1_000_000_000
NUMBER = re.compile(rf"{BEGIN}(\d{{8,}})-")
MOST_OPEN = 256
"""Complete files that wait for a checkpoint and are held open, so that others know them for no leftovers."""
PART = 8  # a file is over its octets by at most one part of so many


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """When a file is closed; by the first that holds.

    Parameters
    ----------
    every_ns : int, optional
        Its records end in one interval of this length, in ns; the intervals begin with the epoch, so files of 15
        minutes end at 0, 15, 30 and 45. At least a second.
    rows : int, optional
        It has so many rows. At least 1.
    octets : int, optional
        It has so many octets, or up to an eighth more. At least 1 MiB.
    """

    every_ns: int | None = None
    rows: int | None = None
    octets: int | None = None

    def __post_init__(self) -> None:
        for name, value, least in (
            ("every_ns", self.every_ns, LEAST_NS),
            ("rows", self.rows, 1),
            ("octets", self.octets, LEAST_OCTETS),
        ):
            if value is not None and value < least:
                raise ConfigError(f"{name} = {value}: a file is closed after at least {least}")


class RotatingSink:
    """Fills files in a folder.

    Parameters
    ----------
    folder : Path
        Is made where it is not there. What is in it stays; numbers go on behind the greatest there.
    form : str
        A format.
    rotation : Rotation
        When a file is closed.
    schema : pyarrow.Schema
        Of every batch that will come.
    metadata : mapping of str to str
        What every file says about the run, where the format has a place for it.
    kept : bool
        Files appear once a checkpoint covers them: ``resume`` is called before the first row, and ``prepare`` and
        ``publish`` at each checkpoint.

    Attributes
    ----------
    files, complete_rows : int
        Files that have appeared, and the rows in them.

    Raises
    ------
    OutputError
        When nothing can be written there.
    """

    def __init__(
        self,
        folder: Path,
        form: str,
        rotation: Rotation,
        schema: pa.Schema,
        metadata: Mapping[str, str],
        *,
        kept: bool = False,
    ) -> None:
        self._folder, self._form, self._rotation = folder, form, rotation
        self._schema, self._metadata = schema, dict(metadata)
        self.files = self.complete_rows = 0
        self._given = 0
        self._interval: int | None = None
        self._kept, self._opened = kept, False
        self._waiting: list[AtomicFile] = []  # complete, and not yet covered by a checkpoint
        try:
            folder.mkdir(exist_ok=True)
            if not kept:
                self._begin()
        except OSError as problem:
            raise output_error(str(folder), problem) from problem

    def _begin(self) -> None:
        remove_leftovers(self._folder, BEGIN)
        self._number = max(
            (int(found[1]) for path in self._folder.iterdir() if (found := NUMBER.match(path.name))), default=0
        )
        self._open_file()

    def prepare(self, metadata: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Complete the file that is being written, if it has rows; those that are complete wait to appear."""
        try:
            if self._rows or metadata is not None:
                self._close_file(metadata)
                self._open_file()
            waiting = [file.sync() for file in self._waiting]
        except OutputError as problem:
            self.abort()
            raise self._told(problem) from problem
        return {
            "waiting": [[file["temporary"], Path(file["file"]).name] for file in waiting],
            "number": self._number,
            "interval": self._interval,
            "given": self._given,
            "files": self.files,
            "complete_rows": self.complete_rows,
        }

    def publish(self) -> None:
        """Let the files appear that a checkpoint covers."""
        for file in self._waiting:
            file.commit()
        self._waiting.clear()

    def resume(self, state: Mapping[str, Any] | None) -> None:
        """Let appear what the checkpoint covers and had no time to; what was written after it is taken away."""
        try:
            if state is None:
                self._begin()
                return
            appear(self._folder, state["waiting"])
            remove_leftovers(self._folder, BEGIN)
        except OSError as problem:
            raise output_error(str(self._folder), problem) from problem
        self._number, self._interval = int(state["number"]) - 1, state["interval"]
        self._given, self.files, self.complete_rows = (int(state[name]) for name in ("given", "files", "complete_rows"))
        self._open_file()

    @property
    def delivered(self) -> Delivered:
        """What became of the rows so far."""
        return Delivered(given=self._given, delivered=self.complete_rows, dropped=0, files=self.files)

    def write(self, batch: pa.RecordBatch) -> None:
        """Take one batch; files that are full appear."""
        self._given += batch.num_rows
        try:
            for interval, part in self._by_interval(batch):
                if self._rows and interval != self._interval:
                    self._next_file()
                self._interval = interval
                for piece in self._pieces(part):
                    self._sink.write(piece)
                    self._rows += piece.num_rows
                    self._note_times(piece)
        except OutputError as problem:
            self.abort()
            raise self._told(problem) from problem

    def finish(self, metadata: Mapping[str, str] | None = None) -> None:
        """Let the last file appear; of a run without rows the only one, with none."""
        try:
            if self._kept and self.files and not self._rows:
                self.publish()
                self.abort()  # what was opened behind the last checkpoint
                return
            self._close_file(metadata)
            self.publish()
        except OutputError as problem:
            self.abort()
            raise self._told(problem) from problem

    def abort(self) -> None:
        """Leave nothing of the file that is being written; those that appeared, or are about to, stay."""
        for file in self._waiting:
            file.abort()
        if self._opened:
            self._sink.abort()
            self._file.abort()

    def _open_file(self) -> None:
        self._opened = True
        self._number += 1
        self._rows = 0
        self._first: int | None = None
        self._last: int | None = None
        suffix = SUFFIXES.get(self._form, self._form)
        self._file = AtomicFile(self._folder / f"{BEGIN}{self._number:08}.{suffix}")
        try:
            self._file.hold()
            self._sink: Sink = open_sink(self._form, cast("IO[bytes]", self._file.file), self._schema, self._metadata)
        except OSError as problem:
            self._file.abort()
            raise output_error(str(self._folder), problem) from problem
        except BaseException:
            self._file.abort()
            raise
        if self._rotation.octets is not None and isinstance(self._sink, ParquetSink):
            self._sink.group_octets = max(self._rotation.octets // PART, LEAST_OCTETS // PART)

    def _close_file(self, metadata: Mapping[str, str] | None) -> None:
        self._sink.finish(metadata)
        span = "-".join("none" if time is None else _written(time) for time in (self._first, self._last))
        suffix = SUFFIXES.get(self._form, self._form)
        self._file.rename(f"{BEGIN}{self._number:08}-{span}.{suffix}")
        if self._kept:
            self._file.sync()
            if len(self._waiting) >= MOST_OPEN:
                self._file.let_go()
            self._waiting.append(self._file)
        else:
            self._file.commit()
        self.files += 1
        self.complete_rows += self._rows
        self._rows = 0

    def _next_file(self) -> None:
        self._close_file(None)
        self._open_file()

    def _by_interval(self, batch: pa.RecordBatch) -> Iterator[tuple[int | None, pa.RecordBatch]]:
        """Give a batch in parts that end in one interval each: that of the latest record so far."""
        every = self._rotation.every_ns
        if every is None or batch.num_rows == 0:
            yield self._interval, batch
            return
        ends = pc.fill_null(batch.column("time_end").cast(pa.int64()), np.iinfo(np.int64).min)
        reached = np.maximum.accumulate(ends.to_numpy(zero_copy_only=False) // every)
        if self._interval is not None:
            reached = np.maximum(reached, self._interval)
        starts = [0, *(np.flatnonzero(np.diff(reached)) + 1).tolist(), batch.num_rows]
        for start, end in pairwise(starts):
            yield int(reached[start]), batch.slice(start, end - start)

    def _pieces(self, part: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """Give a part in pieces that fit; a file that is full appears before the next piece."""
        rows, octets = self._rotation.rows, self._rotation.octets
        step = part.num_rows
        if octets is not None and part.nbytes:
            step = max(1, part.num_rows * (octets // PART) // part.nbytes)
        while part.num_rows:
            full = rows is not None and self._rows >= rows
            if self._rows and (full or (octets is not None and self._file.file.tell() >= octets)):
                self._next_file()
            take = min(step, part.num_rows if rows is None else rows - self._rows)
            yield part.slice(0, take)
            part = part.slice(take)

    def _note_times(self, piece: pa.RecordBatch) -> None:
        first, last = (_extreme(piece, name) for name in ("time_start", "time_end"))
        self._first = min((time for time in (self._first, first[0]) if time is not None), default=None)
        self._last = max((time for time in (self._last, last[1]) if time is not None), default=None)

    def _told(self, problem: OutputError) -> OutputError:
        lost = self._given - self.complete_rows
        return OutputError(
            f"{problem}; {self.files:,} files with {self.complete_rows:,} rows are complete, {lost:,} rows are lost"
        )


def parts(folder: Path) -> list[Path]:
    """Give the files that a run left in a folder, in the order of writing.

    Parameters
    ----------
    folder : Path
        That ``-o`` named.

    Returns
    -------
    list of Path
        ``flows.parquet`` or ``flows.arrow`` alone, else the Parquet or Arrow files that were written one after the
        other; empty where none are.
    """
    for name in ("flows.parquet", "flows.arrow"):
        if (folder / name).is_file():
            return [folder / name]
    found = [path for path in folder.glob(f"{BEGIN}*") if path.suffix in (".parquet", ".arrows") and path.is_file()]
    return sorted(found, key=_order)


def _order(path: Path) -> tuple[int, str]:
    found = NUMBER.match(path.name)
    return int(found[1]) if found else 0, path.name


def _extreme(piece: pa.RecordBatch, name: str) -> tuple[Any, Any]:
    found = pc.min_max(piece.column(name).cast(pa.int64()))
    return found["min"].as_py(), found["max"].as_py()


def _written(time_ns: int) -> str:
    """Give an instant as names have it: no octet that a file system refuses, microseconds, UTC."""
    whole = datetime.fromtimestamp(time_ns // 1_000_000_000, UTC)
    return f"{whole:%Y%m%dT%H%M%S}.{time_ns % 1_000_000_000 // 1000:06}Z"

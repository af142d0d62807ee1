"""What the driver tells tasks, and what they answer: plain values, as JSON, whatever engine carries them."""

from __future__ import annotations

from typing import Any

import msgspec

from flowclass.distributed.piece import Piece
from flowclass.types import SourceReport

WORK = ".flowclass-work"
"""Folder in the output for what tasks hand to one another; removed at the end."""
REGISTRY = f"{WORK}/registry.fcr"
POLICY = f"{WORK}/policy.toml"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What is the same for all tasks of a run.

    Parameters
    ----------
    output : str
        Path or URL of the folder that the run writes.
    partitions : int
        Among which address pairs at borders are spread.
    engine : dict of str to int or bool
        Fields of `EngineOptions`, without the key.
    key : bytes, optional
        Crypto-PAn's.
    registry, policy : bool
        Whether the folder has one.
    metadata : dict of str to str
        Of every file of records.
    """

    output: str
    partitions: int
    engine: dict[str, int | bool]
    key: bytes | None = None
    registry: bool = False
    policy: bool = False
    metadata: dict[str, str] = {}


class Scan(msgspec.Struct, frozen=True, kw_only=True, tag="scan"):
    """Classify a piece, but for what lies near its borders.

    Parameters
    ----------
    settings : Settings
        Of the run.
    piece : Piece
        What to read.
    slack_ns : int
        By which the piece may overlap its neighbours in time, ns.
    """

    settings: Settings
    piece: Piece
    slack_ns: int


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """What a piece left at its borders.

    Parameters
    ----------
    number : int
        Of the piece.
    clock_ns : int or None
        Greatest time in all pieces before, ns since 1970 UTC.
    frames_before : int
        Of the same file, in the ranges before.
    """

    number: int
    clock_ns: int | None
    frames_before: int = 0


class Join(msgspec.Struct, frozen=True, kw_only=True, tag="join"):
    """Classify what the pieces of a stream left, for the address pairs of one partition.

    Parameters
    ----------
    settings : Settings
        Of the run.
    number : int
        Of the file of records.
    point : str
        The capture point.
    partition : int
        Whose pairs.
    left : tuple of Left
        In the order of the stream.
    end_ns : int or None
        Greatest time in all pieces, ns since 1970 UTC.
    """

    settings: Settings
    number: int
    point: str
    partition: int
    left: tuple[Left, ...]
    end_ns: int | None


class Renumber(msgspec.Struct, frozen=True, kw_only=True, tag="renumber"):
    """Write the records of a range with the frame numbers of the whole file.

    Parameters
    ----------
    settings : Settings
        Of the run.
    number : int
        Of the piece.
    frames_before : int
        In the ranges before.
    """

    settings: Settings
    number: int
    frames_before: int


Task = Scan | Join | Renumber


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a task.

    Parameters
    ----------
    flows : int
        Records written.
    groups : list of (list of str or None, int)
        Flows by the keys of `Tally`.
    counters : dict
        Of the engine.
    reports : list of SourceReport
        One for each file of the piece, in the order of the piece.
    firsts : list of int or None
        Of their first packets, ns since 1970 UTC.
    packets, carried : int
        Frames in the piece, and those left at its borders.
    time_first, time_least, time_greatest : int or None
        Of the first packet, and of all, ns since 1970 UTC.
    slack_ns : int or None
        That a piece was scanned with.
    """

    flows: int = 0
    groups: list[tuple[list[str | None], int]] = []
    counters: dict[str, Any] = {}
    reports: list[SourceReport] = []
    firsts: list[int | None] = []
    packets: int = 0
    carried: int = 0
    time_first: int | None = None
    time_least: int | None = None
    time_greatest: int | None = None
    slack_ns: int | None = None


def records_name(number: int, what: str) -> str:
    """Give the name of a file of records, sorted by number."""
    return f"flows-{number:08d}-{what}.parquet"


def carried_name(number: int) -> str:
    """Give the name of the file with what a piece left."""
    return f"{WORK}/carried-{number:08d}.arrow"


def range_name(number: int) -> str:
    """Give the name of the records of a range before its frames are numbered."""
    return f"{WORK}/range-{number:08d}.parquet"

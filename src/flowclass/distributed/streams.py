"""Takes scanned pieces. Gives the streams that they are of, in order, and says which pieces must be read again to fit.

A piece fits when no packet of the pieces before and after is nearer in time than it was told (its slack), and a range
when the range before it ended exactly where it begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from flowclass.distributed.messages import Done, Left
from flowclass.distributed.piece import Piece


@dataclass
class Stream:
    """The pieces of one capture point, in the order of their first packets.

    Parameters
    ----------
    point : str
        Its name.
    pieces : list of Piece
        Those that could be read.
    left : list of Left
        One for each of them.
    end_ns : int or None
        Greatest time of all, ns since 1970 UTC.
    """

    point: str
    pieces: list[Piece] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    end_ns: int | None = None

    def is_range(self, number: int) -> bool:
        """Say whether a piece is a range of a file."""
        return any(piece.number == number and piece.start is not None for piece in self.pieces)


def streams_of(pieces: Iterable[Piece], scanned: Mapping[int, Done]) -> list[Stream]:
    """Put the pieces that could be read into their streams: by first packet, those without one last, as a run does."""
    streams: dict[str, Stream] = {}
    for piece in pieces:
        if piece.number in scanned:
            streams.setdefault(piece.point, Stream(piece.point)).pieces.append(piece)
    firsts = _piece_firsts(pieces, scanned)
    for stream in streams.values():
        # The ranges of a file stay together: a file is read from its beginning to its end.
        stream.pieces.sort(key=lambda piece: in_order(firsts[piece.files[0].number]))
        frames: dict[int, int] = {}
        for piece in stream.pieces:
            done = scanned[piece.number]
            stream.left.append(
                Left(
                    number=piece.number,
                    clock_ns=stream.end_ns,
                    frames_before=frames.get(piece.files[0].number, 0) if piece.start is not None else 0,
                )
            )
            if piece.start is not None:
                frames[piece.files[0].number] = frames.get(piece.files[0].number, 0) + done.packets
            stream.end_ns = _greater(stream.end_ns, done.time_greatest)
    return list(streams.values())


@dataclass
class Mended:
    """Ranges that are read again as one, since the place between them was no record's beginning.

    Parameters
    ----------
    longer : dict of int to Piece
        What takes the place of a range, by its number.
    gone : set of int
        Numbers of those that are part of one before them now.
    """

    longer: dict[int, Piece] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.longer)


def mend(pieces: Sequence[Piece], scanned: Mapping[int, Done]) -> Mended:
    """Find ranges that did not end where the next one begins.

    A range that was mended before takes all that follow in its file: then the file itself is broken there, and a run
    that reads it from its beginning stops at that place.
    """
    mended = Mended()
    for place, piece in enumerate(pieces):
        done = scanned.get(piece.number)
        if piece.start is None or piece.number in mended.gone or done is None or not done.reports:
            continue
        rest = [later for later in pieces[place + 1 :] if later.files == piece.files]
        if not rest or done.reports[0].problem not in ("cut", "garbled"):
            continue
        was_mended = rest[0].number > piece.number + 1
        taken = rest if was_mended else rest[:1]
        mended.longer[piece.number] = msgspec.structs.replace(piece, end=taken[-1].end)
        mended.gone |= {later.number for later in taken}
    return mended


def fit(streams: Iterable[Stream], scanned: Mapping[int, Done]) -> list[tuple[int, Sequence[Piece]]]:
    """Say which pieces must be read again, and with which slack.

    Parameters
    ----------
    streams : iterable of Stream
        In order.
    scanned : mapping of int to Done
        What is known of their pieces, and the slack that they were scanned with.
    """
    again: dict[int, list[Piece]] = {}
    for stream in streams:
        later = _least_later([scanned[piece.number] for piece in stream.pieces])
        for piece, left, after in zip(stream.pieces, stream.left, later, strict=True):
            done = scanned[piece.number]
            needed = 0
            if left.clock_ns is not None and done.time_first is not None:
                needed = max(needed, left.clock_ns - done.time_first)
            if after is not None and done.time_greatest is not None:
                needed = max(needed, done.time_greatest - after)
            if needed > (done.slack_ns or 0):
                again.setdefault(needed, []).append(piece)
    return list(again.items())


def _least_later(dones: Sequence[Done]) -> list[int | None]:
    """Give for each piece the least time in all pieces after it."""
    out: list[int | None] = []
    least: int | None = None
    for done in reversed(dones):
        out.append(least)
        if done.time_least is not None:
            least = done.time_least if least is None else min(least, done.time_least)
    return out[::-1]


def in_order(first: int | None) -> tuple[bool, int]:
    """Give what files are sorted by: the time of the first packet, those without one last."""
    return first is None, first or 0


def _piece_firsts(pieces: Iterable[Piece], scanned: Mapping[int, Done]) -> dict[int, int | None]:
    """Give the time of the first packet of each piece, and of the file of each range, by its first file."""
    firsts: dict[int, int | None] = {}
    for piece in pieces:
        done, number = scanned.get(piece.number), piece.files[0].number
        if firsts.get(number) is None:
            firsts[number] = None if done is None else done.time_first
    return firsts


def _greater(left: int | None, right: int | None) -> int | None:
    return right if left is None else left if right is None else max(left, right)

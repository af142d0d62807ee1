"""Takes pieces of one small file each. Gives pieces of several: a task over each costs more than reading it.

Files that follow one another as they were given are put together. Once they were scanned it is known when each begins;
a piece whose files do not follow one another in the stream is taken apart, and its files are put together anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from flowclass.distributed.messages import Done
from flowclass.distributed.piece import File, Piece
from flowclass.distributed.streams import in_order

MOST_FILES = 256
"""In one piece."""


def grouped(pieces: Iterable[Piece], most_octets: int) -> list[Piece]:
    """Put files that follow one another in one capture point together, up to so many octets.

    Parameters
    ----------
    pieces : iterable of Piece
        A file or a range each, in the order given.
    most_octets : int
        Of the files of a piece; 0 leaves them alone.
    """
    open_groups: dict[str, list[Piece]] = {}
    made: list[list[Piece]] = []
    for piece in pieces:
        group = open_groups.get(piece.point)
        if group is None or piece.start is not None or not _has_room(group, piece, most_octets):
            group = open_groups[piece.point] = []
            made.append(group)
        group.append(piece)
        if piece.start is not None:
            del open_groups[piece.point]
    return [
        msgspec.structs.replace(group[0], number=number, files=tuple(piece.files[0] for piece in group))
        for number, group in enumerate(made)
    ]


def _has_room(group: Sequence[Piece], piece: Piece, most_octets: int) -> bool:
    octets = sum(other.octets for other in group)
    return len(group) < MOST_FILES and octets + piece.octets <= most_octets


@dataclass
class Regrouped:
    """Pieces that others take the place of.

    Parameters
    ----------
    gone : list of Piece
        No more.
    made : list of Piece
        With their files, under new numbers.
    """

    gone: list[Piece] = field(default_factory=list)
    made: list[Piece] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.gone)


def regroup(pieces: Sequence[Piece], scanned: Mapping[int, Done], most_octets: int, next_number: int) -> Regrouped:
    """Take apart the pieces that failed, file by file, and those whose files do not follow one another in the stream.

    Parameters
    ----------
    pieces : sequence of Piece
        All of them.
    scanned : mapping of int to Done
        What is known of those that did not fail, by their numbers.
    most_octets : int
        Of a new piece.
    next_number : int
        Of the first one.
    """
    out = Regrouped()
    failed = [piece for piece in pieces if len(piece.files) > 1 and piece.number not in scanned]
    parts: list[tuple[Piece, tuple[File, ...]]] = [(piece, (file,)) for piece in failed for file in piece.files]
    out.gone += failed
    for point in {piece.point: None for piece in pieces}:
        mine = [piece for piece in pieces if piece.point == point and piece.number in scanned]
        mixed, again = _mixed(mine, scanned, most_octets)
        out.gone += mixed
        parts += [(mixed[0], files) for files in again]
    out.made = [
        Piece(number=next_number + count, files=files, point=piece.point) for count, (piece, files) in enumerate(parts)
    ]
    return out


def _mixed(
    pieces: Sequence[Piece], scanned: Mapping[int, Done], most_octets: int
) -> tuple[list[Piece], list[tuple[File, ...]]]:
    """Find the pieces of a stream that another one's files come between; give their files put together anew."""
    placed = sorted(_files_of(pieces, scanned), key=lambda entry: (in_order(entry[0]), entry[1].number))
    numbers = [piece.number for first, _, piece in placed if first is not None]
    runs = [number for place, number in enumerate(numbers) if place == 0 or numbers[place - 1] != number]
    broken = {number for number, times in Counter(runs).items() if times > 1}
    mixed = [piece for piece in pieces if piece.number in broken and len(piece.files) > 1]
    loose = {piece.number for piece in mixed}
    again: list[list[File]] = []
    together = False
    for _, file, piece in placed:
        if piece.number not in loose:
            together = False
            continue
        octets = sum(other.octets for other in again[-1]) if together else 0
        if not together or len(again[-1]) >= MOST_FILES or octets + file.octets > most_octets:
            again.append([])
        again[-1].append(file)
        together = True
    return mixed, [tuple(sorted(files, key=lambda file: file.number)) for files in again]


def _files_of(pieces: Iterable[Piece], scanned: Mapping[int, Done]) -> Iterator[tuple[int | None, File, Piece]]:
    """Give each file with when it begins; of a file that was cut the first range stands for all."""
    seen: set[int] = set()
    for piece in pieces:
        for file, first in zip(piece.files, scanned[piece.number].firsts, strict=True):
            if file.number not in seen:
                seen.add(file.number)
                yield first, file, piece

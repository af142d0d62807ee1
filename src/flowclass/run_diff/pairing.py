"""Takes the rows of two runs as they come. Gives pairs of rows with one flow id, and at the end what has no partner.

The k-th row of an id in one run goes with the k-th in the other. Kept in memory are the rows that wait for a partner:
few where both runs have about the same order, whatever their length.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MOST_WAITING = 131_072


class Pairs:
    """Brings the rows of two runs together.

    Parameters
    ----------
    first, second : iterator of pyarrow.Table
        With ``flow_id``.

    Attributes
    ----------
    alone : list of (pyarrow.Table or None)
        For each run the rows without a partner, in their order, once all pairs were given.
    """

    def __init__(self, first: Iterator[Any], second: Iterator[Any]) -> None:
        self._from = [first, second]
        self._open = [True, True]
        self.alone: list[Any] = [None, None]
        self._fresh = 0

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        """Give tables of equal length, whose rows are pairs."""
        while any(self._open):
            self._read()
            yield from self._begin()
            if self._fresh > max(MOST_WAITING, self._rows(0) + self._rows(1) - self._fresh):
                yield from self._joined()
        yield from self._joined()

    def _rows(self, side: int) -> int:
        return 0 if self.alone[side] is None else int(self.alone[side].num_rows)

    def _read(self) -> None:
        """Take a table of the run that has less in waiting."""
        import pyarrow as pa

        side = 0 if self._rows(0) <= self._rows(1) else 1
        if not self._open[side]:
            side = 1 - side
        table = next(self._from[side], None)
        if table is None:
            self._open[side] = False
            return
        kept = self.alone[side]
        self.alone[side] = table if kept is None or kept.num_rows == 0 else pa.concat_tables([kept, table])
        self._fresh += table.num_rows

    def _begin(self) -> Iterator[tuple[Any, Any]]:
        """Give the rows with which both begin, as long as their ids are the same."""
        import pyarrow.compute as pc

        count = min(self._rows(0), self._rows(1))
        if count == 0:
            return
        one, other = (table.slice(0, count) for table in self.alone)
        same = pc.equal(one["flow_id"], other["flow_id"])
        differing = pc.index(same, False).as_py()
        equal = count if differing < 0 else differing
        if equal:
            yield one.slice(0, equal), other.slice(0, equal)
            self.alone = [table.slice(equal) for table in self.alone]
            self._fresh = max(self._fresh - 2 * equal, 0)

    def _joined(self) -> Iterator[tuple[Any, Any]]:
        """Give all pairs among what waits."""
        import numpy as np
        import pyarrow as pa

        self._fresh = 0
        if not (self._rows(0) and self._rows(1)):
            return
        rows = self._rows(0)
        ids = pa.concat_tables([table.select(["flow_id"]) for table in self.alone])["flow_id"]
        encoded = ids.cast(pa.large_string()).combine_chunks().dictionary_encode()
        codes = encoded.indices.to_numpy()
        sides = (codes[:rows], codes[rows:])
        counts = [np.bincount(side, minlength=len(encoded.dictionary)) for side in sides]
        paired = [_first_of_each(side, counts[1 - place]) for place, side in enumerate(sides)]
        if len(paired[0]):
            yield self.alone[0].take(pa.array(paired[0])), self.alone[1].take(pa.array(paired[1]))
        for place, taken in enumerate(paired):
            left = np.ones(len(sides[place]), bool)
            left[taken] = False
            self.alone[place] = self.alone[place].filter(pa.array(left)).combine_chunks()


def _first_of_each(codes: Any, most: Any) -> Any:
    """Give the places of the first ``most[code]`` rows of each code, by code and then in their order."""
    import numpy as np

    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    begins = np.searchsorted(ordered, ordered, side="left")
    rank = np.arange(len(codes)) - begins
    return order[rank < most[ordered]]

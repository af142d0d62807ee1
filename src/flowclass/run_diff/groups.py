"""Takes rows with their groups. Gives for each group how many flows, octets and different inside addresses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flowclass.report.inside import Inside
from flowclass.report.sums import Sums

MOST_CODE = 2**62


class Groups:
    """Counts by group, in memory that grows with the groups and their inside addresses alone.

    Parameters
    ----------
    inside : Inside
        What is inside.
    sides : int
        How many runs have octets of a row: 1 or 2.

    Attributes
    ----------
    keys : list of tuple of int
        Of each group.
    flows, octets, examples : list
        Of each group: flows, octets by side, and the lowest flow id.
    """

    def __init__(self, inside: Inside, sides: int) -> None:
        self.keys: list[tuple[int, ...]] = []
        self.flows: list[int] = []
        self.octets: list[list[int]] = []
        self.examples: list[bytes] = []
        self._inside = inside
        self._sides = sides
        self._places: dict[tuple[int, ...], int] = {}
        self._addresses = Sums(("group", "address"), {})

    def add(self, columns: Sequence[Any], octets: Sequence[Any], flow_ids: Any, addresses: Sequence[Any]) -> None:
        """Take rows.

        Parameters
        ----------
        columns : sequence of ndarray of int32
            What makes a group.
        octets : sequence of ndarray of uint64
            For each side.
        flow_ids : pyarrow.ChunkedArray of string
            Their ids.
        addresses : sequence of pyarrow.ChunkedArray of string
            Their ends.
        """
        import numpy as np
        import pyarrow as pa

        if len(flow_ids) == 0:
            return
        firsts, inverse = _grouped(columns)
        keys = [tuple(int(column[first]) for column in columns) for first in firsts]
        groups = np.array([self._place(key) for key in keys], np.int32)[inverse]
        order = np.argsort(inverse, kind="stable")
        starts = np.searchsorted(inverse[order], np.arange(len(firsts)))
        sums = [np.add.reduceat(side[order], starts) for side in octets]
        lowest = pa.TableGroupBy(
            pa.table({"group": pa.array(groups), "flow_id": flow_ids.cast(pa.binary())}), "group", use_threads=False
        ).aggregate([("flow_id", "min")])
        examples = dict(zip(lowest["group"].to_pylist(), lowest["flow_id_min"].to_pylist(), strict=True))
        for number, (key, count) in enumerate(zip(keys, np.bincount(inverse).tolist(), strict=True)):
            place = self._places[key]
            self.flows[place] += count
            for side in range(self._sides):
                self.octets[place][side] += int(sums[side][number])
            example = examples[place]
            self.examples[place] = min(self.examples[place], example) if self.examples[place] else example
        self._keep(pa.array(groups), addresses)

    def inside_addresses(self) -> list[int]:
        """Give how many different inside addresses each group has."""
        import pyarrow.compute as pc

        counts = [0] * len(self.keys)
        table = self._addresses.table()
        if table is not None:
            for row in pc.value_counts(table["group"].combine_chunks()).to_pylist():
                counts[row["values"]] = row["counts"]
        return counts

    def inside_of(self, groups: Sequence[int]) -> int:
        """Give how many different inside addresses some groups have together."""
        import pyarrow as pa
        import pyarrow.compute as pc

        table = self._addresses.table()
        if table is None:
            return 0
        wanted = pc.is_in(table["group"], value_set=pa.array(groups, pa.int32()))
        return int(pc.count_distinct(table["address"].filter(wanted)).as_py())

    def _place(self, key: tuple[int, ...]) -> int:
        place = self._places.setdefault(key, len(self.keys))
        if place == len(self.keys):
            self.keys.append(key)
            self.flows.append(0)
            self.octets.append([0] * self._sides)
            self.examples.append(b"")
        return place

    def _keep(self, groups: Any, addresses: Sequence[Any]) -> None:
        import pyarrow as pa

        for column in addresses:
            within = self._inside.mask(column)
            table = pa.table({"group": groups, "address": column}).filter(within)
            self._addresses.add(table)


def _grouped(columns: Sequence[Any]) -> tuple[Any, Any]:
    """Give the first row of each group, and the group of each row."""
    import numpy as np

    code = np.zeros(len(columns[0]), np.int64)
    size = 1
    for column in columns:
        here = int(column.max()) + 1
        if size > MOST_CODE // here:
            kept, code = np.unique(code, return_inverse=True)
            size = len(kept)
        code = code * here + column
        size *= here
    _, firsts, inverse = np.unique(code, return_index=True, return_inverse=True)
    return firsts, inverse

"""Takes tables of rows. Gives sums by key, merged as they come, so that only the groups are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MOST_WAITING = 262_144


class Sums:
    """Groups of rows with their sums.

    Parameters
    ----------
    keys : sequence of str
        Columns that make a group.
    kinds : mapping of str to {"sum", "min", "max", "first"}
        How each other column is brought together. ``first`` is that of the row that stands first by ``order``.
    order : sequence of (str, {"ascending", "descending"})
        Which row is the first of its group.
    """

    def __init__(self, keys: Sequence[str], kinds: Mapping[str, str], order: Sequence[tuple[str, str]] = ()) -> None:
        self._keys = list(keys)
        self._kinds = dict(kinds)
        self._order = list(order)
        self._waiting: list[Any] = []
        self._fresh = 0

    def add(self, table: Any) -> None:
        """Take rows; further columns are left out."""
        slim = table.select([*self._keys, *self._kinds])
        if slim.num_rows == 0 and self._waiting:
            return
        self._waiting.append(grouped(slim, self._keys, self._kinds, self._order))
        self._fresh += self._waiting[-1].num_rows
        if self._fresh > max(MOST_WAITING, self._waiting[0].num_rows):
            self._merge()

    def table(self) -> Any:
        """Give one row a group; None where no table came."""
        self._merge()
        return self._waiting[0] if self._waiting else None

    def _merge(self) -> None:
        import pyarrow as pa

        if len(self._waiting) > 1:
            self._waiting = [grouped(pa.concat_tables(self._waiting), self._keys, self._kinds, self._order)]
        self._fresh = 0


def grouped(table: Any, keys: Sequence[str], kinds: Mapping[str, str], order: Sequence[tuple[str, str]] = ()) -> Any:
    """Bring the rows of each group together; columns keep their names."""
    import pyarrow as pa

    if order:
        table = table.sort_by(list(order))
    made = pa.TableGroupBy(table, list(keys), use_threads=False).aggregate(list(kinds.items()))
    names = {f"{column}_{kind}": column for column, kind in kinds.items()}
    return made.rename_columns([names.get(name, name) for name in made.column_names]).select([*keys, *kinds])


def rows_of(table: Any) -> list[dict[str, Any]]:
    """Give rows as dicts; octets that are no UTF-8 become the replacement character.

    Examples
    --------
    >>> import pyarrow as pa
    >>> rows_of(pa.table({"a": ["x"], "b": [1]}))
    [{'a': 'x', 'b': 1}]
    """
    import pyarrow as pa

    columns = []
    for column in table.columns:
        values = column.cast(pa.binary()).to_pylist() if pa.types.is_string(column.type) else column.to_pylist()
        columns.append([value.decode("utf-8", "replace") if isinstance(value, bytes) else value for value in values])
    return [dict(zip(table.column_names, values, strict=True)) for values in zip(*columns, strict=True)]

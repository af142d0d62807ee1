"""Takes a table of flows and names of columns. Gives a matrix of float64, as scikit-learn and others take it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple

from flowclass.errors import ConfigError
from flowclass.features.literature import SETS, Derived
from flowclass.schema import feature_fields

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LIST_ITEMS = 16
"""Columns that a list makes: `splt_len` and its kind hold the first 16 packets."""
BASIC = (
    "duration_ns",
    "packets_fwd",
    "packets_rev",
    "bytes_fwd",
    "bytes_rev",
    "payload_bytes_fwd",
    "payload_bytes_rev",
)
OWN = "user_"


class Matrix(NamedTuple):
    """What `to_numpy` gives: the numbers, and what its columns are.

    Attributes
    ----------
    values : ndarray of float64, shape (n_flows, n_columns)
        NaN where a record has null.
    names : list of str
        Of the columns.

    Examples
    --------
    >>> import flowclass
    >>> values, names = flowclass.classify(flowclass.samples()).to_numpy(features=["bytes_fwd", "bytes_rev"])
    >>> values.shape == (len(values), 2), str(values.dtype), names
    (True, 'float64', ['bytes_fwd', 'bytes_rev'])
    """

    values: NDArray[np.float64]
    names: list[str]


def matrix(table: Any, features: Sequence[str] | str | None) -> Matrix:
    """Make a matrix of a table of flows.

    Parameters
    ----------
    table : pyarrow.Table
        Flow records.
    features : sequence of str, or str, optional
        Columns of numbers, times or lists of numbers; or the name of a set of the literature; by default duration,
        packets and octets, the feature columns and those of users' functions, as far as the table has them: nothing
        that names a host, a port or a moment.

    Raises
    ------
    ConfigError
        When a column is not there or holds no numbers.
    """
    import numpy as np

    wanted = default_features(table.schema.names) if features is None else features
    if not wanted or (isinstance(wanted, str) and wanted not in SETS):
        raise ConfigError(
            f"features = {features!r} is not permitted: give a list of columns, or one of the sets {', '.join(SETS)}"
        )
    if isinstance(wanted, str):
        names, columns = list(SETS[wanted]), _of_set(table, SETS[wanted])
    else:
        pairs = [pair for name in wanted for pair in _columns(table, name)]
        names, columns = [label for label, _ in pairs], [column for _, column in pairs]
    values = np.empty((table.num_rows, len(columns)), np.float64)
    for place, column in enumerate(columns):
        values[:, place] = column
    return Matrix(values, names)


def _of_set(table: Any, derived: Mapping[str, Derived]) -> list[Any]:
    """Give the columns of a set; each column of the record that they are made of is read once."""

    class Columns(dict[str, Any]):
        def __missing__(self, name: str) -> Any:
            ((_, column),) = _columns(table, name)
            self[name] = column.astype(np.float64)
            return self[name]

    import numpy as np

    columns = Columns()
    return [one.make(columns) for one in derived.values()]


def default_features(there: Sequence[str]) -> list[str]:
    """Give the columns that are taken where none are named."""
    known = {*BASIC, *(str(column["name"]) for column in feature_fields() if not column["type"].startswith("list"))}
    return [name for name in there if name in known or name.startswith(OWN)]


def _columns(table: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Give the columns of floats that a column makes, with their names."""
    import numpy as np
    import pyarrow as pa

    if name not in table.schema.names:
        near = get_close_matches(name, table.schema.names, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        more = ": only runs with features have it" if name in {one["name"] for one in feature_fields()} else hint
        raise ConfigError(f"the flows have no column {name}{more}")
    kind = table.schema.field(name).type
    column = table.column(name).combine_chunks()
    if pa.types.is_list(kind) and (pa.types.is_integer(kind.value_type) or pa.types.is_floating(kind.value_type)):
        offsets = column.offsets.to_numpy()
        counts = np.diff(offsets)
        items = column.values.to_numpy(zero_copy_only=False).astype(np.float64)
        for item in range(LIST_ITEMS):
            out = np.full(len(column), np.nan)
            has = counts > item
            out[has] = items[offsets[:-1][has] + item]
            yield f"{name}[{item}]", out
        return
    if pa.types.is_timestamp(kind):
        column, kind = column.cast(pa.int64()), pa.int64()
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise ConfigError(f"column {name} is {kind}: a matrix holds numbers; encode it yourself, or leave it out")
    # Integers with nulls come as floats, with NaN for null.
    yield name, column.to_numpy(zero_copy_only=False)

"""Takes columns of a batch. Gives them in forms that text formats can hold.

Times become RFC 3339 with nanoseconds, dictionaries their values; lists and structs keep their shape.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

# Made of octets: pa.array and pa.scalar import pandas, where it is installed, to ask whether they were given some.
_ZERO: Any = pa.Array.from_buffers(pa.int32(), 1, [None, pa.py_buffer(bytes(4))])


def plain(column: Any) -> Any:
    """Give a column without dictionaries and times.

    Parameters
    ----------
    column : pyarrow.Array
        Of any type in the schema.

    Returns
    -------
    pyarrow.Array
        Numbers, booleans, strings, and lists and structs of these.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        return plain(column.cast(kind.value_type))
    if pa.types.is_timestamp(kind):
        return pc.strftime(column.cast(pa.timestamp("ns")), format="%Y-%m-%dT%H:%M:%SZ")
    if pa.types.is_struct(kind):
        members = [plain(member) for member in column.flatten()]
        names = [kind.field(index).name for index in range(kind.num_fields)]
        return pa.StructArray.from_arrays(members, names, mask=column.is_null())
    if pa.types.is_list(kind):
        if column.offset:
            column = pa.concat_arrays([column])
        ends = pc.cumulative_sum(pc.coalesce(pc.list_value_length(column), _ZERO[0])).cast(pa.int32())
        offsets = pa.concat_arrays([_ZERO, ends])
        return pa.ListArray.from_arrays(offsets, plain(column.flatten()), mask=column.is_null())
    return column


def rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Give a batch as one dict a row, in the order of the schema; null is None.

    Examples
    --------
    >>> rows(pa.record_batch({"a": [1, None]}))
    [{'a': 1}, {'a': None}]
    """
    names = batch.schema.names
    columns = [plain(column).to_pylist() for column in batch.columns]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]

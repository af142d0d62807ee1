"""Takes tables that figures are made of, and a key. Gives them with other addresses and flow ids, without hosts' names.

Which end of a flow is inside was asked of the real addresses before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flowclass.anonymize import CryptoPan
from flowclass.errors import SchemaError

RUN = "RUN"
"""What stands for the name of the run's file, which may be called after an address."""


def with_stand_ins(table: Any, key: CryptoPan | None) -> Any:
    """Put stand-ins in place of what would give addresses away.

    Parameters
    ----------
    table : pyarrow.Table
        With any of the columns ``address``, ``host``, ``flow_id`` and ``server_name``.
    key : CryptoPan or None
        The key; None = as it is.

    Raises
    ------
    SchemaError
        When a text is no address or flow id.
    """
    import pyarrow as pa

    if key is None:
        return table
    for name, replace in (("address", key.addresses), ("host", key.addresses), ("flow_id", key.flow_ids)):
        if name in table.column_names:
            table = table.set_column(table.column_names.index(name), name, _replaced(table[name], replace))
    if "server_name" in table.column_names:
        place = table.column_names.index("server_name")
        table = table.set_column(place, "server_name", pa.nulls(table.num_rows, table["server_name"].type))
    return table


def _replaced(column: Any, replace: Callable[[Sequence[str | None]], list[str | None]]) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    different = pc.unique(column)
    try:
        made = pa.array(replace(different.to_pylist()), pa.string())
    except ValueError as problem:
        raise SchemaError(f"the records cannot be anonymised: {problem}; classify the capture again") from None
    return made.take(pc.index_in(column, value_set=different).combine_chunks())

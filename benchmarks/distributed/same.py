"""Says whether two runs left the same records, whatever their order, column for column."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from flowclass.pipeline.records import Records

_ORDER = ("flow_id", "segment", "source_file", "packet_first")


def table_of(place: Path) -> pa.Table:
    """Read the records of a run, in an order of their own."""
    records = Records(place, 1 << 16)
    table = pa.Table.from_batches(list(records), records.schema)
    plain = [
        pc.cast(column, pa.string()) if pa.types.is_dictionary(column.type) else column for column in table.columns
    ]
    table = pa.table(plain, names=table.schema.names)
    return table.sort_by([(name, "ascending") for name in _ORDER]).combine_chunks()


def differences(left: pa.Table, right: pa.Table) -> list[str]:
    """Name the columns that differ; ``rows`` where their number does."""
    if left.num_rows != right.num_rows:
        return ["rows"]
    return [name for name in left.schema.names if not _equal(left.column(name), right.column(name))]


def _equal(left: Any, right: Any) -> bool:
    return bool(left.equals(right))

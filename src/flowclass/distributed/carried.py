"""Takes what engines over pieces have left at their borders. Gives it to other tasks, by address pair, as files.

One Arrow file a piece, with a batch for each partition in the order of partitions, so that a task reads its own alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from flowclass.distributed.storage import Folder, shown
from flowclass.engine import Carried
from flowclass.errors import SourceError
from flowclass.sources import Part

_COLUMNS = ("times", "clocks", "frames", "wire_lengths", "link_types")
_TYPES = dict(zip(_COLUMNS, ("int64", "int64", "uint64", "uint32", "uint32"), strict=True)) | {"octets": "large_binary"}


def save(packets: Carried, path: Path, partitions: int) -> None:
    """Write the packets of a piece.

    Parameters
    ----------
    packets : Carried
        Of the piece.
    path : Path
        The file.
    partitions : int
        Among which address pairs are spread.
    """
    import pyarrow as pa

    table = _table(packets)
    places = packets.partitions % np.uint32(partitions)
    order = np.argsort(places, kind="stable")
    ends = np.searchsorted(places[order], np.arange(partitions + 1, dtype=np.uint32))
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema, options=options) as writer:
        for partition in range(partitions):
            rows = order[ends[partition] : ends[partition + 1]]
            writer.write_batch(
                table.take(pa.array(rows)).combine_chunks().to_batches()[0] if len(rows) else _none(table)
            )


def load(folder: Folder, name: str, partition: int) -> Carried:
    """Read one partition of what a piece left.

    Raises
    ------
    SourceError
        When the file is not what `save` wrote.
    """
    import pyarrow as pa

    try:
        with folder.open(name) as file:
            batch = pa.ipc.open_file(file).get_batch(partition)
            batch.validate(full=True)
            return _carried(batch)
    except (OSError, ValueError, LookupError, MemoryError, pa.ArrowException) as problem:
        raise SourceError(
            f"{shown(folder.place)}/{name}: what a piece left cannot be read: {problem}; run again"
        ) from problem


class CarriedSource:
    """What the pieces of a stream left for one partition, as a source.

    Parameters
    ----------
    name : str
        The stream, for people.
    parts : iterable of Part
        In the order of the stream.
    end_ns : int or None
        Greatest time in all pieces, ns since 1970 UTC.
    """

    def __init__(self, name: str, parts: Iterator[Part], end_ns: int | None) -> None:
        self.name = name
        self.end_ns = end_ns
        self._parts = parts

    def parts(self) -> Iterator[Part]:
        """Give what was left, piece after piece."""
        return self._parts


def _table(packets: Carried) -> Any:
    import pyarrow as pa

    columns = {name: pa.array(getattr(packets, name)) for name in _COLUMNS}
    columns["octets"] = pa.Array.from_buffers(
        pa.large_binary(), len(packets.times), [None, pa.py_buffer(packets.offsets), pa.py_buffer(packets.octets)]
    )
    return pa.table(columns)


def _none(table: Any) -> Any:
    import pyarrow as pa

    return pa.RecordBatch.from_pylist([], schema=table.schema)


def _carried(batch: Any) -> Carried:
    """Give the columns of a batch, whose octets are sound but may be anybody's."""
    if {name: str(batch.schema.field(name).type) for name in batch.schema.names} != _TYPES:
        raise ValueError(f"it has the columns {', '.join(batch.schema.names)}")
    if any(column.null_count for column in batch.columns):
        raise ValueError("a value is missing")
    octets = batch.column("octets")
    columns = {name: np.ascontiguousarray(batch.column(name).to_numpy(zero_copy_only=False)) for name in _COLUMNS}
    bounds, held = np.zeros(1, np.int64), np.zeros(0, np.uint8)
    if len(octets):
        _, offsets, data = octets.buffers()
        bounds = np.frombuffer(offsets, np.int64)[octets.offset : octets.offset + len(octets) + 1]
        held = np.frombuffer(data, np.uint8) if data is not None and data.size else held
    return Carried(**columns, partitions=np.zeros(0, np.uint32), offsets=np.ascontiguousarray(bounds), octets=held)

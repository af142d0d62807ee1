"""Takes what engines over pieces have left at their borders. Gives it to other tasks, by address pair, as files.

One Arrow file a piece, with a batch for each partition in the order of partitions, so that a task reads its own alone.
Its schema names the files of the piece, in the order read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from flowclass.distributed.storage import Folder, shown
from flowclass.engine import Carried
from flowclass.errors import SourceError
from flowclass.sources import Part

_COLUMNS = ("times", "clocks", "frames", "sources", "wire_lengths", "link_types")
_TYPES = dict(zip(_COLUMNS, ("int64", "int64", "uint64", "uint32", "uint32", "uint32"), strict=True))
_TYPES["octets"] = "large_binary"
_FILES = b"flowclass.files"


def save(packets: Carried, path: Path, partitions: int, names: Sequence[str]) -> None:
    """Write the packets of a piece.

    Parameters
    ----------
    packets : Carried
        Of the piece.
    path : Path
        The file.
    partitions : int
        Among which address pairs are spread.
    names : sequence of str
        What stands in the column ``source_file`` for each source.
    """
    import pyarrow as pa

    batch = _batch(packets).replace_schema_metadata({_FILES: msgspec.json.encode(names)})
    places = packets.partitions % np.uint32(partitions)
    order = np.argsort(places, kind="stable")
    ends = np.searchsorted(places[order], np.arange(partitions + 1, dtype=np.uint32))
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, batch.schema, options=options) as writer:
        for partition in range(partitions):
            rows = order[ends[partition] : ends[partition + 1]]
            writer.write_batch(batch.take(_array(rows)) if len(rows) else batch.slice(0, 0))


def load(folder: Folder, name: str, partition: int) -> list[tuple[str, Carried]]:
    """Read one partition of what a piece left: by source, in the order read.

    Raises
    ------
    SourceError
        When the file is not what `save` wrote.
    """
    import pyarrow as pa

    try:
        with folder.open(name) as file:
            reader = pa.ipc.open_file(file)
            names = msgspec.json.decode((reader.schema.metadata or {})[_FILES], type=list[str])
            batch = reader.get_batch(partition)
            batch.validate(full=True)
            _check(batch)
            sources = _values(batch.column("sources"))
            bounds = [0, *(np.flatnonzero(np.diff(sources)) + 1).tolist(), len(sources)]
            return [
                (names[sources[start]], _carried(batch.slice(start, end - start)))
                for start, end in pairwise(bounds)
                if end > start
            ]
    except (OSError, ValueError, LookupError, MemoryError, pa.ArrowException, msgspec.DecodeError) as problem:
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


def _batch(packets: Carried) -> Any:
    import pyarrow as pa

    columns = {name: _array(getattr(packets, name)) for name in _COLUMNS}
    columns["octets"] = pa.Array.from_buffers(
        pa.large_binary(), len(packets.times), [None, pa.py_buffer(packets.offsets), pa.py_buffer(packets.octets)]
    )
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def _array(values: Any) -> Any:
    """Give a column of numpy's as one of Arrow's. pyarrow's own ways there and back import pandas, which takes long."""
    import pyarrow as pa

    values = np.ascontiguousarray(values)
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [None, pa.py_buffer(values)])


def _values(column: Any) -> Any:
    """Give a column of Arrow's without nulls as one of numpy's."""
    data = column.buffers()[1]
    kind = column.type.to_pandas_dtype()
    values = np.frombuffer(data, kind) if len(column) else np.zeros(0, kind)
    return values[column.offset : column.offset + len(column)]


def _check(batch: Any) -> None:
    """Raise where a batch, whose octets are sound but may be anybody's, has other columns."""
    if {name: str(batch.schema.field(name).type) for name in batch.schema.names} != _TYPES:
        raise ValueError(f"it has the columns {', '.join(batch.schema.names)}")
    if any(column.null_count for column in batch.columns):
        raise ValueError("a value is missing")


def _carried(batch: Any) -> Carried:
    """Give the columns of a batch that has a row."""
    octets = batch.column("octets")
    _, offsets, data = octets.buffers()
    bounds = np.frombuffer(offsets, np.int64)[octets.offset : octets.offset + len(octets) + 1]
    held = np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(0, np.uint8)
    columns = {name: _values(batch.column(name)) for name in _COLUMNS}
    return Carried(**columns, partitions=np.zeros(0, np.uint32), offsets=np.ascontiguousarray(bounds), octets=held)

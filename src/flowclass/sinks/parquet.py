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
# Numbers of 64 bits of which most flows have small ones.
_COUNTED = frozenset(f"{what}_{way}" for what in ("packets", "bytes", "payload_bytes") for way in ("fwd", "rev"))
# Of a check, some seven a flow: to look their values up takes longer than to compress them, for 2 % of the file.
_QUICKLY_WRITTEN = frozenset({"evidence.list.element.offset", "evidence.list.element.bits"})
# Least and greatest of random texts, of names that a file has nearly all of, and of a number of checks let no reader
# skip anything.
_UNRANGED = frozenset(
    {"flow_id", "community_id", "src_ip", "dst_ip", "conn_state", "end_reason", "direction_basis"}
    | {"protocol", "protocol_class", "variant", "tier", "evidence"}
)

# Values between two looks whether a page is full: looks at every 1,024 cost a tenth.
_AT_ONCE = 64 * 1024
_BUFFER = 1 << 20


def few_valued(schema: pa.Schema) -> list[str]:
    """Name the leaves of a Parquet file of this schema for which a dictionary is worth its making.

    Times, numbers of packets, 64-bit floats, octets and ids are not among them: the writer would collect their values,
    find them too many and begin anew. On 262,144 flows that and the level of compression take a fifth off the time,
    and the file is 4 % smaller.
    """
    return [path for path, kind in leaves(schema) if _is_few_valued(path, kind)]


def ranged(schema: pa.Schema) -> list[str]:
    """Name the leaves of which the least and the greatest value are told, of row groups and of pages."""
    return [path for path, _ in leaves(schema) if path.partition(".")[0] not in _UNRANGED]


def leaves(schema: pa.Schema) -> list[tuple[str, pa.DataType]]:
    """Name the leaves of a Parquet file of this schema, and say of which type each is."""
    return [leaf for field in schema for leaf in _leaves(field.type, field.name)]


def _leaves(kind: pa.DataType, path: str) -> Iterator[tuple[str, pa.DataType]]:
    if pa.types.is_struct(kind):
        for part in kind:
            yield from _leaves(part.type, f"{path}.{part.name}")
    elif pa.types.is_list(kind):
        yield from _leaves(kind.value_type, f"{path}.list.element")
    else:
        yield path, kind


def _is_few_valued(path: str, kind: pa.DataType) -> bool:
    if path in _COUNTED:
        return True
    if path in _DISTINCT or path in _QUICKLY_WRITTEN or pa.types.is_binary(kind):
        return False
    return not (pa.types.is_primitive(kind) and kind.bit_width == 64)


class Sink:
    """Writes one Parquet file. The row groups depend on the rows alone, not on how they were batched; pages do not.

    Attributes
    ----------
    group_octets : int or None
        A row group is written when the rows that wait for it take so much memory, even before it is full.
    """

    def __init__(self, target: Target, schema: pa.Schema, metadata: Mapping[str, str]) -> None:
        self._file = AtomicFile(target)
        self._stream = pa.BufferedOutputStream(pa.PythonFile(self._file.file, mode="w"), _BUFFER)
        self._writer: Any = None
        self._waiting: list[pa.RecordBatch] = []
        self._rows = 0
        self._octets = 0
        self.group_octets: int | None = None
        self._schema = schema.with_metadata(dict(metadata))
        try:
            self._writer = pq.ParquetWriter(
                self._stream,
                self._schema,
                compression="zstd",
                compression_level=1,
                use_dictionary=few_valued(schema),
                write_batch_size=_AT_ONCE,
                write_statistics=ranged(schema),
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
            if self.group_octets is not None:
                self._octets += batch.nbytes
                if self._octets >= self.group_octets:
                    self._write_group()

    def finish(self, metadata: Mapping[str, str] | None = None) -> None:
        """Write what waits, the footer with the metadata, and make the file appear."""
        if self._waiting:
            self._write_group()
        try:
            if metadata:
                self._writer.add_key_value_metadata(dict(metadata))
            self._writer.close()
            self._stream.flush()
        except OSError as problem:
            self.abort()
            raise output_error(self._file.name, problem) from problem
        self._file.commit()

    def abort(self) -> None:
        """Leave nothing behind."""
        self._waiting.clear()
        self._file.abort()
        for part in (self._writer, self._stream):
            if part is not None:
                with contextlib.suppress(Exception):
                    part.close()

    def _write_group(self) -> None:
        table = pa.table([_one_dictionary(column) for column in pa.Table.from_batches(self._waiting)], self._schema)
        self._waiting, self._rows, self._octets = [], 0, 0
        try:
            self._writer.write_table(table, row_group_size=ROW_GROUP)
            self._stream.flush()
        except OSError as problem:
            self.abort()
            raise output_error(self._file.name, problem) from problem


def _one_dictionary(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Give the column as it is written with a dictionary: that of a later batch may have more in it."""
    return column.combine_chunks() if pa.types.is_dictionary(column.type) else column

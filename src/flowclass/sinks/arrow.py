"""Arrow IPC: the file format for a file, the stream format for a pipe; dictionaries only grow."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from flowclass.sinks import Target
from flowclass.sinks.atomic import AtomicFile, output_error


class Sink:
    """Writes one Arrow IPC file or stream."""

    def __init__(self, target: Target, schema: pa.Schema, metadata: Mapping[str, str]) -> None:
        self._file = AtomicFile(target)
        self._writer: Any = None
        self._schema = schema.with_metadata(dict(metadata))
        self._known: dict[str, Any] = {}
        self._nothing = _without_rows(self._schema)  # with the dictionaries of the last batch, once there is one
        options = pa.ipc.IpcWriteOptions(compression="zstd", emit_dictionary_deltas=True)
        as_file = isinstance(target, Path) and target.suffix != ".arrows" and (target.is_file() or not target.exists())
        self._flush = not as_file
        make = pa.ipc.new_file if as_file else pa.ipc.new_stream
        try:
            self._writer = make(pa.PythonFile(self._file.file, mode="w"), self._schema, options=options)
        except OSError as problem:
            self.abort()
            raise output_error(self._file.name, problem) from problem

    def write(self, batch: pa.RecordBatch) -> None:
        """Take one batch."""
        columns = [self._grown(field.name, batch.column(index)) for index, field in enumerate(self._schema)]
        made = pa.RecordBatch.from_arrays(columns, schema=self._schema)
        self._nothing = made.slice(0, 0)
        try:
            self._writer.write_batch(made)
            if self._flush:
                self._file.file.flush()
        except OSError as problem:
            self.abort()
            raise output_error(self._file.name, problem) from problem

    def finish(self, metadata: Mapping[str, str] | None = None) -> None:
        """Write the metadata with a batch without rows, then the footer, and make the file appear."""
        try:
            if metadata:
                self._writer.write_batch(self._nothing, custom_metadata=dict(metadata))
            self._writer.close()
        except OSError as problem:
            self.abort()
            raise output_error(self._file.name, problem) from problem
        self._file.commit()

    def prepare(self, metadata: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Hand on what was written, of a stream; a file is complete at its end only."""
        del metadata
        self._file.file.flush()
        return {}

    def publish(self) -> None:
        """Nothing is held back."""

    def resume(self, state: Mapping[str, Any] | None) -> None:
        """Nothing was kept: the stream begins anew."""

    def abort(self) -> None:
        """Leave nothing behind."""
        self._file.abort()
        if self._writer is not None:
            with contextlib.suppress(Exception):
                self._writer.close()

    def _grown(self, name: str, column: Any) -> Any:
        """Say a dictionary column with one dictionary that keeps what earlier batches had, in place."""
        if not pa.types.is_dictionary(column.type):
            return column
        known = self._known.get(name)
        if known is None:
            self._known[name] = column.dictionary
            return column
        if known.equals(column.dictionary):
            return column
        new = column.dictionary.filter(pc.invert(pc.is_in(column.dictionary, value_set=known)))
        known = pa.concat_arrays([known, new])
        self._known[name] = known
        place = pc.index_in(column.dictionary, value_set=known).cast(column.type.index_type)
        return pa.DictionaryArray.from_arrays(place.take(column.indices), known)


def _without_rows(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in schema], schema=schema)

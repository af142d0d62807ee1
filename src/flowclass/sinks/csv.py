"""CSV for spreadsheets: nested columns as JSON text, no control characters, no formulas.

A text that a spreadsheet would run as a formula (it begins with ``=``, ``+``, ``-`` or ``@``) gets an
apostrophe in front. Null is an empty field; an empty text is ``""``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from flowclass.sinks import Target
from flowclass.sinks.atomic import AtomicFile, output_error
from flowclass.sinks.columns import plain
from flowclass.sinks.kept_file import KeptFile

CONTROL = r"[\x00-\x1f\x7f-\x{9f}]"
FORMULA = r"^([=+\-@])"


class Sink(KeptFile):
    """Writes CSV with a header line."""

    def __init__(self, target: Target, schema: pa.Schema, metadata: Mapping[str, str]) -> None:
        del metadata  # CSV has no place for it
        self._file = AtomicFile(target)
        self._writer: Any = None
        self._encoder = msgspec.json.Encoder()
        self._schema = pa.schema([(field.name, _flat_type(field.type)) for field in schema])
        try:
            self._writer = csv.CSVWriter(pa.PythonFile(self._file.file, mode="w"), self._schema)
        except OSError as problem:
            self.abort()
            raise output_error(self._file.name, problem) from problem

    def write(self, batch: pa.RecordBatch) -> None:
        """Take one batch."""
        columns = [self._flat(column) for column in batch.columns]
        try:
            self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=self._schema))
        except OSError as problem:
            self.abort()
            raise output_error(self._file.name, problem) from problem

    def finish(self, metadata: Mapping[str, str] | None = None) -> None:
        """Make the file appear; it has no place for metadata."""
        del metadata
        try:
            self._writer.close()
        except OSError as problem:
            self.abort()
            raise output_error(self._file.name, problem) from problem
        self._file.commit()

    def abort(self) -> None:
        """Leave nothing behind."""
        self._file.abort()
        if self._writer is not None:
            with contextlib.suppress(Exception):
                self._writer.close()

    def _flat(self, column: Any) -> Any:
        column = plain(column)
        if pa.types.is_nested(column.type):
            values = column.to_pylist()
            encoded = [None if value is None else self._encoder.encode(value).decode() for value in values]
            return guarded(pa.array(encoded, pa.string()))
        return guarded(column) if pa.types.is_string(column.type) else column


def guarded(texts: Any) -> Any:
    """Take control characters out of texts and disarm formulas.

    Parameters
    ----------
    texts : pyarrow.StringArray
        From the wire, so anything.

    Examples
    --------
    >>> guarded(pa.array(["=1+1", "a" + chr(10) + "b", None])).to_pylist()
    ["'=1+1", 'ab', None]
    """
    clean = pc.replace_substring_regex(texts, pattern=CONTROL, replacement="")
    return pc.replace_substring_regex(clean, pattern=FORMULA, replacement=r"'\1")


def _flat_type(kind: Any) -> Any:
    if pa.types.is_dictionary(kind):
        return _flat_type(kind.value_type)
    if pa.types.is_nested(kind) or pa.types.is_timestamp(kind):
        return pa.string()
    return kind

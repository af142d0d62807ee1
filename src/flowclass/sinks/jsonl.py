"""JSON lines: one object a flow, null where a value is not known."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pyarrow as pa

from flowclass.sinks import Target
from flowclass.sinks.atomic import AtomicFile, output_error
from flowclass.sinks.columns import rows
from flowclass.sinks.kept_file import KeptFile

STEP = 4096


class Sink(KeptFile):
    """Writes JSON lines."""

    def __init__(self, target: Target, schema: pa.Schema, metadata: Mapping[str, str]) -> None:
        del schema, metadata  # every line names its fields; there is no place for metadata
        self._file = AtomicFile(target)
        self._encoder = msgspec.json.Encoder()

    def write(self, batch: pa.RecordBatch) -> None:
        """Take one batch."""
        try:
            for start in range(0, batch.num_rows, STEP):
                self._file.file.write(self._encoder.encode_lines(rows(batch.slice(start, STEP))))
            self._file.file.flush()
        except OSError as problem:
            self.abort()
            raise output_error(self._file.name, problem) from problem

    def finish(self, metadata: Mapping[str, str] | None = None) -> None:
        """Make the file appear; it has no place for metadata."""
        del metadata
        self._file.commit()

    def abort(self) -> None:
        """Leave nothing behind."""
        self._file.abort()

"""Zeek's conn.log as tab-separated text, with columns ``flowclass.*`` behind Zeek's own.

The header, ``-``, ``(empty)`` and the escapes as in https://docs.zeek.org/en/current/log-formats.html. ``#open`` and
``#close`` are the times of packets, not of the clock, so that the same packets give the same file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from flowclass.sinks import Target
from flowclass.sinks.atomic import AtomicFile, output_error
from flowclass.sinks.kept_file import KeptFile
from flowclass.sinks.zeek_columns import TYPES, day, lines, times

BEGINNING = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n"
STEP = 65_536


class Sink(KeptFile):
    """Writes a conn.log."""

    def __init__(self, target: Target, schema: pa.Schema, metadata: Mapping[str, str]) -> None:
        del schema, metadata  # the columns are Zeek's; there is no place for metadata
        self._file = AtomicFile(target)
        self._begun = False
        self._last: int | None = None

    def write(self, batch: pa.RecordBatch) -> None:
        """Take one batch."""
        for start in range(0, batch.num_rows, STEP):
            part = batch.slice(start, STEP)
            first, last = times(part)
            self._begin(first)
            self._put(lines(part))
            if last is not None and (self._last is None or last > self._last):
                self._last = last
        if batch.num_rows:
            self._put(b"", flush=True)

    def finish(self, metadata: Mapping[str, str] | None = None) -> None:
        """Write the last line and make the file appear; it has no place for metadata."""
        del metadata
        self._begin(None)
        if self._last is not None:
            self._put(f"#close\t{day(self._last)}\n".encode())
        self._file.commit()

    def prepare(self, metadata: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Sync the file; the last line is written by ``finish``."""
        return {**super().prepare(metadata), "begun": self._begun, "last": self._last}

    def resume(self, state: Mapping[str, Any] | None) -> None:
        """Go on in the file; a stream that is written as rows come has its header again."""
        super().resume(state)
        if state is not None and "file" in state:
            self._begun, self._last = bool(state["begun"]), state["last"]

    def abort(self) -> None:
        """Leave nothing behind."""
        self._file.abort()

    def _begin(self, first: int | None) -> None:
        """Write the header before the first row; a file without rows has no time."""
        if self._begun:
            return
        self._begun = True
        opened = "" if first is None else f"#open\t{day(first)}\n"
        names, types = "\t".join(TYPES), "\t".join(TYPES.values())
        self._put(f"{BEGINNING}{opened}#fields\t{names}\n#types\t{types}\n".encode())

    def _put(self, octets: bytes, *, flush: bool = False) -> None:
        try:
            self._file.file.write(octets)
            if flush:
                self._file.file.flush()
        except OSError as problem:
            self.abort()
            raise output_error(self._file.name, problem) from problem

"""Where flow records go. One file per format; each has one class ``Sink``.

A sink takes record batches in order. Its file appears complete at ``finish`` or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS = ("parquet", "jsonl", "csv", "arrow")
"""Those that hold whole records, and that ``diff`` reads."""
FOREIGN = ("eve", "zeek")
"""Those of other programs, which hold what these have fields for."""
SUFFIXES = {
    ".parquet": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".arrows": "arrow",
}
FOREIGN_SUFFIXES = {".eve": "eve", ".zeek": "zeek"}
FILE_NAMES = {"eve": "eve.json", "zeek": "conn.log"}
"""What a file in a folder is called, where it is not flows.FORMAT."""
BINARY = frozenset({"parquet", "arrow"})

Target: TypeAlias = "Path | IO[bytes]"


class Sink(Protocol):
    """Takes the flows of a run."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Take one batch.

        Raises
        ------
        OutputError
            When it can't be written.
        """

    def finish(self, metadata: Mapping[str, str] | None = None) -> None:
        """All batches were given: make the output complete.

        Parameters
        ----------
        metadata : mapping of str to str, optional
            What is known about the run since its end, where the format has a place for it.
        """

    def abort(self) -> None:
        """Something failed, or a later process goes on: leave nothing but what a checkpoint needs. Never raises."""


@runtime_checkable
class KeptSink(Protocol):
    """A sink that takes part in checkpoints: what it was given lasts, and a later process goes on behind it."""

    def prepare(self, metadata: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Make all that was written last.

        Parameters
        ----------
        metadata : mapping of str to str, optional
            Given at the end of the run, as to ``finish``, which follows.

        Returns
        -------
        dict
            What ``resume`` of the same sink in another process needs to know; numbers and texts, as JSON has them.
            It is in no checkpoint before ``publish`` is called.

        Raises
        ------
        OutputError
            When it cannot be written.
        """

    def publish(self) -> None:
        """Show what the checkpoint covers, which is written, with what was prepared."""

    def resume(self, state: Mapping[str, Any] | None) -> None:
        """Go on where the state was given, before the first row; None where there is no checkpoint yet.

        Raises
        ------
        OutputError
            When what the state speaks of is not there.
        """


def open_sink(form: str, target: Target, schema: pa.Schema, metadata: Mapping[str, str]) -> Sink:
    """Open the sink of a format.

    Parameters
    ----------
    form : str
        One of ``FORMATS`` or ``FOREIGN``.
    target : Path or binary file object
        A path is written whole or not at all; a file object is written as it comes and left open.
    schema : pyarrow.Schema
        Of every batch that will come.
    metadata : mapping of str to str
        What the file says about the run, where the format has a place for it.

    Raises
    ------
    OutputError
        When the target can't be opened.
    """
    made: Sink = import_module(f"flowclass.sinks.{form}").Sink(target, schema, metadata)
    return made

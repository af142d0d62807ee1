"""The function behind ``flowclass.read_flows``: records that a run left, as the run itself would give them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from flowclass.errors import SchemaError, SourceError
from flowclass.pipeline.flows import Flows
from flowclass.pipeline.records import BALANCE, Records
from flowclass.schema import arrow_schema
from flowclass.types import Balance

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 65536


class SavedFlows(Flows):
    """The flows that a run left; made by `read_flows`.

    A file is read anew each time it is iterated, in bounded memory; the ``to_`` methods keep the table.

    Attributes
    ----------
    name : str
        Of the file or folder, for people.
    schema : pyarrow.Schema
        Of every batch.

    Examples
    --------
    >>> import flowclass
    >>> flows = flowclass.read_flows(flowclass.classify(flowclass.samples()))
    >>> flows.to_pyarrow().num_rows, dict(flows.metadata)
    (12, {})
    """

    def __init__(self, given: Path | Any) -> None:
        super().__init__()
        self._given = given
        self._records: Records | None = Records(given, ROWS)
        self._metadata = self._records.metadata
        self.name = self._records.name
        self.schema = self._records.schema
        self._records.refuse_other_columns(arrow_schema())

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the file says of its run: version, rules, registry, policy, inputs; by ``flowclass.`` and a name.

        What stands at the end of an Arrow stream is there when that was read.
        """
        return self._metadata

    @property
    def balance(self) -> Balance | None:
        """Packets and octets read = those in flows + those skipped, by reason; None where the file does not say."""
        told = self._metadata.get(BALANCE)
        if told is None:
            return None
        facts = msgspec.json.decode(told)
        facts.pop("closed", None)
        try:
            return Balance(**facts)
        except TypeError as problem:
            raise SchemaError(f"{self.name}: its balance is not one of this version: {problem}") from problem

    def _batches(self) -> Iterator[pa.RecordBatch]:
        records, self._records = self._records, None
        if records is None:
            if not isinstance(self._given, Path):
                raise SourceError("the records were streamed already and not kept: call to_pyarrow() first")
            records = Records(self._given, ROWS)
        self._metadata = records.metadata
        return iter(records)


def read_flows(flows: str | os.PathLike[str] | Any) -> SavedFlows:
    """Read the flows that a run left.

    Parameters
    ----------
    flows : path, pyarrow.Table, or what speaks the Arrow stream interface
        A Parquet or Arrow file that ``classify -o``, ``live -o`` or a sink wrote; a folder of such files; or records,
        as pyarrow, polars, DuckDB and `Result` give them.

    Returns
    -------
    SavedFlows
        As ``classify`` would give them, with what the file says of its run.

    Raises
    ------
    SourceError
        When nothing is there, or it cannot be read.
    SchemaError
        When these are no flow records.

    Examples
    --------
    >>> import flowclass, pathlib, pyarrow.parquet, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "flows.parquet")
    ...     pyarrow.parquet.write_table(flowclass.classify(flowclass.samples()).to_pyarrow(), path)
    ...     flowclass.read_flows(path).to_pyarrow().num_rows
    12
    """
    if isinstance(flows, (str, os.PathLike)):
        return SavedFlows(Path(flows))
    if not hasattr(flows, "__arrow_c_stream__"):
        raise SourceError(
            f"flows of type {type(flows).__name__} are not known: give a path, a pyarrow.Table or what speaks the Arrow"
            " stream interface"
        )
    return SavedFlows(flows)

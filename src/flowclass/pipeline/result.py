"""What ``flowclass.classify`` gives: the flows, streamed or as a table, and what happened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flowclass.errors import SourceError
from flowclass.pipeline.batch import Run
from flowclass.schema import arrow_schema
from flowclass.types import Balance, SourceReport

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa


class Result:
    """The flows of some sources.

    Reading happens when the flows are asked for. Iterating streams them once, in bounded memory; the ``to_``
    methods keep the table, and can be used again.

    Attributes
    ----------
    schema : pyarrow.Schema
        Of every batch.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._table: pa.Table | None = None
        self._started = False
        engine = run.options.engine
        self.schema = arrow_schema(heads=engine.heads, features=engine.features, udf=engine.udf)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Give the record batches."""
        if self._table is not None:
            return iter(self._table.to_batches())
        if self._started:
            raise SourceError(
                "the flows were streamed already and not kept: classify again, or call to_pyarrow() first"
            )
        self._started = True
        return self._run.batches()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Give the record batches through the Arrow C stream interface."""
        import pyarrow as pa

        reader = pa.RecordBatchReader.from_batches(self.schema, iter(self))
        capsule: object = reader.__arrow_c_stream__(requested_schema)
        return capsule

    def to_pyarrow(self) -> pa.Table:
        """Give the flows as a table."""
        import pyarrow as pa

        if self._table is None:
            self._table = pa.Table.from_batches(list(self), self.schema)
        return self._table

    def to_pandas(self) -> pd.DataFrame:
        """Give the flows as a pandas data frame."""
        frame: pd.DataFrame = self.to_pyarrow().to_pandas()
        return frame

    def to_polars(self) -> pl.DataFrame:
        """Give the flows as a polars data frame."""
        import polars as pl

        return pl.DataFrame(self.to_pyarrow())

    @property
    def counters(self) -> Mapping[str, Any]:
        """All counters of the engine."""
        self._read()
        return self._run.counters

    @property
    def sources(self) -> tuple[SourceReport, ...]:
        """What each source was and how reading it ended."""
        self._read()
        return tuple(self._run.reports)

    @property
    def balance(self) -> Balance:
        """Packets and octets read = those in flows + those skipped, by reason."""
        self._read()
        return self._run.balance

    def _read(self) -> None:
        """Read to the end unless the flows are being streamed."""
        if not self._started:
            self.to_pyarrow()

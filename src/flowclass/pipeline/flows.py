"""Flow records as a library hands them on: streamed, as a table, as data frames, as a matrix."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from flowclass.features.matrix import Matrix, matrix

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa


class Flows(ABC):
    """Flow records: what `Result` and `SavedFlows` have in common. Speaks the Arrow stream interface.

    Whatever speaks it too takes the records as they are: ``pyarrow.table(flows)``, ``polars.DataFrame(flows)``,
    ``pandas.DataFrame.from_arrow(flows)`` (pandas 3), ``duckdb.sql("from flows")``.

    Attributes
    ----------
    schema : pyarrow.Schema
        Of every batch.

    Examples
    --------
    >>> import flowclass
    >>> flows = flowclass.classify(flowclass.samples())
    >>> isinstance(flows, Flows), flows.to_pyarrow().num_rows
    (True, 12)
    """

    schema: pa.Schema

    def __init__(self) -> None:
        self._table: pa.Table | None = None

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Give the record batches."""
        return self._batches() if self._table is None else iter(self._table.to_batches())

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Give the record batches through the Arrow C stream interface."""
        import pyarrow as pa

        reader = pa.RecordBatchReader.from_batches(self.schema, iter(self))
        capsule: object = reader.__arrow_c_stream__(requested_schema)
        return capsule

    def to_pyarrow(self) -> pa.Table:
        """Give the flows as a table, which is kept."""
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

    def to_numpy(self, features: Sequence[str] | str | None = None) -> Matrix:
        """Give columns of numbers as a matrix.

        Parameters
        ----------
        features : sequence of str, or str, optional
            Columns of numbers, times, or lists of numbers: each of these makes 16 columns, ``splt_len[0]`` to
            ``splt_len[15]``. Or a set of the literature, by its names: ``iscxvpn2016`` or ``cicflowmeter``
            (docs/features.md). By default duration, packets and octets, the feature columns and those of users'
            functions, as far as they are there: nothing that names a host, a port or a moment.

        Returns
        -------
        values : ndarray of float64, shape (n_flows, n_columns)
            NaN where the record has null: a model that takes no NaN needs them filled, and that is a choice.
        names : list of str
            Of the columns.

        Raises
        ------
        ConfigError
            When a column is not there or holds no numbers.

        Examples
        --------
        >>> import flowclass
        >>> values, names = flowclass.classify(flowclass.samples()).to_numpy()
        >>> values.shape, names[:3]
        ((12, 7), ['duration_ns', 'packets_fwd', 'packets_rev'])
        """
        return matrix(self.to_pyarrow(), features)

    @abstractmethod
    def _batches(self) -> Iterator[pa.RecordBatch]:
        """Give the record batches, as they are read or kept."""

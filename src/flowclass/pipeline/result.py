"""What ``flowclass.classify`` gives: the flows, streamed or as a table, and what happened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flowclass.errors import SourceError
from flowclass.pipeline.batch import Run
from flowclass.pipeline.flows import Flows
from flowclass.schema import arrow_schema
from flowclass.types import Balance, SourceReport

if TYPE_CHECKING:
    import pyarrow as pa


class Result(Flows):
    """The flows of some sources; made by `classify`.

    Reading happens when the flows are asked for. Iterating streams them once, in bounded memory; the ``to_``
    methods keep the table, and can be used again.

    Attributes
    ----------
    schema : pyarrow.Schema
        Of every batch.

    Examples
    --------
    >>> import flowclass
    >>> result = flowclass.classify(flowclass.samples())
    >>> frame = result.to_pandas()
    >>> sorted(set(frame[frame.protocol_class == "vpn"].protocol))
    ['ike', 'openvpn', 'wireguard']
    >>> result.balance.closed
    True
    """

    def __init__(self, run: Run) -> None:
        super().__init__()
        self._run = run
        self._started = False
        engine = run.options.engine
        self.schema = arrow_schema(heads=engine.heads, features=engine.features, udf=engine.udf)

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

    def _batches(self) -> Iterator[pa.RecordBatch]:
        if self._started:
            raise SourceError(
                "the flows were streamed already and not kept: classify again, or call to_pyarrow() first"
            )
        self._started = True
        return self._run.batches()

    def _read(self) -> None:
        """Read to the end unless the flows are being streamed."""
        if not self._started:
            self.to_pyarrow()

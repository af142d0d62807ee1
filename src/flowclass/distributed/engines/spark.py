"""Spark: the tasks are a data frame, a task a row and a partition, done by ``mapInArrow``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from flowclass.distributed.engines.answers import answered, read_answer
from flowclass.errors import FlowclassError

_ROWS = "place long, message binary"
_ANSWERS = "place long, answer binary"


class Engine:
    """The Spark session that is there, or one of this machine.

    Parameters
    ----------
    workers : int or None
        Processors of a session that is started for the run; by default those of the machine.
    """

    def __init__(self, workers: int | None) -> None:
        # Spark's own word for the Python of its workers: that which has flowclass.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        there = SparkSession.getActiveSession()
        self._mine = there is None
        self._session: Any = there or (
            SparkSession.builder.master(f"local[{workers or '*'}, 3]")
            .appName("flowclass")
            .config("spark.ui.enabled", "false")
            .config("spark.ui.showConsoleProgress", "false")
            .config("spark.log.level", "ERROR")
            .getOrCreate()
        )

    def run(self, messages: Sequence[bytes]) -> Iterator[tuple[int, bytes | str]]:
        """Let workers do the tasks; answers come in the order of the tasks."""
        if not messages:
            return
        rows = [(place, bytearray(message)) for place, message in enumerate(messages)]
        spread = self._session.sparkContext.parallelize(rows, len(rows))
        tasks = self._session.createDataFrame(spread, _ROWS)
        try:
            for row in tasks.mapInArrow(_perform, _ANSWERS).collect():
                yield row["place"], read_answer(bytes(row["answer"]))
        except PySparkException as problem:
            raise FlowclassError(f"Spark ended the run: {problem}") from problem

    def close(self) -> None:
        """End the session, if it was started here."""
        if self._mine:
            self._session.stop()


def _perform(batches: Iterable[Any]) -> Iterator[Any]:
    import pyarrow as pa

    for batch in batches:
        answers = [answered(message) for message in batch.column(1).to_pylist()]
        yield pa.record_batch([batch.column(0), pa.array(answers, pa.binary())], names=["place", "answer"])

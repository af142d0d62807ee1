"""Spark: the tasks are a data frame, a task a row and a partition, done by ``mapInArrow``.

A task that ends its process again and again makes Spark give up the whole frame: then its halves are done by
themselves, until that task is alone.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from flowclass.distributed.engines.answers import DIED, MOST_TRIES, answered, read_answer
from flowclass.errors import FlowclassError

FAILURES = (PySparkException, Py4JError)
"""What the session raises, and what comes of the machine behind it as it is."""
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
            SparkSession.builder.master(f"local[{workers or '*'}, {MOST_TRIES}]")
            .appName("flowclass")
            .config("spark.ui.enabled", "false")
            .config("spark.ui.showConsoleProgress", "false")
            .config("spark.log.level", "ERROR")
            .getOrCreate()
        )

    def run(self, messages: Sequence[bytes]) -> Iterator[tuple[int, bytes | str]]:
        """Let workers do the tasks; answers come in the order of the tasks."""
        waiting = [list(enumerate(messages))] if messages else []
        while waiting:
            rows = waiting.pop()
            answers = self._collected(rows)
            if answers is not None:
                for place, answer in answers:
                    yield place, read_answer(answer)
            elif len(rows) > 1:
                waiting += [rows[len(rows) // 2 :], rows[: len(rows) // 2]]
            else:
                yield rows[0][0], DIED

    def _collected(self, messages: Sequence[tuple[int, bytes]]) -> list[tuple[int, bytes]] | None:
        """Give the answers; None where a task of these ended its process, and Spark itself is well."""
        rows = [(place, bytearray(octets)) for place, octets in messages]
        spread = self._session.sparkContext.parallelize(rows, len(rows))
        try:
            answers = self._session.createDataFrame(spread, _ROWS).mapInArrow(_perform, _ANSWERS).collect()
        except FAILURES as problem:
            try:
                self._session.range(1).collect()
            except FAILURES:
                raise FlowclassError(f"Spark ended the run: {problem}") from problem
            return None
        return [(row["place"], bytes(row["answer"])) for row in answers]

    def close(self) -> None:
        """End the session, if it was started here."""
        if self._mine:
            self._session.stop()


def _perform(batches: Iterable[Any]) -> Iterator[Any]:
    import pyarrow as pa

    for batch in batches:
        answers = [answered(message) for message in batch.column(1).to_pylist()]
        yield pa.record_batch([batch.column(0), pa.array(answers, pa.binary())], names=["place", "answer"])

"""A slow or dead receiver holds back or drops, as was chosen; every row is counted."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from flow_rows import SCHEMA, numbered

from flowclass.errors import OutputError
from flowclass.sinks.queued import QueuedSink
from flowclass.sinks.rotating import RotatingSink, Rotation, parts

LONG_S = 20.0


class Receiver:
    """A sink whose speed and failures the test decides."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.open = threading.Event()
        self.entered = threading.Semaphore(0)
        self.fails: Exception | None = None
        self.fails_at_end: Exception | None = None
        self.finished: Mapping[str, str] | None = None
        self.aborted = False
        self.open.set()

    def write(self, batch: pa.RecordBatch) -> None:
        self.entered.release()
        assert self.open.wait(LONG_S)
        if self.fails is not None:
            raise self.fails
        self.rows += batch.column("packet_first").to_pylist()

    def finish(self, metadata: Mapping[str, str] | None = None) -> None:
        if self.fails_at_end is not None:
            raise self.fails_at_end
        self.finished = metadata

    def abort(self) -> None:
        self.aborted = True
        self.open.set()


def _write_all(sink: QueuedSink, starts: range) -> None:
    for start in starts:
        sink.write(numbered(starts.step, start=start))


@pytest.mark.parametrize("drop", [False, True])
def test_all_rows_in_order(drop: bool) -> None:
    receiver = Receiver()
    sink = QueuedSink(lambda: receiver, drop=drop)
    for start in range(0, 100, 10):
        sink.write(numbered(10, start=start))
    sink.finish({"a": "b"})
    assert receiver.rows == list(range(100))
    assert receiver.finished == {"a": "b"}
    told = sink.delivered
    assert (told.given, told.delivered, told.dropped) == (100, 100, 0)
    assert str(told) == "100 rows = 100 delivered + 0 dropped"


def test_a_slow_receiver_holds_back() -> None:
    receiver = Receiver()
    receiver.open.clear()
    sink = QueuedSink(lambda: receiver, drop=False, most_rows=20)
    for start in (0, 10):
        sink.write(numbered(10, start=start))
    assert receiver.entered.acquire(timeout=LONG_S)
    blocked = threading.Thread(target=sink.write, args=(numbered(10, start=20),))
    blocked.start()
    blocked.join(0.3)
    assert blocked.is_alive()  # 20 rows wait, and no more may
    assert sink.delivered.given - sink.delivered.delivered == 30
    receiver.open.set()
    blocked.join(LONG_S)
    sink.finish()
    assert receiver.rows == list(range(30))
    assert sink.delivered.dropped == 0


def test_a_slow_receiver_drops_and_counts() -> None:
    receiver = Receiver()
    receiver.open.clear()
    sink = QueuedSink(lambda: receiver, drop=True, most_rows=20)
    for start in range(0, 50, 10):
        sink.write(numbered(10, start=start))
    assert sink.delivered.dropped == 30
    receiver.open.set()
    sink.finish()
    assert receiver.rows == list(range(20))
    assert str(sink.delivered) == "50 rows = 20 delivered + 30 dropped; it was too slow"


def test_a_batch_larger_than_the_queue_goes_alone() -> None:
    receiver = Receiver()
    sink = QueuedSink(lambda: receiver, drop=True, most_rows=5)
    sink.write(numbered(50))
    sink.finish()
    assert receiver.rows == list(range(50))


def test_a_dead_receiver_is_an_error() -> None:
    receiver = Receiver()
    sink = QueuedSink(lambda: receiver, drop=False, most_rows=10)
    sink.write(numbered(10))
    assert receiver.entered.acquire(timeout=LONG_S)
    receiver.fails = OutputError("x: its reader ended")
    with pytest.raises(OutputError, match=r"^x: its reader ended; 10 of \d+ rows were delivered$"):
        _write_all(sink, range(10, 10_000, 10))
    sink.abort()
    assert receiver.aborted
    assert receiver.rows == list(range(10))


def test_an_error_at_the_end_is_told() -> None:
    receiver = Receiver()
    receiver.fails_at_end = OutputError("x: no")
    sink = QueuedSink(lambda: receiver, drop=False)
    sink.write(numbered(3))
    with pytest.raises(OutputError, match="x: no; 3 of 3 rows were delivered"):
        sink.finish()


def test_a_fault_is_not_dropped() -> None:
    """What is no failure of the receiver but of the program comes out, whatever was chosen."""
    receiver = Receiver()
    receiver.fails = ValueError("a fault")
    sink = QueuedSink(lambda: receiver, drop=True)
    sink.write(numbered(3))
    with pytest.raises(ValueError, match="a fault"):
        sink.finish()


def test_a_dead_receiver_is_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowclass.sinks.queued.RETRY_S", 0.0)
    made: list[Receiver] = []

    def make() -> Receiver:
        if len(made) == 1 and not made[0].aborted:
            raise OutputError("x: nobody listens")
        made.append(Receiver())
        return made[-1]

    sink = QueuedSink(make, drop=True)
    made[0].fails = OutputError("x: its reader ended")
    for start in range(0, 30, 10):
        sink.write(numbered(10, start=start))
    sink.finish()
    told = sink.delivered
    assert (told.given, told.delivered, told.dropped, told.opened_again) == (30, 20, 10, 1)
    assert made[1].rows == list(range(10, 30))
    assert told.sentence == "x: its reader ended"


def test_a_receiver_that_takes_nothing_at_the_end_is_left() -> None:
    receiver = Receiver()
    receiver.open.clear()
    sink = QueuedSink(lambda: receiver, drop=True, patience_s=0.3)
    for start in (0, 10):
        sink.write(numbered(10, start=start))
    assert receiver.entered.acquire(timeout=LONG_S)
    receiver.fails = OutputError("x: cut")
    sink.finish()
    told = sink.delivered
    assert (told.given, told.delivered, told.dropped) == (20, 0, 20)
    assert told.sentence == "it took nothing more at the end"


def test_rows_of_complete_files_stay_delivered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fails for a time costs the file that was being written, no more, and is counted so."""
    monkeypatch.setattr("flowclass.sinks.queued.RETRY_S", 0.0)
    real, fails = os.fsync, [False]

    def fsync(handle: int) -> None:
        if fails[0]:
            raise OSError(28, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    turn = threading.Semaphore(0)

    class Told(RotatingSink):
        def write(self, batch: pa.RecordBatch) -> None:
            try:
                super().write(batch)
            finally:
                turn.release()

    sink = QueuedSink(lambda: Told(tmp_path, "parquet", Rotation(rows=4), SCHEMA, {}), drop=True)
    for number, start in enumerate(range(0, 50, 10)):
        fails[0] = number == 2
        sink.write(numbered(10, start=start))
        assert turn.acquire(timeout=LONG_S)
    sink.finish()
    told = sink.delivered

    there = [n for path in parts(tmp_path) for n in pq.read_table(path).column("packet_first").to_pylist()]
    assert len(there) == told.delivered
    assert told.delivered + told.dropped == told.given == 50
    assert told.dropped == 14  # 4 of the file that was full, and the batch that it could not take
    assert told.files == len(parts(tmp_path))
    assert "no space left on device" in told.sentence
    assert [n for n in there if n < 16] == list(range(16))
    assert [n for n in there if n >= 16] == list(range(30, 50))

"""Takes a sink that may be slow or fail. Gives one that writes to it from a thread of its own, behind a bounded queue.

When the queue is full it waits, or drops rows and counts them, as was chosen. When the sink fails it raises, or, where
rows may be dropped, drops them, counts them, and opens the sink anew from time to time. No row is uncounted.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa

from flowclass.errors import OutputError
from flowclass.sinks import Sink
from flowclass.sinks.delivered import Delivered

MOST_ROWS = 262_144
RETRY_S = 1.0
PATIENCE_S = 10.0


class QueuedSink:
    """Writes to another sink from a thread.

    Parameters
    ----------
    make : callable
        Opens the other sink; now, and again after it failed. What it opens may have ``complete_rows``, the rows that
        stay delivered when it fails; without it these are all that were written.
    drop : bool
        Drop rows when the queue is full or the sink fails, and count them.
    most_rows : int
        How many may wait. A batch with more waits alone.
    patience_s : float
        With `drop`: how long, at the end, a sink may make no progress before what still waits is dropped.

    Attributes
    ----------
    failures : int
        How often the sink failed.

    Raises
    ------
    OutputError
        When the sink cannot be opened the first time, whatever was chosen: it may be misspelt.
    """

    def __init__(
        self, make: Callable[[], Sink], *, drop: bool, most_rows: int = MOST_ROWS, patience_s: float = PATIENCE_S
    ) -> None:
        self._make, self._drop, self._most, self._patience = make, drop, most_rows, patience_s
        self._inner: Sink | None = make()
        self._queue: deque[pa.RecordBatch] = deque()
        self._turn = threading.Condition()
        self._waiting = self._given = self._delivered = self._dropped = self._opened_again = self._files = 0
        self._inner_given = self._inner_written = 0
        self._ending = self._given_up = False
        self.failures = 0
        self._metadata: Mapping[str, str] | None = None
        self._problem: Exception | None = None
        self._sentence = ""
        self._retry_at = 0.0
        self._thread = threading.Thread(target=self._run, name="flowclass-sink", daemon=True)
        self._thread.start()

    @property
    def delivered(self) -> Delivered:
        """What became of the rows so far."""
        with self._turn:
            return Delivered(
                given=self._given,
                delivered=self._delivered + self._complete(),
                dropped=self._dropped,
                files=self._files + getattr(self._inner, "files", 0),
                opened_again=self._opened_again,
                sentence=self._sentence,
            )

    def write(self, batch: pa.RecordBatch) -> None:
        """Take one batch: wait for room, or drop it, as was chosen."""
        rows = batch.num_rows
        with self._turn:
            self._given += rows
            while self._waiting and self._waiting + rows > self._most and self._problem is None:
                if self._drop:
                    self._dropped += rows
                    return
                self._turn.wait(0.5)
            if self._problem is None:
                self._queue.append(batch)
                self._waiting += rows
                self._turn.notify_all()
                return
        raise self._failed()

    def prepare(self, metadata: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Wait until all is written, or dropped; with ``drop``, for as long as it makes progress.

        What the receiver has then, it may be given again after the process was killed: what was sent since the last
        checkpoint is sent once more.
        """
        del metadata
        seen, until = self._done(), time.monotonic() + self._patience
        with self._turn:
            while self._waiting and self._problem is None:
                self._turn.wait(0.2)
                now = self._delivered + self._dropped + self._inner_written
                if now != seen:
                    seen, until = now, time.monotonic() + self._patience
                elif self._drop and time.monotonic() > until:
                    break
        if self._problem is not None:
            raise self._failed()
        told = self.delivered
        return {"given": told.given, "delivered": told.delivered, "dropped": told.dropped}

    def publish(self) -> None:
        """Nothing is held back."""

    def resume(self, state: Mapping[str, Any] | None) -> None:
        """Count on from where the state was given."""
        if state is not None:
            with self._turn:
                self._given += int(state["given"])
                self._delivered += int(state["delivered"])
                self._dropped += int(state["dropped"])

    def finish(self, metadata: Mapping[str, str] | None = None) -> None:
        """Wait until all is written; with ``drop``, for as long as it makes progress."""
        with self._turn:
            self._metadata, self._ending = metadata, True
            self._turn.notify_all()
        seen, until = self._done(), time.monotonic() + self._patience
        while self._thread.is_alive():
            self._thread.join(0.2)
            now = self._done()
            if now != seen:
                seen, until = now, time.monotonic() + self._patience
            elif self._drop and time.monotonic() > until:
                self._sentence = self._sentence or "it took nothing more at the end"
                self._give_up()
                break
        if self._problem is not None:
            raise self._failed()

    def abort(self) -> None:
        """Drop what waits, and leave behind what the sink leaves."""
        self._give_up()

    def _run(self) -> None:
        """Write what is queued, until the end."""
        while (batch := self._next()) is not None:
            self._put(batch)
            with self._turn:
                self._waiting -= batch.num_rows
                self._turn.notify_all()
        if self._inner is not None and not self._given_up:
            try:
                self._inner.finish(self._metadata)
            except Exception as problem:
                self._fail(problem)

    def _next(self) -> pa.RecordBatch | None:
        with self._turn:
            while not self._queue and not self._ending and not self._given_up:
                self._turn.wait()
            return None if self._given_up or self._problem is not None or not self._queue else self._queue.popleft()

    def _put(self, batch: pa.RecordBatch) -> None:
        inner = self._inner if self._inner is not None else self._opened()
        if inner is None:
            with self._turn:
                self._dropped += batch.num_rows
            return
        self._inner_given += batch.num_rows
        try:
            inner.write(batch)
        except Exception as problem:
            self._fail(problem)
        else:
            with self._turn:
                self._inner_written += batch.num_rows

    def _opened(self) -> Sink | None:
        """Give the sink opened anew, when it is time for that and it can be."""
        if time.monotonic() < self._retry_at:
            return None
        try:
            inner = self._make()
        except OutputError as problem:
            self._sentence, self._retry_at = str(problem), time.monotonic() + RETRY_S
            return None
        with self._turn:
            self._inner = inner
            self._opened_again += 1
        return inner

    def _fail(self, problem: Exception) -> None:
        """Count what the sink had taken; then drop on, or let the one who writes know."""
        with self._turn:
            inner, complete = self._inner, self._complete()
            self._delivered += complete
            self._files += getattr(inner, "files", 0)
            self._dropped += self._inner_given - complete
            self._inner_given = self._inner_written = 0
            self._inner = None
            self.failures += 1
            self._sentence = self._sentence if self._given_up and self._sentence else str(problem)
            self._retry_at = time.monotonic() + RETRY_S
            if not self._drop or not isinstance(problem, OutputError):
                self._problem = problem
            self._turn.notify_all()
        if inner is not None:
            with contextlib.suppress(Exception):
                inner.abort()

    def _give_up(self) -> None:
        with self._turn:
            self._given_up = True
            left = sum(batch.num_rows for batch in self._queue)
            self._dropped += left
            self._waiting -= left
            self._queue.clear()
            inner = self._inner
            self._turn.notify_all()
        if inner is not None:
            inner.abort()
        self._thread.join(2.0)

    def _complete(self) -> int:
        """Rows of the open sink that stay delivered when it fails."""
        if self._inner is None:
            return 0
        found: int = getattr(self._inner, "complete_rows", self._inner_written)
        return found

    def _done(self) -> int:
        with self._turn:
            return self._delivered + self._dropped + self._inner_written

    def _failed(self) -> Exception:
        assert self._problem is not None
        if not isinstance(self._problem, OutputError):
            return self._problem
        told = self.delivered
        return OutputError(f"{self._problem}; {told.delivered:,} of {told.given:,} rows were delivered")

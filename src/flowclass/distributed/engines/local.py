"""Processes of this machine. A process that dies takes one task with it, which is tried again alone."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from flowclass.distributed.engines.answers import DIED, MOST_TRIES, answered, read_answer


class Engine:
    """A pool of processes.

    Parameters
    ----------
    workers : int or None
        Processes; by default one for each processor that may be used.
    """

    def __init__(self, workers: int | None) -> None:
        self._workers = workers or len(os.sched_getaffinity(0))
        self._pool: ProcessPoolExecutor | None = None

    def run(self, messages: Sequence[bytes]) -> Iterator[tuple[int, bytes | str]]:
        """Let workers do the tasks.

        Notes
        -----
        When a process dies nobody says which task it had. So all that were under way are tried again one by one, and
        one that ends its process ``MOST_TRIES`` times is given up.
        """
        waiting = deque(range(len(messages)))
        while waiting:
            suspects = yield from self._many(messages, waiting)
            for place in suspects:
                yield place, self._alone(messages[place])

    def close(self) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def _many(
        self, messages: Sequence[bytes], waiting: deque[int]
    ) -> Generator[tuple[int, bytes | str], None, list[int]]:
        """Do what waits; return the tasks that were under way when a process died."""
        under_way: dict[Future[bytes], int] = {}
        while waiting or under_way:
            while waiting and len(under_way) < 2 * self._workers:
                try:
                    under_way[self._open().submit(answered, messages[waiting[0]])] = waiting[0]
                except BrokenProcessPool:
                    break
                waiting.popleft()
            done, _ = wait(under_way, return_when=FIRST_COMPLETED)
            for future in done:
                if isinstance(future.exception(), BrokenProcessPool):
                    suspects = sorted(under_way.values())
                    self.close()
                    return suspects
            for future in done:
                yield under_way.pop(future), read_answer(future.result())
        return []

    def _alone(self, message: bytes) -> bytes | str:
        for _ in range(MOST_TRIES):
            future = self._open().submit(answered, message)
            wait([future])
            if not isinstance(future.exception(), BrokenProcessPool):
                return read_answer(future.result())
            self.close()
        return DIED

    def _open(self) -> ProcessPoolExecutor:
        if self._pool is None:
            # Not forked: a forked child has the locks of threads that it has not.
            self._pool = ProcessPoolExecutor(self._workers, mp_context=multiprocessing.get_context("spawn"))
        return self._pool

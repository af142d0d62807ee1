"""Ray Data: the tasks are a data set, a task a row. Ray replaces a worker that dies and runs its task again.

That without end: so tasks count their tries, and one that has ended its process often enough is not begun again.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import ray
import ray.data

from flowclass.distributed.engines.answers import DIED, MOST_TRIES, answered, read_answer
from flowclass.errors import FlowclassError


class Engine:
    """The Ray cluster that the environment names (``RAY_ADDRESS``), or one of this machine.

    Parameters
    ----------
    workers : int or None
        Processors of a cluster that is started for the run; how many tasks run at once in one that is there.
    """

    def __init__(self, workers: int | None) -> None:
        self._workers = workers
        self._mine = not ray.is_initialized()
        if self._mine:
            ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level="error")

    def run(self, messages: Sequence[bytes]) -> Iterator[tuple[int, bytes | str]]:
        """Let workers do the tasks; answers come as their tasks end."""
        if not messages:
            return
        tries = ray.remote(num_cpus=0)(_Tries).remote()
        rows = [{"place": place, "message": message} for place, message in enumerate(messages)]
        ray.data.DataContext.get_current().enable_progress_bars = False
        tasks = ray.data.from_items(rows, override_num_blocks=len(rows))
        at_once = ray.data.TaskPoolStrategy(size=self._workers)
        done = tasks.map(_perform, fn_kwargs={"tries": tries}, num_cpus=1, compute=at_once)
        try:
            for row in done.iter_rows():
                yield row["place"], read_answer(row["answer"]) if row["answer"] else DIED
        except ray.exceptions.RayError as problem:
            raise FlowclassError(f"Ray ended the run: {problem}") from problem

    def close(self) -> None:
        """End the cluster, if it was started here."""
        if self._mine:
            ray.shutdown()


class _Tries:
    """Counts how often a task was begun, in a process of its own: those of the tasks may die."""

    def __init__(self) -> None:
        self._begun: Counter[int] = Counter()

    def begin(self, place: int) -> int:
        """Take note of a try; give how many there were."""
        self._begun[place] += 1
        return self._begun[place]


def _perform(row: dict[str, Any], tries: Any) -> dict[str, Any]:
    with contextlib.suppress(ray.exceptions.RayError):  # without the one that counts, as often as Ray likes
        if ray.get(tries.begin.remote(row["place"])) > MOST_TRIES:
            return {"place": row["place"], "answer": b""}
    return {"place": row["place"], "answer": answered(row["message"])}

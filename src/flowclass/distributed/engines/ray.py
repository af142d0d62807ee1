"""Ray Data: the tasks are a data set, a task a row. Ray replaces a worker that dies and runs its task again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import ray
import ray.data

from flowclass.distributed.engines.answers import answered, read_answer
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
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        rows = [{"place": place, "message": message} for place, message in enumerate(messages)]
        tasks = ray.data.from_items(rows, override_num_blocks=len(rows))
        at_once = ray.data.TaskPoolStrategy(size=self._workers)
        try:
            for row in tasks.map(_perform, num_cpus=1, compute=at_once).iter_rows():
                yield row["place"], read_answer(row["answer"])
        except ray.exceptions.RayError as problem:
            raise FlowclassError(f"Ray ended the run: {problem}") from problem

    def close(self) -> None:
        """End the cluster, if it was started here."""
        if self._mine:
            ray.shutdown()


def _perform(row: dict[str, Any]) -> dict[str, Any]:
    return {"place": row["place"], "answer": answered(row["message"])}

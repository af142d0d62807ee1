"""What a person sees while a run on many workers goes on: a bar a stage on a terminal, else a line every 30 s."""

from __future__ import annotations

import sys
import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

LINE_EVERY_S = 30.0


class Stages(AbstractContextManager["Stages"]):
    """Says on standard error how many tasks of a stage are done.

    Parameters
    ----------
    quiet : bool
        Say nothing.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._bars: Any = None
        self._tasks: dict[str, Any] = {}
        self._said = time.monotonic()

    def __enter__(self) -> Stages:
        """Begin; bars only on a terminal."""
        if not self._quiet and sys.stderr.isatty():
            from rich import progress
            from rich.console import Console

            self._bars = progress.Progress(
                progress.TextColumn("{task.description}"),
                progress.BarColumn(bar_width=24),
                progress.MofNCompleteColumn(),
                progress.TimeElapsedColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bars away."""
        if self._bars is not None:
            self._bars.stop()

    def show(self, stage: str, done: int, of: int) -> None:
        """Take note of where the run is.

        Parameters
        ----------
        stage : str
            Its name.
        done, of : int
            Tasks.
        """
        if self._bars is not None:
            if stage not in self._tasks:
                self._tasks[stage] = self._bars.add_task(stage, total=of)
            self._bars.update(self._tasks[stage], completed=done, total=of)
        elif not self._quiet and time.monotonic() - self._said >= LINE_EVERY_S:
            self._said = time.monotonic()
            print(f"{stage}: {done:,} of {of:,} tasks", file=sys.stderr, flush=True)

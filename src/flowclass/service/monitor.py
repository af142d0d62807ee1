"""Takes note of a run between its batches, in its thread. Gives others the newest status, and whether it goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from flowclass.pipeline.batch import Run
from flowclass.service.status import BatchTimes, Delivering, Status, status_of

if TYPE_CHECKING:
    import pyarrow as pa

EVERY_S = 0.5
STALLED_S = 60.0
"""Without a sign of the run for so long it is not alive: it looks at its sources ten times a second."""


class Monitor:
    """What is known of a run.

    Parameters
    ----------
    every_s : float, optional
        How often a status is taken; None: never.
    """

    def __init__(self, *, every_s: float | None = EVERY_S) -> None:
        self.status: Status | None = None
        self.reading = False
        self.stopping = False
        self._every = every_s
        self._began = self._seen = time.monotonic()
        self._taken = float("-inf")
        self._batches = BatchTimes()
        self._outputs: Sequence[Delivering] = ()
        self._registry: Any = None
        self._registry_loaded = 0.0

    def begin(self, run: Run, outputs: Sequence[Delivering]) -> None:
        """Say that everything is open and reading begins."""
        self._outputs = outputs
        self.reading = True
        self(run)

    def __call__(self, run: Run) -> bool:
        """Take note that the run goes on; says whether a new status was taken."""
        self._seen = time.monotonic()
        if self._every is None or self._seen - self._taken < self._every:
            return False
        self._taken = self._seen
        if run.judges.registry is not self._registry:
            self._registry, self._registry_loaded = run.judges.registry, time.time()
        self.status = status_of(
            run,
            self._outputs,
            began_s=self._began,
            registry_loaded_s=self._registry_loaded,
            batches=self._batches,
        )
        return True

    def timed(
        self, batches: Iterable[pa.RecordBatch], look: Callable[[pa.RecordBatch], None] | None = None
    ) -> Generator[pa.RecordBatch, None, None]:
        """Give the batches on; what the one who takes them does with one is timed."""
        for batch in batches:
            if look is not None:
                look(batch)
            began = time.perf_counter()
            yield batch
            self._batches = self._batches.with_one(time.perf_counter() - began, batch.num_rows)
            self._seen = time.monotonic()

    @property
    def silent_s(self) -> float:
        """Seconds since the run was last seen to go on."""
        return time.monotonic() - self._seen

    def health(self) -> tuple[bool, str]:
        """Say whether the run makes progress, and a sentence."""
        silent = self.silent_s
        if silent < STALLED_S:
            return True, "alive"
        return False, f"no progress for {silent:.0f} s: an output does not take rows, or a registry is being read"

    def readiness(self) -> tuple[bool, str]:
        """Say whether packets are being read, and a sentence."""
        if self.stopping:
            return False, "stopping"
        return (True, "reading") if self.reading else (False, "starting")

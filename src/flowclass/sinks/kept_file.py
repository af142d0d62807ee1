"""What sinks share that write one file from its beginning to its end: they go on in it where a checkpoint was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowclass.sinks.atomic import AtomicFile


class KeptFile:
    """A sink whose file is synced at a checkpoint, and cut back to it after the process was killed."""

    _file: AtomicFile

    def prepare(self, metadata: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Sync the file; what stands at its end is written by ``finish``."""
        return self._file.sync(ending=metadata is not None)

    def publish(self) -> None:
        """Nothing is shown before the end."""

    def resume(self, state: Mapping[str, Any] | None) -> None:
        """Go on in the file; where rows were written as they came, some may come twice."""
        if state is None:
            self._file.keep()
        else:
            self._file.resume(state)

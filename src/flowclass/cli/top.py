"""The dashboard of a live run on a terminal: rate, drops, flows, memory, protocols, outcomes, newest violations.

It is drawn by a thread of its own from what the run left for it: a terminal that stands still holds up no packet. What
came from the wire is shown with its control characters taken out, and nothing of it is taken for markup.
"""

from __future__ import annotations

import logging
import os
import stat
import sys
import threading
from collections import deque
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

from flowclass.cli.dashboard import Violation, screen
from flowclass.cli.output import NO_ROWS
from flowclass.service.monitor import Monitor
from flowclass.service.status import Status

if TYPE_CHECKING:
    import pyarrow as pa

DRAW_EVERY_S = 1.0
MOST_VIOLATIONS = 100
_OUTCOMES = ("violation", "violation_trial")
_COLUMNS = (
    "time_start",
    "src_ip",
    "src_port",
    "dst_ip",
    "dst_port",
    "protocol",
    "tier",
    "policy_outcome",
    "policy_reason",
)


def refuse_top(given: dict[str, Any]) -> None:
    """Raise where there is no terminal for the dashboard, or the flows would be written over it."""
    if not sys.stderr.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        raise click.UsageError("--top draws on a terminal, and standard error is none that can be drawn on")
    rows = given["form"] != NO_ROWS and (given["output"] in (None, "-") or given["table"])
    rows = rows or given["verdicts"] == "-"
    if (rows and sys.stdout.isatty()) or _is_terminal(given["output"]) or _is_terminal(given["verdicts"]):
        raise click.UsageError("--top draws on the terminal that the flows would go to: give -o FILE, or --format none")


def _is_terminal(output: str | None) -> bool:
    if output is None or output == "-":
        return False
    with suppress(OSError):
        path = Path(output)
        if stat.S_ISCHR(path.stat().st_mode):
            descriptor = os.open(path, os.O_WRONLY | os.O_NOCTTY)
            try:
                return os.isatty(descriptor)
            finally:
                os.close(descriptor)
    return False


class Top(AbstractContextManager["Top"]):
    """Draws while it is open.

    Parameters
    ----------
    monitor : Monitor
        Where the newest status is.
    name : str
        Of what is read.
    """

    def __init__(self, monitor: Monitor, name: str) -> None:
        self._monitor, self._name = monitor, name
        self._violations: deque[Violation] = deque(maxlen=MOST_VIOLATIONS)
        self._words = _Words()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._draw, name="flowclass-top", daemon=True)

    def __enter__(self) -> Top:
        """Begin to draw; what is logged meanwhile is shown below, and said once the terminal is as it was."""
        logging.getLogger("flowclass").addHandler(self._words)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the terminal back."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(3.0)
        logging.getLogger("flowclass").removeHandler(self._words)
        for sentence in self._words.said:
            click.echo(sentence, err=True)

    def begin(self) -> None:
        """Take the terminal."""
        self._thread.start()

    def look(self, batch: pa.RecordBatch) -> None:
        """Keep the violations of a batch, in the run's own thread."""
        import pyarrow as pa
        import pyarrow.compute as pc

        outcome = batch.column("policy_outcome")
        found = pc.is_in(outcome.cast(pa.string()), value_set=pa.array(_OUTCOMES))
        rows = pc.indices_nonzero(found.fill_null(False))[-MOST_VIOLATIONS:]
        for row in batch.select(_COLUMNS).take(rows).to_pylist():
            self._violations.append(Violation.of(row))

    def _draw(self) -> None:
        from rich.console import Console
        from rich.live import Live

        console = Console(stderr=True)
        before: Status | None = None
        how: Any = {"screen": True, "auto_refresh": False, "redirect_stdout": False, "redirect_stderr": False}
        with suppress(OSError), Live(console=console, **how) as shown:
            while not self._ended.is_set():
                status = self._monitor.status
                if status is not None:
                    lines = screen(
                        status, before, tuple(self._violations), size=console.size, name=self._name,
                        word=self._words.said[-1] if self._words.said else "",
                    )  # fmt: skip
                    shown.update(lines, refresh=True)
                    before = status
                self._ended.wait(DRAW_EVERY_S)


class _Words(logging.Handler):
    """Keeps what was said."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: deque[str] = deque(maxlen=20)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one sentence."""
        self.said.append(record.getMessage())

"""What a person sees while a run goes on: a bar on a terminal, else a line every 30 s."""

from __future__ import annotations

import sys
import time
from contextlib import AbstractContextManager
from types import TracebackType

from flowclass.cli.values import octets
from flowclass.pipeline.batch import Run

LINE_EVERY_S = 30.0
DRAW_EVERY_S = 0.2


class Progress(AbstractContextManager["Progress"]):
    """Says on standard error how far a run is.

    Parameters
    ----------
    quiet : bool
        Say nothing.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._bar: _Bar | None = None
        self._began = self._said = time.monotonic()

    def __enter__(self) -> Progress:
        """Begin; a bar only on a terminal."""
        if not self._quiet and sys.stderr.isatty():
            self._bar = _Bar()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, run: Run) -> None:
        """Take note of where the run is."""
        if self._quiet:
            return
        now = time.monotonic()
        if now - self._said < (LINE_EVERY_S if self._bar is None else DRAW_EVERY_S):
            return
        self._said = now
        if self._bar is not None:
            self._bar.show(run, now - self._began)
        else:
            print(_line(run, now - self._began), file=sys.stderr, flush=True)


class _Bar:
    """The bar of a terminal."""

    def __init__(self) -> None:
        from rich import progress
        from rich.console import Console

        self._progress = progress.Progress(
            progress.BarColumn(bar_width=24),
            progress.TaskProgressColumn(),
            progress.DownloadColumn(binary_units=True),
            progress.TransferSpeedColumn(),
            progress.TimeRemainingColumn(),
            progress.TextColumn("{task.description}"),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._progress.add_task("", total=None)
        self._progress.start()

    def show(self, run: Run, seconds: float) -> None:
        self._progress.update(
            self._task, total=run.octets_total, completed=run.octets_read, description=_facts(run, seconds)
        )

    def stop(self) -> None:
        self._progress.stop()


def _facts(run: Run, seconds: float) -> str:
    packets = run.balance.packets_read
    vpn = run.tally.by("protocol_class")[("vpn",)]
    rate = packets / seconds if seconds > 0 else 0.0
    return f"{packets:,} packets ({rate:,.0f}/s), {run.tally.flows:,} flows, {vpn:,} VPN"


def _line(run: Run, seconds: float) -> str:
    total = run.octets_total
    share = f" of {octets(total)}" if total else ""
    return f"{seconds:.0f} s: {octets(run.octets_read)}{share}, {_facts(run, seconds)}"

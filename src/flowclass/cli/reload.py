"""Registry and policy that change while a command runs: SIGHUP, and what is said of them."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import click

from flowclass.cli.values import clean
from flowclass.pipeline.batch import Run
from flowclass.pipeline.reload import JudgesFiles, Reloader


@contextmanager
def reloading(run: Run, files: JudgesFiles, *, quiet: bool) -> Iterator[None]:
    """Look after the files of a run's judges for its time; SIGHUP has them loaded at once.

    Parameters
    ----------
    run : Run
        The run.
    files : JudgesFiles
        As they were before the run's were read.
    quiet : bool
        Say nothing but what was wrong.
    """

    def say(text: str) -> None:
        if not quiet or text.startswith("error: "):
            click.echo("\n".join(clean(line) for line in text.splitlines()), err=True)

    with Reloader(run.judges, files, say) as reloader:
        if not files.files:
            yield
            return
        before = signal.signal(signal.SIGHUP, lambda number, frame: reloader.ask())
        try:
            yield
        finally:
            signal.signal(signal.SIGHUP, before)

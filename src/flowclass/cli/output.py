"""Where the records of a command go: what -o and --format mean, and the loop that fills the sinks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from flowclass.cli.options import Command, setting
from flowclass.errors import OutputError
from flowclass.sinks import BINARY, FORMATS, SUFFIXES, Sink, open_sink

NO_ROWS = "none"


def with_output(command: Command) -> Command:
    """Declare ``-o`` and ``--format``."""
    return _with_formats(command, FORMATS, "By default what the name of the output says.")


def with_output_or_none(command: Command) -> Command:
    """Declare ``-o`` and ``--format``, which may be none."""
    said = "By default what the name of the output says; with none no flow is written, only the summary."
    return _with_formats(command, (*FORMATS, NO_ROWS), said)


def _with_formats(command: Command, formats: Sequence[str], said: str) -> Command:
    command = setting("--format", "form", type=click.Choice(formats), help=said)(command)
    return setting("-o", "--output", metavar="FILE|DIR|-", help="Where the flows go; - is standard output.")(command)


def target_of(output: str | None, form: str | None, *, source: Path | None = None) -> tuple[Path | None, str]:
    """Give the path, None for standard output, and the format that -o and --format mean.

    Parameters
    ----------
    output, form : str or None
        As given.
    source : Path, optional
        What is read meanwhile, so that it cannot be the output.

    Raises
    ------
    click.UsageError
        When they do not say a format, the format is not for a terminal, or the output is the input.
    OutputError
        When a folder cannot be made.
    """
    if output is None or output == "-":
        form = form or "jsonl"
        if form in BINARY and sys.stdout.isatty():
            raise click.UsageError(f"{form} is not for a terminal: give -o FILE, or send standard output elsewhere")
        return None, form
    path = Path(output)
    if path.is_dir() or output.endswith("/"):
        form = form or "parquet"
        try:
            path.mkdir(exist_ok=True)
        except OSError as problem:
            why = (problem.strerror or str(problem)).lower()
            raise OutputError(f"{output}: cannot be made: {why}; make the folder first") from problem
        path = path / f"flows.{form}"
    elif form is None:
        form = SUFFIXES.get(path.suffix.lower())
    if form is None:
        raise click.UsageError(
            f"the name {output!r} does not say a format: end it in {', '.join(sorted(SUFFIXES))}, or give --format"
        )
    if source is not None and source.exists() and path.resolve() == source.resolve():
        raise click.UsageError(f"{path} is the input: give another file")
    return path, form


def sink_for(target: Path | None, form: str, schema: Any, metadata: Mapping[str, str]) -> Sink:
    """Open the sink of a target; standard output for None."""
    return open_sink(form, target or sys.stdout.buffer, schema, metadata)


def fill(sinks: Iterable[Sink], batches: Iterable[Any], closing: Callable[[], Mapping[str, str]]) -> None:
    """Write all batches to all sinks; after a failure none of them leaves anything behind.

    Parameters
    ----------
    sinks : iterable of Sink
        Open ones.
    batches : iterable of pyarrow.RecordBatch
        The records.
    closing : callable
        Gives, when all records were given, what the files say about the run besides what they said at the beginning.
    """
    sinks = list(sinks)
    try:
        for batch in batches:
            for sink in sinks:
                sink.write(batch)
        for sink in sinks:
            sink.finish(closing())
    except BaseException:
        for sink in sinks:
            sink.abort()
        raise

"""Where the records of a command go: what -o, --format, --rotate and --on-slow mean, and the loop that fills sinks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flowclass.cli.options import Command, setting
from flowclass.cli.values import duration, size
from flowclass.errors import ConfigError, OutputError
from flowclass.sinks import BINARY, FILE_NAMES, FOREIGN, FOREIGN_SUFFIXES, FORMATS, SUFFIXES, Sink, open_sink
from flowclass.sinks.address import FORMS, Address, is_address, parse

if TYPE_CHECKING:
    from flowclass.sinks.delivered import Delivered
    from flowclass.sinks.rotating import Rotation

NO_ROWS = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where records go.

    Parameters
    ----------
    target : Path, Address or None
        A file; with `rotation` a folder; None for standard output.
    form : str
        The format.
    rotation : Rotation, optional
        When one file ends and the next begins.
    drop : bool
        Whether rows are dropped and counted rather than that the run waits, or ends.
    """

    target: Path | Address | None
    form: str
    rotation: Rotation | None = None
    drop: bool = False

    @property
    def name(self) -> str | None:
        """For people; None for standard output."""
        return None if self.target is None else str(self.target)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A sink that was opened, for the summary.

    Parameters
    ----------
    name : str or None
        None for standard output.
    sink : Sink
        The same.
    early : bool
        Whether it takes early verdicts, not flows.
    """

    name: str | None
    sink: Sink
    early: bool = False

    @property
    def delivered(self) -> Delivered | None:
        """What became of its rows, where it counts."""
        found: Delivered | None = getattr(self.sink, "delivered", None)
        return found


def with_output(command: Command) -> Command:
    """Declare the options that say where records go."""
    return _with_formats(command, (*FORMATS, *FOREIGN), "By default what the name of the output says.")


def with_output_or_none(command: Command) -> Command:
    """Declare the options that say where records go; the format may be none."""
    said = "By default what the name of the output says; with none no flow is written, only the summary."
    return _with_formats(command, (*FORMATS, *FOREIGN, NO_ROWS), said)


def _with_formats(command: Command, formats: Sequence[str], said: str) -> Command:
    options = (
        setting(
            "-o", "--output", metavar="FILE|DIR|ADDRESS|-",
            help="Where the flows go; - is standard output. ADDRESS: tcp://, unix://, nats://, kafka://.",
        ),
        setting("--format", "form", type=click.Choice(formats), help=said),
        setting("--rotate", type=duration, help="With -o DIR: a file for every span of packet time, e.g. 15m."),
        setting("--rotate-size", type=size, help="With -o DIR: a new file when one has so many octets, e.g. 512MiB."),
        setting("--rotate-rows", type=click.IntRange(min=1), help="With -o DIR: a new file after so many flows."),
        setting(
            "--on-slow", type=click.Choice(["wait", "drop"]), default="wait", show_default=True,
            help="When a receiver is slow or gone: wait, and end with 6 when it is gone; or drop flows and count them.",
        ),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def place_of(given: Mapping[str, Any], *, source: Path | None = None) -> Place:
    """Give what the options say of where records go.

    Parameters
    ----------
    given : mapping
        The options by their names.
    source : Path, optional
        What is read meanwhile, so that it cannot be the output.

    Raises
    ------
    click.UsageError
        When they do not say a format, contradict each other, or the output is the input.
    OutputError
        When a folder cannot be made.
    """
    output, form, drop = given["output"], given["form"], given["on_slow"] == "drop"
    rotation = _rotation(given)
    if output is not None and is_address(output):
        return _sent(output, form, rotation, drop=drop)
    if rotation is not None:
        return _rotated(output, form, rotation, drop=drop)
    if output is None or output == "-":
        form = form or "jsonl"
        if form in BINARY and sys.stdout.isatty():
            raise click.UsageError(f"{form} is not for a terminal: give -o FILE, or send standard output elsewhere")
        return Place(target=None, form=form, drop=drop)
    path, form = _file(output, form)
    if source is not None and source.exists() and path.resolve() == source.resolve():
        raise click.UsageError(f"{path} is the input: give another file")
    if drop and (path.is_file() or not path.exists()):
        raise click.UsageError(
            f"--on-slow drop: {path} is one file, whole or not at all: give --rotate too, an address, or a pipe"
        )
    return Place(target=path, form=form, drop=drop)


def _file(output: str, form: str | None) -> tuple[Path, str]:
    path = Path(output)
    if path.is_dir() or output.endswith("/"):
        form = form or "parquet"
        try:
            path.mkdir(exist_ok=True)
        except OSError as problem:
            why = (problem.strerror or str(problem)).lower()
            raise OutputError(f"{output}: cannot be made: {why}; make the folder first") from problem
        return path / FILE_NAMES.get(form, f"flows.{form}"), form
    named = SUFFIXES | FOREIGN_SUFFIXES
    form = form or named.get(path.suffix.lower())
    if form is None:
        raise click.UsageError(
            f"the name {output!r} does not say a format: end it in {', '.join(sorted(named))}, or give --format"
        )
    return path, form


def _sent(output: str, form: str | None, rotation: Rotation | None, *, drop: bool) -> Place:
    try:
        address = parse(output)
    except ConfigError as problem:
        raise click.UsageError(str(problem)) from None
    forms = FORMS[address.scheme]
    if form is not None and form not in forms:
        raise click.UsageError(f"{output}: --format {form} is not sent there: give one of {', '.join(forms)}")
    if rotation is not None:
        raise click.UsageError(f"{output} is an address, and --rotate is for files: leave one of them out")
    return Place(target=address, form=form or forms[0], drop=drop)


def _rotated(output: str | None, form: str | None, rotation: Rotation, *, drop: bool) -> Place:
    if output is None or output == "-" or (Path(output).exists() and not Path(output).is_dir()):
        raise click.UsageError("--rotate makes several files: give -o DIR")
    if form == NO_ROWS:
        raise click.UsageError("--format none writes no flows, and --rotate says into which files: give one of them")
    return Place(target=Path(output), form=form or "parquet", rotation=rotation, drop=drop)


def _rotation(given: Mapping[str, Any]) -> Rotation | None:
    every, octets, rows = given["rotate"], given["rotate_size"], given["rotate_rows"]
    if every is None and octets is None and rows is None:
        return None
    from flowclass.sinks.rotating import Rotation

    try:
        return Rotation(every_ns=every, octets=octets, rows=rows)
    except ConfigError as problem:
        raise click.UsageError(str(problem)) from None


def sink_for(place: Place, schema: Any, metadata: Mapping[str, str], *, kept: bool = False) -> Sink:
    """Open the sink of a place; a receiver that may be slow is written to from a thread.

    `kept`: it takes part in checkpoints.
    """
    if not place.drop and not isinstance(place.target, Address):
        return _opened(place, schema, metadata, kept=kept)
    from flowclass.sinks.queued import QueuedSink

    opened: list[bool] = []

    def make() -> Sink:
        if opened and place.target is None:
            raise OutputError("standard output: its reader ended")
        opened.append(True)
        return _opened(place, schema, metadata)

    return QueuedSink(make, drop=place.drop)


def _opened(place: Place, schema: Any, metadata: Mapping[str, str], *, kept: bool = False) -> Sink:
    target = place.target
    if isinstance(target, Address):
        from importlib import import_module

        module = "connection" if target.scheme in ("tcp", "unix") else target.scheme
        made: Sink = import_module(f"flowclass.sinks.{module}").Sink(target, place.form, schema, metadata)
        return made
    if place.rotation is not None and target is not None:
        from flowclass.sinks.rotating import RotatingSink

        return RotatingSink(target, place.form, place.rotation, schema, metadata, kept=kept)
    if target is None and place.drop:
        raw: Any = FileIO(sys.stdout.fileno(), "wb", closefd=False)  # nothing is left in a buffer when a reader is gone
        raw.name = "standard output"
        return open_sink(place.form, raw, schema, metadata)
    return open_sink(place.form, target or sys.stdout.buffer, schema, metadata)


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

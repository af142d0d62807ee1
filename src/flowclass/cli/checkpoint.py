"""What --checkpoint means: how a run is kept, gone on with, and ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from flowclass.cli.options import Command, setting
from flowclass.cli.output import NO_ROWS, Place, fill, place_of
from flowclass.cli.values import clean, duration
from flowclass.pipeline.batch import Run
from flowclass.pipeline.checkpoint import Checkpoint
from flowclass.pipeline.metadata import closing
from flowclass.pipeline.options import RunOptions
from flowclass.sinks import BINARY, KeptSink, Sink
from flowclass.sinks.address import Address
from flowclass.sources.watch import WatchedFolder
from flowclass.types import SECOND_NS


def with_checkpoint(command: Command) -> Command:
    """Declare the options of checkpoints."""
    options = (
        setting(
            "--checkpoint", type=click.Path(path_type=Path), metavar="FILE",
            help="Keep the run in FILE; after a kill or a signal the same command goes on from there.",
        ),
        setting(
            "--checkpoint-every", type=duration, default="60s", show_default=True,
            help="With --checkpoint: how often it is written.",
        ),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@contextmanager
def kept(given: Mapping[str, Any], options: RunOptions) -> Iterator[Checkpoint | None]:
    """Open the checkpoint that was asked for; None where none was.

    Raises
    ------
    click.UsageError
        When the outputs cannot go on.
    ConfigError
        When the file is refused.
    """
    if given["checkpoint"] is None:
        yield None
        return
    place = None if given["form"] == NO_ROWS else place_of(given)
    _refuse(given, place)
    if any(function.kind == "fingerprint" for function in options.engine.udf):
        raise click.UsageError("--checkpoint: what a fingerprint of --udf found cannot be kept: leave one of them out")
    checkpoint = Checkpoint(
        given["checkpoint"],
        every_s=max(given["checkpoint_every"], 1) / SECOND_NS,
        options=_said(options, place),
    )
    try:
        yield checkpoint
    finally:
        checkpoint.close()


def fill_all(
    sinks: Sequence[Sink], batches: Iterable[Any], run: Run, checkpoint: Checkpoint | None, *, quiet: bool
) -> None:
    """Write all rows of a run to all sinks; with a checkpoint from where they were."""
    if checkpoint is None:
        fill(sinks, batches, lambda: closing(run.balance))
        return
    if not quiet:
        _say_resumed(checkpoint)
    try:
        checkpoint.attach([sink for sink in sinks if isinstance(sink, KeptSink)])
        for batch in batches:
            for sink in sinks:
                sink.write(batch)
        if run.suspended:
            for sink in sinks:
                sink.abort()
            return
        _end(sinks, run, checkpoint)
    except BaseException:
        for sink in sinks:
            sink.abort()
        raise


def _end(sinks: Sequence[Sink], run: Run, checkpoint: Checkpoint) -> None:
    """Complete the outputs of a run that came to its end, and remove its checkpoint."""
    metadata = closing(run.balance)
    run.end(metadata)
    for sink in sinks:
        sink.finish(metadata)
    for source in run.sources:
        if isinstance(source, WatchedFolder):
            source.save()
    checkpoint.remove()


def _say_resumed(checkpoint: Checkpoint) -> None:
    """Print that a run goes on, and where."""
    if checkpoint.found is not None:
        written = datetime.fromtimestamp(checkpoint.found.written_ns / SECOND_NS, UTC)
        click.echo(f"resumed   from {clean(checkpoint.name)}, written {written:%Y-%m-%dT%H:%M:%S}Z", err=True)


def _refuse(given: Mapping[str, Any], place: Place | None) -> None:
    """Raise where an output cannot go on where it was."""
    if given["table"]:
        raise click.UsageError("--table is printed of all flows at the end, and a checkpoint keeps none: leave it out")
    if given["verdicts"] is not None:
        raise click.UsageError("--checkpoint: early verdicts are not kept: leave --verdicts out")
    if place is None:
        return
    if given["output"] is None and given["form"] is None:
        raise click.UsageError("--checkpoint: say where the flows go with -o, or with --format for standard output")
    if place.rotation is None and not isinstance(place.target, Address):
        one_file = place.form == "parquet" or (place.form in BINARY and place.target is not None)
        if one_file:
            raise click.UsageError(
                f"--checkpoint: a file of {place.form} is whole at its end only and cannot be gone on with: give"
                " --rotate and a folder, or another format"
            )
    if place.drop and not isinstance(place.target, Address):
        raise click.UsageError("--checkpoint: what --on-slow drop drops does not come again: leave it out")


def _said(options: RunOptions, place: Place | None) -> dict[str, str]:
    """Give what has to be the same when the run goes on, by the options' names."""
    engine = options.engine
    said = {
        "--threads": options.threads,
        "--memcap": engine.memcap,
        "--idle-timeout": f"{engine.idle_timeout_ns} ns",
        "--active-timeout": f"{engine.active_timeout_ns} ns",
        "--features": engine.features,
        "--heads": engine.heads,
        "--anonymize": "no" if engine.anonymize is None else f"key {engine.anonymize.fingerprint}",
        "--registry": options.registry is not None,
        "--policy": options.policy is not None,
        "--udf": ", ".join(f"{function.name} {function.sha256[:8]}" for function in engine.udf) or "none",
        "-o": "nothing",
    }
    if place is not None:
        target = place.target
        said["-o"] = str(target.resolve()) if isinstance(target, Path) else str(target or "standard output")
        said["--format"] = place.form
        said |= {f"rotate {name}": value for name, value in asdict(place.rotation).items()} if place.rotation else {}
    words = {True: "yes", False: "no"}
    return {
        name: words[value] if isinstance(value, bool) else str(value)
        for name, value in said.items()
        if value is not None
    }

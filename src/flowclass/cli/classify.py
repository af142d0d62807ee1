"""``flowclass classify``: captures in, flows with verdicts out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from io import FileIO
from typing import Any

import click

from flowclass.cli.checkpoint import fill_all, kept, with_checkpoint
from flowclass.cli.distributed import classify_distributed, refuse_workers, with_workers
from flowclass.cli.exit_codes import Exit
from flowclass.cli.options import common, files, setting, with_config
from flowclass.cli.output import with_output_or_none
from flowclass.cli.progress import Progress
from flowclass.cli.run import exit_code, open_sinks, refuse_rows, run_options, say_end, with_run
from flowclass.cli.values import clean
from flowclass.cli.verdicts import early_verdicts
from flowclass.pipeline.batch import Run
from flowclass.pipeline.stop import Stop
from flowclass.sources import Source
from flowclass.sources.file import Found, find
from flowclass.sources.stream import StreamSource
from flowclass.types import SourceReport

MOST_ORDER = 8


@click.command(name="classify", short_help="Say for every flow which protocol it is, with evidence.")
@click.argument("sources", nargs=-1, required=True, metavar="SRC...", shell_complete=files)
@with_config
@with_output_or_none
@with_run
@with_checkpoint
@setting(
    "--files",
    type=click.Choice(["stream", "each"]),
    default="stream",
    show_default=True,
    help="All sources as one stream in time order, or each by itself.",
)
@with_workers
@common
def classify(sources: tuple[str, ...], **given: Any) -> int:
    """Say for every flow in SRC... which protocol it is, with evidence, and whether its ends are registered.

    SRC is a file, a folder, a quoted glob, @list.txt, or - for standard input: pcap or pcapng, also compressed (gz,
    zst, lz4, bz2, xz), recognised by content. Without -o a table is printed on a terminal, JSON lines elsewhere.
    With --json and -o FILE, or --format none, the summary is printed as JSON.

    With --engine the captures are spread over workers; SRC may be a URL too, e.g. s3://bucket/captures.
    """  # fmt: skip
    if given["engine"] is not None:
        return classify_distributed(sources, given)
    refuse_workers(given)
    refuse_rows(given)
    options = run_options(given, files=given["files"])
    opened, found = _open(sources)
    problems = [SourceReport(name=name, problem="unreadable", sentence=sentence) for name, sentence in found.problems]
    if not opened:
        for problem in problems:
            click.echo(f"error: {clean(problem.sentence)}", err=True)
        if found.passed_over:
            click.echo(f"error: none of the {len(found.passed_over)} files found is a capture", err=True)
        return Exit.NO_INPUT
    stop = Stop()
    with (
        stop.on_signals(),
        Progress(quiet=given["quiet"]) as progress,
        early_verdicts(given) as verdicts,
        kept(given, options) as checkpoint,
    ):
        run = Run(
            opened,
            options,
            problems=problems,
            stop=stop,
            progress=progress,
            verdicts=verdicts.take,
            checkpoint=checkpoint,
        )
        if not given["quiet"]:
            _say_sources(run, found, verbose=given["verbose"])
        sinks, outputs = open_sinks(given, run, kept=checkpoint is not None)
        fill_all(sinks, run.batches(), run, checkpoint, quiet=given["quiet"])
    outputs += verdicts.outputs
    say_end(run, outputs, given)
    return exit_code(run, fail_on_violation=given["fail_on_violation"], outputs=outputs)


def _open(texts: Sequence[str]) -> tuple[list[Source], Found]:
    files = find(text for text in texts if text != "-")
    opened: list[Source] = list(files.sources)
    if "-" in texts:
        opened.append(StreamSource(FileIO(sys.stdin.fileno(), closefd=False), "-"))
    return opened, files


def _say_sources(run: Run, found: Found, *, verbose: bool) -> None:
    if len(run.sources) > 1 and run.options.files == "stream":
        click.echo(f"order     {len(run.sources)} sources by their first packets", err=True)
        shown = run.sources if verbose else run.sources[:MOST_ORDER]
        for source, time in zip(shown, run.first_times, strict=False):
            click.echo(f"  {_written(time):<30} {clean(source.name)}", err=True)
        if len(shown) < len(run.sources):
            click.echo(f"  {len(run.sources) - len(shown)} more with -v", err=True)
    for what, names in (("are no captures", found.passed_over), ("were given twice", found.repeated)):
        if names:
            listed = ", ".join(clean(name) for name in (names if verbose else names[:3]))
            more = "" if verbose or len(names) <= 3 else ", ..."
            click.echo(f"left out  {len(names)} files that {what}: {listed}{more}", err=True)


def _written(time: int | None) -> str:
    if time is None:
        return "no packet"
    try:
        whole = datetime.fromtimestamp(time // 1_000_000_000, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{time} ns"
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{time % 1_000_000_000:09d}Z"

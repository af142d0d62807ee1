"""What ``classify --engine`` does: the same flows, on many workers, into a folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from flowclass.cli.options import Command, setting
from flowclass.cli.run import exit_code, run_options, say_end
from flowclass.cli.stages import Stages
from flowclass.cli.values import size

if TYPE_CHECKING:
    from flowclass.distributed import Progress

_LEAST = 16 << 20


def with_workers(command: Command) -> Command:
    """Declare the options of runs on many workers."""
    options = (
        setting(
            "--engine", type=click.Choice(["local", "ray", "spark"]),
            help="Spread the captures over workers: processes, Ray or Spark. With -o DIR or URL.",
        ),
        setting("--workers", type=click.IntRange(min=1), help="With --engine: how many tasks run at once."),
        setting(
            "--capture-point", metavar="REGEX",
            help="With --engine: the first group names the capture point of a file, by its path.",
        ),
        setting(
            "--range-size", type=size, default="1GiB", show_default=True,
            help="With --engine: larger pcap files are cut into pieces of about so many octets.",
        ),
        setting(
            "--group-size", type=size, default="64MiB", show_default=True,
            help="With --engine: one task reads small files that follow one another up to so many octets.",
        ),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def refuse_workers(given: dict[str, Any]) -> None:
    """Raise where an option of ``--engine`` was given without it."""
    for name in ("workers", "capture_point"):
        if given[name] is not None:
            raise click.UsageError(f"--{name.replace('_', '-')} goes with --engine only")


def classify_distributed(sources: Sequence[str], given: dict[str, Any]) -> int:
    """Run on many workers; give the exit code."""
    from flowclass.distributed import classify

    _refuse(sources, given)
    options = run_options(given)
    with Stages(quiet=given["quiet"]) as stages:
        run = classify(
            sources,
            given["output"],
            engine=given["engine"],
            workers=given["workers"],
            registry=options.registry,
            policy=given["policy"],
            options=options.engine,
            capture_point=given["capture_point"],
            range_octets=given["range_size"],
            group_octets=given["group_size"],
            progress=_shown(stages),
        )
    say_end(run, [], given)
    return exit_code(run, fail_on_violation=given["fail_on_violation"])


def _shown(stages: Stages) -> Callable[[Progress], None]:
    return lambda progress: stages.show(progress.stage, progress.done, progress.of)


def _refuse(sources: Sequence[str], given: dict[str, Any]) -> None:
    if given["output"] in (None, "-"):
        raise click.UsageError("--engine writes several files: give -o DIR, or the URL of a folder")
    if given["form"] not in (None, "parquet"):
        raise click.UsageError(f"--engine writes Parquet: leave --format {given['form']} out")
    if "-" in sources:
        raise click.UsageError("--engine reads files that workers can open: standard input is none")
    if given["files"] != "stream":
        raise click.UsageError("--engine makes one stream of a capture point: leave --files out, give --capture-point")
    if given["verdicts"] is not None:
        raise click.UsageError("--engine reads captures that are over: leave --verdicts out")
    if given["checkpoint"] is not None:
        raise click.UsageError("--engine does a piece again when its worker is gone: leave --checkpoint out")
    if given["table"]:
        raise click.UsageError("--engine prints no table: leave --table out, and read the folder with flowclass report")
    if any(given[name] is not None for name in ("rotate", "rotate_size", "rotate_rows")):
        raise click.UsageError("--engine writes a file for each piece: leave --rotate out")
    if given["range_size"] < _LEAST:
        raise click.UsageError("--range-size is too small: give 16MiB or more")

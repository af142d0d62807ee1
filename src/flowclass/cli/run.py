"""What the commands share that make flows of packets: their options, sinks, summary and exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flowclass.cli import summary
from flowclass.cli.anonymize import anonymizer_of, with_anonymize
from flowclass.cli.exit_codes import Exit, of_sources
from flowclass.cli.options import Command, setting
from flowclass.cli.output import NO_ROWS, Output, place_of, sink_for
from flowclass.cli.udf import udf_metadata, user_functions, with_udf
from flowclass.cli.values import clean, duration, size
from flowclass.cli.verdicts import with_verdicts
from flowclass.pipeline.batch import Run
from flowclass.pipeline.finished import Finished
from flowclass.pipeline.metadata import json_text, run_metadata
from flowclass.pipeline.options import Files, RunOptions
from flowclass.schema import arrow_schema
from flowclass.sinks import Sink
from flowclass.sources import ByteSource
from flowclass.types import EngineOptions

if TYPE_CHECKING:
    from flowclass.policy import Policy
    from flowclass.registry import Registry


def with_run(command: Command) -> Command:
    """Declare the options of every command that makes flows of packets."""
    options = (
        setting("--table", is_flag=True, help="Print the table too, with -o and where no terminal is."),
        setting("--registry", type=click.Path(path_type=Path), help="The registered endpoints."),
        setting("--policy", type=click.Path(path_type=Path), help="What follows from them; a TOML file."),
        setting("--threads", type=click.IntRange(1, 256), default=1, show_default=True, help="Workers."),
        setting(
            "--memcap", type=size, default=0, help="Cap of the flow table, e.g. 512MiB; default: a quarter of memory."
        ),
        setting("--idle-timeout", type=duration, default="120s", show_default=True, help="A silent flow has ended."),
        setting("--active-timeout", type=duration, default="30m", show_default=True, help="An old flow is cut."),
        setting("--features", is_flag=True, help="Columns of statistics too: lengths, times, control bits, entropy."),
        setting("--heads", is_flag=True, help="Keep what the fingerprints saw, for match. It holds payload."),
        with_udf,
        with_anonymize,
        with_verdicts,
        setting("--fail-on-violation", is_flag=True, help="Exit with 10 when a flow is a violation."),
        click.option("-q", "--quiet", is_flag=True, help="Only errors on standard error."),
        click.option("-v", "--verbose", is_flag=True, help="Every source and every problem on standard error."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def refuse_rows(given: dict[str, Any]) -> None:
    """Raise where no rows are wanted and a place for them was named."""
    if given["form"] != NO_ROWS:
        return
    if given["output"] is not None:
        raise click.UsageError("--format none writes no flows, and -o says where they go: give one of them")
    if given["table"]:
        raise click.UsageError("--format none writes no flows, and --table prints them: give one of them")


def run_options(given: dict[str, Any], *, files: Files = "stream", latency_s: float | None = None) -> RunOptions:
    """Give the options of a run as they were given."""
    registry, policy = given["registry"], given["policy"]
    anonymize = anonymizer_of(given["anonymize"], given["key_file"], quiet=given["quiet"])
    if anonymize is not None and given["heads"]:
        raise click.UsageError("--heads keeps payload, which --anonymize cannot anonymise: leave one of them out")
    return RunOptions(
        registry=None if registry is None else _registry(registry),
        policy=None if policy is None else _policy(policy),
        threads=given["threads"],
        files=files,
        rows=given["form"] != NO_ROWS,
        latency_s=latency_s,
        engine=EngineOptions(
            memcap=given["memcap"],
            idle_timeout_ns=given["idle_timeout"],
            active_timeout_ns=given["active_timeout"],
            heads=given["heads"],
            features=given["features"],
            anonymize=anonymize,
            udf=user_functions(given["udf"]),
        ),
    )


def _registry(path: Path) -> Registry:
    from flowclass.registry import Registry

    return Registry.load(path)


def _policy(path: Path) -> Policy:
    from flowclass.policy import Policy

    return Policy.load(path)


def records(run: Run) -> Iterator[Any]:
    """Give the records of a run. What fails, fails while sinks are filled, and then they leave nothing behind."""
    yield from run.batches()


def open_sinks(given: Mapping[str, Any], run: Run, *, kept: bool = False) -> tuple[list[Sink], list[Output]]:
    """Open what the records go into; give for the summary what is not the table."""
    form, output = given["form"], given["output"]
    if form == NO_ROWS:
        return [], []
    to_terminal = output is None and form is None and not given["as_json"] and sys.stdout.isatty()
    sinks: list[Sink] = []
    outputs: list[Output] = []
    if not to_terminal and not (output is None and form is None and given["table"]):
        place = place_of(given)
        engine = run.options.engine
        schema = arrow_schema(heads=engine.heads, features=engine.features, udf=engine.udf)
        sinks.append(sink_for(place, schema, _metadata(run), kept=kept))
        outputs.append(Output(name=place.name, sink=sinks[0]))
    if to_terminal or given["table"]:
        from flowclass.cli.table import stdout_table

        if output == "-":
            raise click.UsageError("--table and -o - both want standard output: give one of them")
        sinks.append(stdout_table())
    return sinks, outputs


def _metadata(run: Run) -> dict[str, str]:
    options = run.options
    inputs = [
        {"name": run.shown_name(place), "size": source.size if isinstance(source, ByteSource) else None}
        for place, source in enumerate(run.sources)
    ]
    engine = options.engine
    known = run_metadata(engine, registry=options.registry, policy=options.policy, inputs=inputs, files=options.files)
    return known | udf_metadata(engine.udf)


def say_end(
    run: Finished, outputs: list[Output], given: dict[str, Any], *, also: Mapping[str, str] | None = None
) -> None:
    """Print the summary, as it was asked for; and what else is to be said, by its name."""
    also = also or {}
    if given["as_json"]:
        text = json_text(summary.as_json(run, outputs) | dict(also))
        flows = any(output.name for output in outputs if not output.early)
        takes_stdout = given["form"] != NO_ROWS and (not flows or given["table"])
        click.echo(text, err=takes_stdout or given["verdicts"] == "-")
        return
    if given["quiet"]:
        for report in run.reports:
            if report.problem != "none":
                click.echo(f"error: {summary.problem_line(report)}", err=True)
        return
    for line in (
        *summary.as_text(run, outputs, verbose=given["verbose"]),
        *(f"{name:<9} {clean(said)}" for name, said in also.items()),
    ):
        click.echo(line, err=True)


def exit_code(run: Finished, *, fail_on_violation: bool, outputs: Sequence[Output] = ()) -> int:
    """Give the exit code of a run that came to its end; rows that were dropped make it partial."""
    if run.stopped_by is not None:
        return Exit.SIGNAL + run.stopped_by
    code = of_sources(run.reports)
    if code is not Exit.NO_INPUT and fail_on_violation and run.tally.outcome("violation") > 0:
        return Exit.VIOLATION
    dropped = any(output.delivered is not None and output.delivered.dropped for output in outputs)
    return Exit.PARTIAL if dropped and code is Exit.DONE else code

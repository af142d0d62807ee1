"""``flowclass classify``: captures in, flows with verdicts out."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from flowclass.cli import summary
from flowclass.cli.anonymize import anonymizer_of, with_anonymize
from flowclass.cli.exit_codes import Exit, of_sources
from flowclass.cli.options import common, setting, with_config
from flowclass.cli.output import NO_ROWS, fill, sink_for, target_of, with_output_or_none
from flowclass.cli.progress import Progress
from flowclass.cli.values import clean, duration, size
from flowclass.engine import rules_sha256
from flowclass.pipeline.batch import Run, RunOptions
from flowclass.pipeline.records import BALANCE
from flowclass.pipeline.stop import Stop
from flowclass.schema import FLOW_DEFINITION, SCHEMA_VERSION, arrow_schema
from flowclass.sinks import Sink
from flowclass.sources import ByteSource, Source
from flowclass.sources.file import Found, find
from flowclass.sources.stream import StreamSource
from flowclass.types import EngineOptions, SourceReport
from flowclass.version import __version__

if TYPE_CHECKING:
    from flowclass.policy import Policy
    from flowclass.registry import Registry

MOST_ORDER = 8


@click.command(name="classify", short_help="Say for every flow which protocol it is, with evidence.")
@click.argument("sources", nargs=-1, required=True, metavar="SRC...")
@with_config
@with_output_or_none
@setting("--table", is_flag=True, help="Print the table too, with -o and where no terminal is.")
@setting("--registry", type=click.Path(path_type=Path), help="The registered endpoints.")
@setting("--policy", type=click.Path(path_type=Path), help="What follows from them; a TOML file.")
@setting("--threads", type=click.IntRange(1, 256), default=1, show_default=True, help="Workers.")
@setting("--memcap", type=size, default=0, help="Cap of the flow table, e.g. 512MiB; default: a quarter of memory.")
@setting(
    "--files",
    type=click.Choice(["stream", "each"]),
    default="stream",
    show_default=True,
    help="All sources as one stream in time order, or each by itself.",
)
@setting("--idle-timeout", type=duration, default="120s", show_default=True, help="A silent flow has ended.")
@setting("--active-timeout", type=duration, default="30m", show_default=True, help="An old flow is cut.")
@setting("--features", is_flag=True, help="Columns of statistics too: lengths, times, control bits, entropy.")
@setting("--heads", is_flag=True, help="Keep what the fingerprints saw, for match. It holds payload.")
@with_anonymize
@setting("--fail-on-violation", is_flag=True, help="Exit with 10 when a flow is a violation.")
@click.option("-q", "--quiet", is_flag=True, help="Only errors on standard error.")
@click.option("-v", "--verbose", is_flag=True, help="Every source and every problem on standard error.")
@common
def classify(sources: tuple[str, ...], **given: Any) -> int:
    """Say for every flow in SRC... which protocol it is, with evidence, and whether its ends are registered.

    SRC is a file, a folder, a quoted glob, @list.txt, or - for standard input: pcap or pcapng, also compressed (gz,
    zst, lz4, bz2, xz), recognised by content. Without -o a table is printed on a terminal, JSON lines elsewhere.
    With --json and -o FILE, or --format none, the summary is printed as JSON.
    """  # fmt: skip
    _refuse_rows(given)
    options = _run_options(given)
    opened, found = _open(sources)
    problems = [SourceReport(name=name, problem="unreadable", sentence=sentence) for name, sentence in found.problems]
    if not opened:
        for problem in problems:
            click.echo(f"error: {clean(problem.sentence)}", err=True)
        if found.passed_over:
            click.echo(f"error: none of the {len(found.passed_over)} files found is a capture", err=True)
        return Exit.NO_INPUT
    stop = Stop()
    with stop.on_signals(), Progress(quiet=given["quiet"]) as progress:
        run = Run(opened, options, problems=problems, stop=stop, progress=progress)
        if not given["quiet"]:
            _say_sources(run, found, verbose=given["verbose"])
        sinks, outputs = _open_sinks(given, run)
        fill(sinks, _records(run), lambda: {BALANCE: msgspec.json.encode(summary.balance_json(run.balance)).decode()})
    _say_end(run, outputs, given)
    return _exit_code(run, fail_on_violation=given["fail_on_violation"])


def _records(run: Run) -> Iterator[Any]:
    """Give the records of a run. What fails, fails while sinks are filled, and then they leave nothing behind."""
    yield from run.batches()


def _refuse_rows(given: dict[str, Any]) -> None:
    """Raise where no rows are wanted and a place for them was named."""
    if given["form"] != NO_ROWS:
        return
    if given["output"] is not None:
        raise click.UsageError("--format none writes no flows, and -o says where they go: give one of them")
    if given["table"]:
        raise click.UsageError("--format none writes no flows, and --table prints them: give one of them")


def _run_options(given: dict[str, Any]) -> RunOptions:
    registry, policy = given["registry"], given["policy"]
    anonymize = anonymizer_of(given["anonymize"], given["key_file"], quiet=given["quiet"])
    if anonymize is not None and given["heads"]:
        raise click.UsageError("--heads keeps payload, which --anonymize cannot anonymise: leave one of them out")
    return RunOptions(
        registry=None if registry is None else _registry(registry),
        policy=None if policy is None else _policy(policy),
        threads=given["threads"],
        files=given["files"],
        rows=given["form"] != NO_ROWS,
        engine=EngineOptions(
            memcap=given["memcap"],
            idle_timeout_ns=given["idle_timeout"],
            active_timeout_ns=given["active_timeout"],
            heads=given["heads"],
            features=given["features"],
            anonymize=anonymize,
        ),
    )


def _registry(path: Path) -> Registry:
    from flowclass.registry import Registry

    return Registry.load(path)


def _policy(path: Path) -> Policy:
    from flowclass.policy import Policy

    return Policy.load(path)


def _open(texts: Sequence[str]) -> tuple[list[Source], Found]:
    files = find(text for text in texts if text != "-")
    opened: list[Source] = list(files.sources)
    if "-" in texts:
        opened.append(StreamSource(FileIO(sys.stdin.fileno(), closefd=False), "-"))
    return opened, files


def _open_sinks(given: dict[str, Any], run: Run) -> tuple[list[Sink], list[str]]:
    form, output = given["form"], given["output"]
    if form == NO_ROWS:
        return [], []
    to_terminal = output is None and form is None and not given["as_json"] and sys.stdout.isatty()
    sinks: list[Sink] = []
    outputs: list[str] = []
    if not to_terminal and not (output is None and form is None and given["table"]):
        target, form = target_of(output, form)
        schema = arrow_schema(heads=given["heads"], features=given["features"])
        sinks.append(sink_for(target, form, schema, _metadata(run)))
        outputs += [] if target is None else [str(target)]
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
    timeouts = options.engine
    return {
        "flowclass.schema": SCHEMA_VERSION,
        "flowclass.version": __version__,
        "flowclass.rules_sha256": rules_sha256(),
        "flowclass.registry_version": "" if options.registry is None else str(options.registry.version),
        "flowclass.policy_sha256": "" if options.policy is None else str(options.policy.sha256),
        "flowclass.inputs": msgspec.json.encode(inputs).decode(),
        "flowclass.flow_definition": f"{FLOW_DEFINITION} idle_timeout_ns={timeouts.idle_timeout_ns}"
        f" active_timeout_ns={timeouts.active_timeout_ns} tcp_linger_ns={timeouts.tcp_linger_ns}"
        f" vlan_in_key={timeouts.vlan_in_key} tunnels={timeouts.tunnels} files={options.files}",
        **({} if timeouts.anonymize is None else timeouts.anonymize.metadata()),
    }


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


def _say_end(run: Run, outputs: list[str], given: dict[str, Any]) -> None:
    if given["as_json"]:
        text = msgspec.json.encode(summary.as_json(run, outputs)).decode()
        takes_stdout = given["form"] != NO_ROWS and (not outputs or given["table"])
        click.echo(text, err=takes_stdout)
        return
    if given["quiet"]:
        for report in run.reports:
            if report.problem != "none":
                click.echo(f"error: {summary.problem_line(report)}", err=True)
        return
    for line in summary.as_text(run, outputs, verbose=given["verbose"]):
        click.echo(line, err=True)


def _exit_code(run: Run, *, fail_on_violation: bool) -> int:
    if run.stopped_by is not None:
        return Exit.SIGNAL + run.stopped_by
    code = of_sources(run.reports)
    if code is not Exit.NO_INPUT and fail_on_violation and run.tally.outcome("violation") > 0:
        return Exit.VIOLATION
    return code

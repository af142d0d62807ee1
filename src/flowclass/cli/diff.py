"""``flowclass diff``: which outcomes change from one run to another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import click
import msgspec

from flowclass.cli.exit_codes import Exit
from flowclass.cli.options import common, setting, with_config_for
from flowclass.cli.scope import scope_of
from flowclass.cli.values import clean
from flowclass.registries.timestamps import format_timestamp
from flowclass.run_diff.compare import FlowChange, FlowsAlone, RunDiff, RunFacts
from flowclass.run_diff.compare import diff as compare_runs

SHOWN = 40
NAMED = 10
VERSION_SHOWN = 12
NUMBERS = ("flows", "bytes", "inside")


@click.command(short_help="Say which outcomes change from one run to another.")
@click.argument("run_a", type=click.Path(path_type=Path))
@click.argument("run_b", type=click.Path(path_type=Path))
@with_config_for("registry")
@setting("--registry", type=click.Path(path_type=Path), help="A registry, to tell the category of each registration.")
@click.option(
    "--scope",
    multiple=True,
    metavar="PREFIX|FILE",
    help="The operator's own prefix, or a file with one a line: what is inside. May be given many times; by default"
    " private space is.",
)
@common
def diff(*, run_a: Path, run_b: Path, registry: Path | None, scope: tuple[str, ...], as_json: bool) -> int:
    """Say which outcomes change from RUN_A to RUN_B, and for how many flows, bytes and inside addresses.

    Each run is what classify, match or judge wrote: Parquet, Arrow, JSON lines or CSV, or a folder of these. Flows are
    paired by flow_id, and grouped by protocol, outcome and reason in both runs, with --registry also by the category of
    the registration that decided. Flows that only one run has are counted and named. The header says which registry and
    policy judged each run. A person is shown the first of each kind, --json gives all.

    The exit code is 0 whether something changes or not.
    """
    found = compare_runs(run_a, run_b, registry=registry, scope=scope_of(scope))
    if as_json:
        content = {"schema": "flowclass.diff/1", "nothing_changes": found.nothing_changes, **asdict(found)}
        click.echo(msgspec.json.encode(content).decode())
    else:
        for line in _lines(found, with_category=registry is not None):
            click.echo(clean(line))
    return Exit.DONE


def _lines(found: RunDiff, *, with_category: bool) -> Iterator[str]:
    for name, run in (("A", found.a), ("B", found.b)):
        yield f"run {name}     {run.name}: {run.flows:,} flows; {_judged_by(run)}"
    yield f"inside    {found.inside}"
    if found.nothing_changes:
        yield f"changes   nothing changes: the same {found.paired:,} flows with the same outcomes and reasons"
        return
    other = found.paired - found.same - found.other_outcome
    yield (
        f"flows     {found.paired:,} in both: {found.other_outcome:,} with another outcome"
        f" ({found.other_outcome_inside_addresses:,} inside addresses),"
        f" {other:,} with another reason or protocol alone, {found.same:,} the same"
    )
    for name, alone in (("A", found.alone_a), ("B", found.alone_b)):
        yield from _alone_lines(name, alone)
    yield from _table(_outcome_rows(found), numbers=2)
    if found.changes:
        yield ""
        shown = [_row(change, with_category=with_category) for change in found.changes[:SHOWN]]
        head = ("protocol", "outcome", "reason", *(("category",) if with_category else ()), *NUMBERS, "e.g. flow")
        yield from _table([head, *shown], numbers=len(NUMBERS), behind=1)
        if len(found.changes) > SHOWN:
            yield f"... and {len(found.changes) - SHOWN:,} groups more: --json gives all"


def _judged_by(run: RunFacts) -> str:
    if not run.says:
        return "its format does not say which registry and policy judged it"
    registry, policy = ", ".join(_short(run.registry_versions)), ", ".join(_short(run.policy_sha256s))
    at = ", ".join(format_timestamp(int(one)) if one.isdecimal() else one for one in run.judged_at)
    return (
        f"registry {registry or 'none'}, policy {policy or 'none'},"
        f" {f'as if all had begun at {at}' if at else 'each flow at its own time'}"
    )


def _short(versions: Sequence[str]) -> list[str]:
    return [version[:VERSION_SHOWN] for version in versions]


def _alone_lines(name: str, alone: FlowsAlone) -> Iterator[str]:
    if alone.flows:
        outcomes = ", ".join(f"{outcome or 'not judged'} {flows:,}" for outcome, flows in alone.outcomes)
        yield (
            f"{name} alone   {alone.flows:,} flows, {alone.bytes:,} bytes, {alone.inside_addresses:,} inside addresses:"
            f" {outcomes}"
        )
        left = alone.flows - min(len(alone.flow_ids), NAMED)
        more = f" and {left:,} more" if left else ""
        yield f"          {' '.join(alone.flow_ids[:NAMED])}{more}"


def _outcome_rows(found: RunDiff) -> list[tuple[str, ...]]:
    rows = [(outcome or "not judged", f"{in_a:,}", f"{in_b:,}") for outcome, in_a, in_b in found.outcomes]
    return [("outcome", "A", "B"), *rows]


def _row(change: FlowChange, *, with_category: bool) -> tuple[str, ...]:
    octets = f"{change.bytes_b:,}" if change.bytes_a == change.bytes_b else f"{change.bytes_a:,} -> {change.bytes_b:,}"
    return (
        _turn(change.protocol_a, change.protocol_b),
        _turn(change.outcome_a, change.outcome_b, "not judged"),
        _turn(change.reason_a, change.reason_b),
        *((_turn(change.category_a, change.category_b),) if with_category else ()),
        f"{change.flows:,}",
        octets,
        f"{change.inside_addresses:,}",
        change.flow_id[:VERSION_SHOWN],
    )


def _turn(before: str | None, after: str | None, none: str = "-") -> str:
    return f"{before or none}" if before == after else f"{before or none} -> {after or none}"


def _table(rows: list[tuple[str, ...]], *, numbers: int, behind: int = 0) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    texts = len(widths) - numbers - behind
    for row in rows:
        cells = [
            cell.rjust(widths[place]) if texts <= place < texts + numbers else cell.ljust(widths[place])
            for place, cell in enumerate(row)
        ]
        yield "  ".join(cells).rstrip()

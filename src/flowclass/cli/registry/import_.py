"""``flowclass registry import``: a whole list into the desk."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click
import msgspec

from flowclass import _core
from flowclass.cli.exit_codes import Exit
from flowclass.cli.options import common
from flowclass.cli.registry.at_desk import acting, open_desk
from flowclass.cli.values import clean
from flowclass.desk.acts import Act
from flowclass.errors import RegistryError
from flowclass.registries.source import read_source


@click.command(name="import", short_help="Take a whole list in.")
@click.argument("source", type=click.Path(path_type=Path))
@acting
@common
def import_(source: Path, desk: Path, *, who: str, why: str, at: int | None, as_json: bool) -> int:
    """Take the whole registry SOURCE (CSV, JSON lines, Parquet, SQLite, another desk) in: all of it or nothing.

    The dates of submission and approval say since when a registration was pending and approved; what no date says
    counts from the import on (--at).
    """
    act = Act(who=who, why=why, at=at)
    rows, problems, _ = read_source(source, known_protocols=frozenset(_core.known_protocols()))
    if any(problem.severity == "error" for problem in problems):
        raise RegistryError(f"{source}: the list is refused; correct these and import it again", problems)
    with open_desk(desk, create=True) as opened:
        changes = opened.import_rows(rows, act, name=str(source))
    standing = Counter({change.registration_id: change.to_state for change in changes}.values())
    if as_json:
        content = {
            "schema": "flowclass.registry.import/1",
            "registrations": standing.total(),
            "rows": len(rows),
            "events": len(changes),
            "by_status": dict(sorted(standing.items())),
            "warnings": len(problems),
        }
        click.echo(msgspec.json.encode(content).decode())
        return Exit.DONE
    listed = ", ".join(f"{status} {count:,}" for status, count in sorted(standing.items()))
    click.echo(clean(f"{source}: {standing.total():,} registrations, {len(rows):,} rows taken in: {listed}"))
    if problems:
        click.echo(f"{len(problems):,} warnings; registry check shows them", err=True)
    return Exit.DONE

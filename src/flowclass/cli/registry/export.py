"""``flowclass registry export``: the registry as of any instant, as a file."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from flowclass.cli.exit_codes import Exit
from flowclass.cli.options import common
from flowclass.cli.registry.at_desk import at_desk, moment, open_desk
from flowclass.cli.values import clean
from flowclass.desk.export import export as write
from flowclass.registries.timestamps import format_timestamp


@click.command(short_help="Write the registry as of any instant.")
@at_desk
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help=".csv, .jsonl or .parquet.")
@click.option("--at", type=moment, help="The instant it holds for; now by default.")
@click.option("--known-at", type=moment, help="Leave out what was recorded later than this.")
@click.option("--with-references", is_flag=True, help="Write where the registrar's files lie, too.")
@common
def export(
    desk: Path, output: Path, *, at: int | None, known_at: int | None, with_references: bool, as_json: bool
) -> int:
    """Write the registry as it was at an instant, so that last month's traffic is judged by last month's registry.

    What was back-dated since then counts as of its date; with --known-at the registry is what it was known to be.
    """
    with open_desk(desk) as opened:
        rows = write(opened, output, at=at, known_at=known_at, with_references=with_references)
    if as_json:
        content = {
            "schema": "flowclass.registry.export/1",
            "output": str(output),
            "rows": rows,
            "at": None if at is None else format_timestamp(at),
        }
        click.echo(msgspec.json.encode(content).decode())
    else:
        when = "now" if at is None else format_timestamp(at)
        click.echo(clean(f"{output}: {rows:,} rows, as of {when}"))
    return Exit.DONE

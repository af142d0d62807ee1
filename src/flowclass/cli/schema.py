"""``flowclass schema``: the columns of a flow record."""

from __future__ import annotations

import sys

import click
import msgspec

from flowclass import schema as record
from flowclass.cli.options import common


@click.command(short_help="Print the columns of a flow record.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["md", "json", "arrow"]),
    default="md",
    show_default=True,
    help="Markdown, JSON, or an Arrow IPC schema message.",
)
@common
def schema(form: str, as_json: bool) -> int:
    """Print the columns: name, type, unit, meaning, and what they are called elsewhere."""  # fmt: skip
    if as_json or form == "json":
        content = {
            "schema": "flowclass.schema/1",
            "version": record.SCHEMA_VERSION,
            "columns": record.fields(heads=True, features=True),
        }
        click.echo(msgspec.json.format(msgspec.json.encode(content)).decode())
    elif form == "arrow":
        sys.stdout.buffer.write(record.arrow_schema().serialize().to_pybytes())
    else:
        click.echo(record.markdown(), nl=False)
    return 0

"""``flowclass match``: the verdicts of this build on heads that were saved, without the capture."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from flowclass.anonymize import source_name
from flowclass.cli.anonymize import anonymizer_of, with_anonymize
from flowclass.cli.classify import target_of
from flowclass.cli.exit_codes import Exit
from flowclass.cli.options import common, setting, with_config
from flowclass.engine import rules_sha256
from flowclass.pipeline.match import SavedHeads
from flowclass.schema import SCHEMA_VERSION
from flowclass.sinks import BINARY, FORMATS, Sink, open_sink
from flowclass.version import __version__


@click.command(short_help="Match saved heads again, without the capture.")
@click.argument("flows", type=click.Path(path_type=Path))
@with_config
@setting("-o", "--output", metavar="FILE|DIR|-", help="Where the flows go; - is standard output.")
@setting("--format", "form", type=click.Choice(FORMATS), help="By default what the name of the output says.")
@with_anonymize
@click.option("-q", "--quiet", is_flag=True, help="Only errors on standard error.")
@common
def match(flows: Path, output: str | None, form: str | None, quiet: bool, as_json: bool, **private: Any) -> int:
    """Match the heads in FLOWS, which classify --heads wrote as Parquet or Arrow, with this build's fingerprints.

    Gives the same records; the verdict columns are new. What registry and policy said is null where the verdict is
    another one now. Without -o JSON lines are printed. With --json and -o FILE the summary is printed as JSON. With
    --anonymize the records have no heads.
    """
    if output is not None and output != "-" and flows.exists() and Path(output).resolve() == flows.resolve():
        raise click.UsageError(f"{output} is the input: give another file")
    anonymizer = anonymizer_of(**private, quiet=quiet)
    heads = SavedHeads(flows, anonymizer)
    target, form = target_of(output, form)
    if target is None and form in BINARY and sys.stdout.isatty():
        raise click.UsageError(f"{form} is not for a terminal: give -o FILE, or send standard output elsewhere")
    shown = str(flows) if anonymizer is None else source_name(0)
    metadata = {
        "flowclass.schema": SCHEMA_VERSION,
        "flowclass.version": __version__,
        "flowclass.rules_sha256": rules_sha256(),
        "flowclass.inputs": msgspec.json.encode([{"name": shown, "size": flows.stat().st_size}]).decode(),
        **({} if anonymizer is None else anonymizer.metadata()),
    }
    sink = open_sink(form, target or sys.stdout.buffer, heads.schema, metadata)
    _pump(heads, sink)
    if as_json:
        said = {
            "schema": "flowclass.match/1",
            "flows": heads.rows,
            "changed": heads.changed,
            "output": str(target) if target else None,
        }
        click.echo(msgspec.json.encode(said).decode(), err=target is None)
    elif not quiet:
        click.echo(f"flows     {heads.rows:,} matched again, {heads.changed:,} with another verdict", err=True)
    return Exit.DONE


def _pump(heads: SavedHeads, sink: Sink) -> None:
    try:
        for batch in heads:
            sink.write(batch)
        sink.finish()
    except BaseException:
        sink.abort()
        raise

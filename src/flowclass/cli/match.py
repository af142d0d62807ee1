"""``flowclass match``: the verdicts of this build on heads that were saved, without the capture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from flowclass.anonymize import source_name
from flowclass.cli.anonymize import anonymizer_of, with_anonymize
from flowclass.cli.exit_codes import Exit
from flowclass.cli.options import common, with_config
from flowclass.cli.output import Output, fill, place_of, sink_for, with_output
from flowclass.cli.summary import delivered_json, fault_lines, output_lines
from flowclass.cli.udf import udf_metadata, user_functions, with_udf
from flowclass.engine import rules_sha256
from flowclass.pipeline.match import SavedHeads
from flowclass.pipeline.records import at_beginning, at_end
from flowclass.schema import SCHEMA_VERSION
from flowclass.version import __version__


@click.command(short_help="Match saved heads again, without the capture.")
@click.argument("flows", type=click.Path(path_type=Path))
@with_config
@with_output
@with_udf
@with_anonymize
@click.option("-q", "--quiet", is_flag=True, help="Only errors on standard error.")
@common
def match(flows: Path, quiet: bool, as_json: bool, **given: Any) -> int:
    """Match the heads in FLOWS, which classify --heads wrote as Parquet or Arrow, with this build's fingerprints.

    Gives the same records; the verdict columns are new. What registry and policy said is null where the verdict is
    another one now. Without -o JSON lines are printed. With --json and -o FILE the summary is printed as JSON. With
    --anonymize the records have no heads.
    """
    place = place_of(given, source=flows)
    anonymizer = anonymizer_of(given["anonymize"], given["key_file"], quiet=quiet)
    udf = user_functions(given["udf"])
    heads = SavedHeads(flows, anonymizer, udf)
    shown = str(flows) if anonymizer is None else source_name(0)
    metadata = at_beginning(heads.metadata) | {
        "flowclass.schema": SCHEMA_VERSION,
        "flowclass.version": __version__,
        "flowclass.rules_sha256": rules_sha256(),
        "flowclass.inputs": msgspec.json.encode([{"name": shown, "size": flows.stat().st_size}]).decode(),
        **({} if anonymizer is None else anonymizer.metadata()),
        **udf_metadata(udf),
    }
    made = Output(name=place.name, sink=sink_for(place, heads.schema, metadata))
    fill([made.sink], heads, lambda: at_end(heads.metadata))
    if as_json:
        said = {
            "schema": "flowclass.match/1",
            "flows": heads.rows,
            "changed": heads.changed,
            "output": place.name,
            "delivered": delivered_json(made) or None,
            "user_faults": dict(heads.faults),
        }
        click.echo(msgspec.json.encode(said).decode(), err=place.target is None)
    elif not quiet:
        click.echo(f"flows     {heads.rows:,} matched again, {heads.changed:,} with another verdict", err=True)
        for line in fault_lines(heads.faults):
            click.echo(line, err=True)
        if made.delivered is not None:
            click.echo("\n".join(output_lines(made)), err=True)
    return Exit.PARTIAL if made.delivered is not None and made.delivered.dropped else Exit.DONE

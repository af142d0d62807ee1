"""``flowclass judge``: what another registry, policy or date makes of a finished run."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from flowclass.cli.exit_codes import Exit
from flowclass.cli.options import common, setting, with_config
from flowclass.cli.output import Output, fill, place_of, sink_for, with_output
from flowclass.cli.summary import EMPTY_REGISTRY, delivered_json, output_lines
from flowclass.cli.values import instant
from flowclass.pipeline.judge import JudgedFlows
from flowclass.pipeline.records import at_beginning, at_end
from flowclass.policy import Policy
from flowclass.registry import Registry


@click.command(short_help="Judge a finished run by another registry, policy or date.")
@click.argument("run", type=click.Path(path_type=Path))
@with_config
@with_output
@setting("--registry", required=True, type=click.Path(path_type=Path), help="The registered endpoints.")
@setting("--policy", type=click.Path(path_type=Path), help="What follows from them; a TOML file.")
@click.option("--at", type=instant, help="Judge as if every flow had begun then; by default at its own time.")
@setting("--fail-on-violation", is_flag=True, help="Exit with 10 when a flow is a violation.")
@click.option("-q", "--quiet", is_flag=True, help="Only errors on standard error.")
@common
def judge(
    run: Path,
    at: datetime | None,
    as_json: bool,
    **given: Any,
) -> int:
    """Judge the flows in RUN, which classify wrote as Parquet or Arrow, again: no capture is needed.

    Gives the same records; the columns of registry and policy are new, as a run with these would have written them.
    With --at every flow is judged as if it had begun then: by the entries that are valid and the phase that holds at
    that instant. Without -o JSON lines are printed. With --json and -o FILE the summary is printed as JSON.
    """
    place = place_of(given, source=run)
    registry, policy = Registry.load(str(given["registry"])), given["policy"]
    flows = JudgedFlows(run, registry, None if policy is None else Policy.load(str(policy)), at)
    made = Output(name=place.name, sink=sink_for(place, flows.schema, at_beginning(flows.metadata)))
    fill([made.sink], flows, lambda: at_end(flows.metadata))
    outcomes = sorted(
        (str(outcome), count) for (outcome,), count in flows.tally.by("policy_outcome").items() if outcome
    )
    if as_json:
        said = {
            "schema": "flowclass.judge/1",
            "flows": flows.tally.flows,
            "changed": flows.changed,
            "policy_outcome": dict(outcomes),
            "registry_version": flows.metadata["flowclass.registry_version"],
            "policy_sha256": flows.metadata["flowclass.policy_sha256"],
            "judged_at": flows.metadata["flowclass.judged_at"],
            "output": place.name,
            "delivered": delivered_json(made) or None,
        }
        click.echo(msgspec.json.encode(said).decode(), err=place.target is None)
    elif not given["quiet"]:
        click.echo(f"flows     {flows.tally.flows:,} judged again, {flows.changed:,} with another outcome", err=True)
        click.echo("outcomes  " + (", ".join(f"{name} {count:,}" for name, count in outcomes) or "none"), err=True)
        if not len(registry):
            click.echo(EMPTY_REGISTRY, err=True)
        if made.delivered is not None:
            click.echo("\n".join(output_lines(made)), err=True)
    if given["fail_on_violation"] and flows.tally.outcome("violation"):
        return Exit.VIOLATION
    return Exit.PARTIAL if made.delivered is not None and made.delivered.dropped else Exit.DONE

"""``flowclass registry history``: who did what, when and why."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from flowclass.cli.exit_codes import Exit
from flowclass.cli.options import common
from flowclass.cli.registry.at_desk import at_desk, facts, open_desk
from flowclass.cli.values import clean
from flowclass.desk.acts import Change
from flowclass.registries.timestamps import format_timestamp


@click.command(short_help="Say who did what, when and why.")
@click.argument("ids", nargs=-1, metavar="[ID...]")
@at_desk
@common
def history(ids: tuple[str, ...], desk: Path, as_json: bool) -> int:
    """Say of the registrations ID..., or of all, who did what, when and why, and where the registrar's files lie."""
    with open_desk(desk) as opened:
        changes = opened.history(ids)
        references = {registration_id: dict(opened.references(registration_id)) for registration_id in ids}
    if as_json:
        content = {
            "schema": "flowclass.registry.history/1",
            "events": [{**facts(change), "who": change.who, "why": change.why} for change in changes],
            "references": references,
        }
        click.echo(msgspec.json.encode(content).decode())
        return Exit.DONE
    for change in changes:
        click.echo(clean(_sentence(change)))
    for registration_id, held in references.items():
        for kind, value in held.items():
            click.echo(clean(f"{registration_id}  {kind}: {'waived' if value is None else value}"))
    return Exit.DONE


def _sentence(change: Change) -> str:
    when = format_timestamp(change.effective_at)
    recorded = f" (recorded {format_timestamp(change.recorded_at)})" if change.backdated else ""
    why = f": {change.why}" if change.why else ""
    return (
        f"{when}{recorded}  {change.registration_id}  {change.action}: {change.from_state or 'new'} ->"
        f" {change.to_state} by {change.who}{why}"
    )

"""``flowclass registry approve``: pending applications, and suspended registrations given back."""

from __future__ import annotations

from pathlib import Path

import click

from flowclass.cli.exit_codes import Exit
from flowclass.cli.options import common
from flowclass.cli.registry.at_desk import acting, moment, open_desk, show
from flowclass.desk.acts import Act


@click.command(short_help="Approve what is pending, give back what is suspended.")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option("--valid-from", type=moment, help="Inclusive; as applied for, else from the application on.")
@click.option("--valid-until", type=moment, help="Exclusive; as applied for by default.")
@acting
@common
def approve(
    *,
    ids: tuple[str, ...],
    valid_from: int | None,
    valid_until: int | None,
    desk: Path,
    who: str,
    why: str,
    at: int | None,
    as_json: bool,
) -> int:
    """Approve the pending applications ID..., or give back what is suspended (with --why): all of them or none."""
    act = Act(who=who, why=why, at=at)
    with open_desk(desk) as opened, opened.writing():
        changes = [
            opened.approve(registration_id, act, valid_from=valid_from, valid_until=valid_until)
            for registration_id in ids
        ]
    show(changes, as_json=as_json)
    return Exit.DONE

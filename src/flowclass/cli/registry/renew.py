"""``flowclass registry renew``: approved registrations for longer."""

from __future__ import annotations

from pathlib import Path

import click

from flowclass.cli.exit_codes import Exit
from flowclass.cli.options import common
from flowclass.cli.registry.at_desk import acting, moment, open_desk, show
from flowclass.desk.acts import Act


@click.command(short_help="Prolong what is approved.")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option("--valid-until", type=moment, required=True, help="The new end, exclusive.")
@click.option(
    "--valid-from", type=moment, help="Where a new period begins; by default where the last one ends, or now."
)
@acting
@common
def renew(
    *,
    ids: tuple[str, ...],
    valid_until: int,
    valid_from: int | None,
    desk: Path,
    who: str,
    why: str,
    at: int | None,
    as_json: bool,
) -> int:
    """Prolong the approved registrations ID...: all of them or none.

    A period that has ended is not filled afterwards: a new one begins with the renewal.
    """
    act = Act(who=who, why=why, at=at)
    with open_desk(desk) as opened, opened.writing():
        changes = [
            opened.renew(registration_id, act, valid_until=valid_until, valid_from=valid_from)
            for registration_id in ids
        ]
    show(changes, as_json=as_json)
    return Exit.DONE

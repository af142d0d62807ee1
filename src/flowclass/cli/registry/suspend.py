"""``flowclass registry suspend``."""

from __future__ import annotations

from pathlib import Path

import click

from flowclass.cli.exit_codes import Exit
from flowclass.cli.options import common
from flowclass.cli.registry.at_desk import acting, open_desk, show
from flowclass.desk.acts import Act


@click.command(short_help="Suspend what is approved.")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@acting
@common
def suspend(*, ids: tuple[str, ...], desk: Path, who: str, why: str, at: int | None, as_json: bool) -> int:
    """Suspend the approved registrations ID..., with --why: all of them or none."""
    act = Act(who=who, why=why, at=at)
    with open_desk(desk) as opened, opened.writing():
        changes = [opened.suspend(registration_id, act) for registration_id in ids]
    show(changes, as_json=as_json)
    return Exit.DONE

"""``flowclass registry amend``: other addresses, protocols or dates for a pending application."""

from __future__ import annotations

from pathlib import Path

import click

from flowclass import _core
from flowclass.cli.exit_codes import Exit
from flowclass.cli.options import common
from flowclass.cli.registry.at_desk import acting, open_desk, show, with_references, words
from flowclass.desk.acts import Act
from flowclass.desk.amendments import Amendment


@click.command(short_help="Change what a pending application asks for.")
@click.argument("registration_id", metavar="ID")
@click.argument("prefixes", nargs=-1, metavar="[IP|PREFIX|FIRST-LAST...]")
@click.option("--protocols", help="Permitted protocol ids, separated by ';' or spaces; '' for all.")
@click.option("--valid-from", help="Inclusive, ISO 8601; '' for from the application on.")
@click.option("--valid-until", help="Exclusive, ISO 8601; '' for no end.")
@with_references
@acting
@common
def amend(
    *,
    registration_id: str,
    prefixes: tuple[str, ...],
    protocols: str | None,
    valid_from: str | None,
    valid_until: str | None,
    waive: tuple[str, ...],
    desk: Path,
    who: str,
    why: str,
    at: int | None,
    as_json: bool,
    **references: str | None,
) -> int:
    """Change what the pending application ID asks for, with --why; what is not given stays as it is.

    Where addresses are given, they are all that it asks for from now on. Those that it asked for before keep their
    time of submission, new ones are submitted now. The history keeps what it asked for until now.
    """
    amendment = Amendment(
        prefixes=prefixes,
        protocols=None if protocols is None else words(protocols),
        valid_from=valid_from,
        valid_until=valid_until,
        references={kind: text.strip() for kind, text in references.items() if text is not None},
        waived=waive,
    )
    known = frozenset(_core.known_protocols())
    with open_desk(desk) as opened, opened.writing():
        change, warnings = opened.amend(registration_id, amendment, Act(who=who, why=why, at=at), known_protocols=known)
        warnings += opened.overlapping(registration_id)
    show([change], as_json=as_json, warnings=warnings)
    return Exit.DONE

"""``flowclass registry apply``: an application for addresses and protocols."""

from __future__ import annotations

from pathlib import Path

import click

from flowclass import _core
from flowclass.cli.exit_codes import Exit
from flowclass.cli.options import common
from flowclass.cli.registry.at_desk import acting, open_desk, show, with_references, words
from flowclass.desk.acts import Act
from flowclass.desk.applications import Application


@click.command(short_help="Take an application in.")
@click.argument("prefixes", nargs=-1, required=True, metavar="IP|PREFIX|FIRST-LAST...")
@click.option("--category", required=True, help="organization or freelancer, with ': sub-sector' behind it if wanted.")
@click.option("--protocols", default="", help="Permitted protocol ids, separated by ';' or spaces; all by default.")
@click.option("--valid-from", default="", help="Inclusive, ISO 8601; from the application on by default.")
@click.option("--valid-until", default="", help="Exclusive, ISO 8601; without an end by default.")
@click.option("--id", "registration_id", default="", help="Its id; the next one of the year by default.")
@with_references
@acting
@common
def apply(
    *,
    prefixes: tuple[str, ...],
    category: str,
    protocols: str,
    valid_from: str,
    valid_until: str,
    registration_id: str,
    waive: tuple[str, ...],
    desk: Path,
    who: str,
    why: str,
    at: int | None,
    as_json: bool,
    **references: str | None,
) -> int:
    """Take in an application for addresses, prefixes or ranges; it is pending then.

    An organization gives references to its company's registration, taxpayer status and proof of identity, a freelancer
    to the proof of identity and the employer's letter; an embassy, say, has some of them waived. A reference says where
    the registrar's own file lies: what is in the file does not belong here. Addresses that another registration at the
    desk claims at the same time are warned of.
    """
    application = Application(
        category=category,
        prefixes=prefixes,
        protocols=words(protocols),
        valid_from=valid_from,
        valid_until=valid_until,
        registration_id=registration_id.strip(),
        references={kind: text.strip() for kind, text in references.items() if text is not None},
        waived=waive,
    )
    known = frozenset(_core.known_protocols())
    application.rows(known)  # a bad one makes no desk
    with open_desk(desk, create=True) as opened, opened.writing():
        change, warnings = opened.apply(application, Act(who=who, why=why, at=at), known_protocols=known)
        warnings += opened.overlapping(change.registration_id)
    show([change], as_json=as_json, warnings=warnings)
    return Exit.DONE

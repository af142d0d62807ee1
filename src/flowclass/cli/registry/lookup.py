"""``flowclass registry lookup``: what the registry knows of addresses."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from flowclass.cli.exit_codes import Exit
from flowclass.cli.options import common, setting
from flowclass.cli.values import clean, instant
from flowclass.registry import Lookup, Registry


@click.command(short_help="Say what the registry knows of addresses.")
@click.argument("addresses", nargs=-1, required=True, metavar="IP...")
@setting("--registry", "source", required=True, type=click.Path(path_type=Path), help="The registered endpoints.")
@click.option("--at", type=instant, help="The instant that is asked about; now by default.")
@click.option("--protocol", default="", help="A protocol id, to judge permitted protocols by.")
@common
def lookup(addresses: tuple[str, ...], source: Path, at: datetime | None, protocol: str, as_json: bool) -> int:
    """Say of each IP whether it is registered, and every entry that covers it."""
    loaded = Registry.load(source)
    found = loaded.lookup(addresses, at=at, protocol=protocol)
    if as_json:
        content = {
            "schema": "flowclass.registry.lookup/1",
            "registry_version": loaded.version,
            "lookups": [asdict(one) for one in found],
        }
        click.echo(msgspec.json.encode(content).decode())
    else:
        for one in found:
            _say(one)
    return Exit.DONE


def _say(found: Lookup) -> None:
    which = f" by {found.registration_id} ({found.matched_prefix})" if found.registration_id else ""
    scope = "" if found.in_scope else ", out of scope"
    click.echo(clean(f"{found.address}  {found.match}{which}{scope} at {moment_text(found.at)}"))
    for covering in found.covering:
        entry = covering.entry
        span = f"{moment_text(entry.valid_from) or 'always'} to {moment_text(entry.valid_until) or 'open'}"
        permitted = ", ".join(entry.protocols) or "all protocols"
        mark = "*" if covering.decided else " "
        click.echo(
            clean(
                f"  {mark} {entry.prefix:<24} {entry.registration_id:<16} {entry.status:<10} {covering.match:<22}"
                f" {span}; {permitted}"
            )
        )


def moment_text(moment: int | None) -> str:
    """Write an instant to the second, UTC; nothing for none."""
    if moment is None:
        return ""
    try:
        return f"{datetime.fromtimestamp(moment // 1_000_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (OverflowError, ValueError, OSError):
        return f"{moment} ns"

"""``flowclass registry``: check a registry, look addresses up in it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from flowclass.cli.exit_codes import Exit
from flowclass.cli.options import common, setting
from flowclass.cli.values import clean, instant
from flowclass.errors import RegistryError
from flowclass.registry import Lookup, Registry


@click.group(short_help="Check a registry and look addresses up in it.")
def registry() -> None:
    """Check a registry and look addresses up in it."""


@registry.command(short_help="Say what the registry knows of addresses.")
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


@registry.command(short_help="Check every row of a registry.")
@click.argument("source", type=click.Path(path_type=Path))
@common
def check(source: Path, as_json: bool) -> int:
    """Check every row of the registry SOURCE; exit with 5 when a row is not valid."""
    problems: tuple[Any, ...] = ()
    refusal: RegistryError | None = None
    loaded: Registry | None = None
    try:
        loaded = Registry.load(source)
        problems = loaded.warnings
    except RegistryError as refused:
        if not refused.problems:
            raise
        refusal, problems = refused, refused.problems
    if as_json:
        content = {
            "schema": "flowclass.registry.check/1",
            "valid": refusal is None,
            "entries": 0 if loaded is None else len(loaded),
            "registry_version": None if loaded is None else loaded.version,
            "problems": [asdict(problem) for problem in problems],
        }
        click.echo(msgspec.json.encode(content).decode())
        return Exit.DONE if refusal is None else Exit.CONFIG
    for problem in problems:
        click.echo(clean(str(problem)))
    if loaded is None:
        errors = sum(problem.severity == "error" for problem in problems)
        click.echo(f"{clean(str(source))}: {errors} errors; correct these rows and check again", err=True)
        return Exit.CONFIG
    click.echo(f"{clean(str(source))}: valid, {len(loaded):,} entries, version {loaded.version[:12]}")
    return Exit.DONE


def _say(found: Lookup) -> None:
    which = f" by {found.registration_id} ({found.matched_prefix})" if found.registration_id else ""
    scope = "" if found.in_scope else ", out of scope"
    click.echo(clean(f"{found.address}  {found.match}{which}{scope} at {_time(found.at)}"))
    for covering in found.covering:
        entry = covering.entry
        span = f"{_time(entry.valid_from) or 'always'} to {_time(entry.valid_until) or 'open'}"
        permitted = ", ".join(entry.protocols) or "all protocols"
        mark = "*" if covering.decided else " "
        click.echo(
            clean(
                f"  {mark} {entry.prefix:<24} {entry.registration_id:<16} {entry.status:<10} {covering.match:<22}"
                f" {span}; {permitted}"
            )
        )


def _time(moment: int | None) -> str:
    if moment is None:
        return ""
    try:
        return f"{datetime.fromtimestamp(moment // 1_000_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (OverflowError, ValueError, OSError):
        return f"{moment} ns"

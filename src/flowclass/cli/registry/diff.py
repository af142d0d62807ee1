"""``flowclass registry diff``: what changed between two registries."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
import msgspec

from flowclass.cli.exit_codes import Exit
from flowclass.cli.options import common
from flowclass.cli.values import clean
from flowclass.registry import Registry, RegistryEntry
from flowclass.registry_diff import RegistryDiff, SpaceChange, compare

SHOWN = 20


@click.command(short_help="Say what changed between two registries.")
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@common
def diff(old: Path, new: Path, as_json: bool) -> int:
    """Say which entries and addresses the registry NEW gained, lost and changed against OLD.

    Each is a list or a snapshot. Addresses are counted twice: those of any entry, and those of approved ones. A person
    is shown the first of each kind, --json gives all.
    """
    first, second = Registry.load(old), Registry.load(new)
    found = compare(first, second)
    if as_json:
        content = {
            "schema": "flowclass.registry.diff/1",
            "old_version": first.version,
            "new_version": second.version,
            "gained": [asdict(entry) for entry in found.gained],
            "lost": [asdict(entry) for entry in found.lost],
            "changed": [
                {"fields": change.fields, "old": asdict(change.old), "new": asdict(change.new)}
                for change in found.changed
            ],
            "space": {
                "listed": [_space(change) for change in found.listed],
                "approved": [_space(change) for change in found.approved],
            },
            "scope_gained": found.scope_gained,
            "scope_lost": found.scope_lost,
        }
        click.echo(msgspec.json.encode(content).decode())
    else:
        for line in _lines(found):
            click.echo(clean(line))
    return Exit.DONE


def _space(change: SpaceChange) -> dict[str, object]:
    """Give counts as text where JSON readers would round them."""
    return {
        "family": f"ipv{change.version}",
        "addresses_gained": str(change.addresses_gained),
        "addresses_lost": str(change.addresses_lost),
        "gained": change.gained,
        "lost": change.lost,
    }


def _lines(found: RegistryDiff) -> list[str]:
    lines = [f"entries   gained {len(found.gained):,}, lost {len(found.lost):,}, changed {len(found.changed):,}"]
    for what, spaces in (("listed", found.listed), ("approved", found.approved)):
        for space in spaces:
            lines.append(
                f"{what:<9} IPv{space.version} addresses gained {space.addresses_gained:,} in"
                f" {len(space.gained):,} prefixes, lost {space.addresses_lost:,} in {len(space.lost):,}"
            )
    lines += _first("scope +", list(found.scope_gained)) + _first("scope -", list(found.scope_lost))
    lines += _first("+", [_text(entry) for entry in found.gained])
    lines += _first("-", [_text(entry) for entry in found.lost])
    lines += _first(
        "~",
        [
            f"{change.old.prefix} {change.old.registration_id}: "
            + ", ".join(
                f"{name} {getattr(change.old, name)!s} -> {getattr(change.new, name)!s}" for name in change.fields
            )
            for change in found.changed
        ],
    )
    return lines


def _text(entry: RegistryEntry) -> str:
    return f"{entry.prefix} {entry.registration_id} {entry.status}"


def _first(mark: str, lines: list[str]) -> list[str]:
    shown = [f"  {mark} {line}" for line in lines[:SHOWN]]
    if len(lines) > SHOWN:
        shown.append(f"  {mark} ... and {len(lines) - SHOWN:,} more")
    return shown

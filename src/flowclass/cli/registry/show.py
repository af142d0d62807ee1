"""``flowclass registry show``: what a registry or a snapshot is."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import msgspec

from flowclass.cli.exit_codes import Exit
from flowclass.cli.options import common
from flowclass.cli.registry.lookup import moment_text
from flowclass.cli.values import clean, octets
from flowclass.registry import Registry


@click.command(short_help="Say what a registry or snapshot holds.")
@click.argument("source", type=click.Path(path_type=Path))
@common
def show(source: Path, as_json: bool) -> int:
    """Say what the registry SOURCE holds, and of a snapshot what it was built from, after verifying all of it."""
    loaded = Registry.load(source)
    entries = loaded.entries
    content: dict[str, Any] = {
        "schema": "flowclass.registry.show/1",
        "registry_version": loaded.version,
        "entries": len(loaded),
        "registrations": len({entry.registration_id for entry in entries}),
        "ipv4": sum(":" not in entry.prefix for entry in entries),
        "ipv6": sum(":" in entry.prefix for entry in entries),
        "statuses": dict(sorted(Counter(entry.status for entry in entries).items())),
        "scope": loaded.scope,
        "snapshot": None if loaded.snapshot is None else asdict(loaded.snapshot),
    }
    if as_json:
        click.echo(msgspec.json.encode(content).decode())
        return Exit.DONE
    facts = loaded.snapshot
    lines = [
        ("registry", str(source)),
        ("version", loaded.version),
        ("entries", f"{len(loaded):,} (IPv4 {content['ipv4']:,}, IPv6 {content['ipv6']:,})"),
        ("registrations", f"{content['registrations']:,}"),
        ("statuses", ", ".join(f"{status} {count:,}" for status, count in content["statuses"].items()) or "none"),
        ("scope", " ".join(loaded.scope) or "every address"),
    ]
    if facts is not None:
        lines += [
            ("built at", moment_text(facts.built_at)),
            ("octets", octets(facts.octets)),
            ("SHA-256", facts.sha256),
        ]
        lines += [("source", f"{found.sha256}  {found.name}") for found in facts.sources]
    for name, value in lines:
        click.echo(f"{name:<14}{clean(value)}")
    return Exit.DONE

"""``flowclass protocols``: what is told apart, and by which rules."""

from __future__ import annotations

import difflib
from typing import Any

import click
import msgspec

from flowclass.cli.options import common
from flowclass.engine import matchers


@click.command(short_help="List the protocols that are told apart, and their rules.")
@click.argument("name", required=False)
@common
def protocols(name: str | None, as_json: bool) -> int:
    """List the protocols, or say everything about the one called NAME."""
    listed = sorted(matchers(), key=lambda matcher: (_ORDER.get(matcher["protocol_class"], 9), matcher["name"]))
    if name is not None:
        chosen = [matcher for matcher in listed if name in (matcher["protocol"], matcher["name"])]
        if not chosen:
            known = sorted({matcher["protocol"] for matcher in listed})
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
            hint = f"; the nearest known one is {near[0]!r}" if near else ""
            raise click.UsageError(f"protocol {name!r} is not known{hint}")
        listed = chosen
    if as_json:
        click.echo(msgspec.json.encode({"schema": "flowclass.protocols/1", "protocols": listed}).decode())
    elif name is None:
        for matcher in listed:
            variants = ", ".join(matcher["variants"])
            click.echo(f"{matcher['protocol_class']:<8} {matcher['protocol']:<16} {matcher['title']}"
                       + (f" ({variants})" if variants else ""))  # fmt: skip
    else:
        for matcher in listed:
            _say(matcher)
    return 0


_ORDER = {"vpn": 0, "overlay": 1, "proxy": 2, "covert": 3, "app": 4}


def _say(matcher: dict[str, Any]) -> None:
    ports = ", ".join(str(port) for port in matcher["ports"])
    click.echo(f"{matcher['protocol']}: {matcher['title']}")
    click.echo(f"  class     {matcher['protocol_class']}")
    if matcher["variants"]:
        click.echo(f"  variants  {', '.join(matcher['variants'])}")
    if matcher["ip_protos"]:
        click.echo(f"  over      IP protocol {', '.join(str(number) for number in matcher['ip_protos'])}")
    if ports:
        click.echo(f"  ports     {ports} (usual; they never decide)")
    click.echo(f"  sources   {matcher['sources']}")
    click.echo("  rules")
    for rule, meaning in matcher["rules"]:
        click.echo(f"    {rule:<36} {meaning}")

"""``flowclass protocols``: what is told apart, and by which rules."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Any

import click
import msgspec

from flowclass.cli.options import common
from flowclass.engine import matchers

TRANSPORTS = {6: "TCP", 17: "UDP"}
PORTS = "usual; a port adds at most 2 bits to evidence that is there, and never decides"
TIERS = "confirmed with 64 bits from both directions or 96 from one, probable with 32, possible with 16"
ASSIGNED = "; or confirmed by an IP protocol number that is assigned to it alone, where the header's checks hold"
BITS = "counted for each check from what it saw, so a rule has no fixed number; `flowclass explain` shows them"
_ORDER = {"vpn": 0, "overlay": 1, "proxy": 2, "covert": 3, "app": 4}


@click.command(short_help="List the protocols that are told apart, and their rules.")
@click.argument("name", required=False)
@common
def protocols(name: str | None, as_json: bool) -> int:
    """List the protocols, or say everything about the one called NAME, or with a variant or fingerprint called so."""
    listed = grouped(matchers())
    if name is not None:
        listed = _chosen(listed, name)
    if as_json:
        click.echo(msgspec.json.encode({"schema": "flowclass.protocols/2", "protocols": listed}).decode())
        return 0
    for line in _table(listed) if name is None else _details(listed):
        click.echo(line)
    return 0


def grouped(fingerprints: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put the fingerprints of one protocol together.

    Parameters
    ----------
    fingerprints : iterable of dict
        As the native core publishes them.

    Returns
    -------
    list of dict
        One a protocol, VPNs first: ``protocol``, ``protocol_class``, ``titles``, ``variants``, ``ports``,
        ``ip_protos``, ``tiers``, ``bits`` and ``fingerprints``.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for fingerprint in sorted(fingerprints, key=lambda one: str(one["name"])):
        found.setdefault(fingerprint["protocol"], []).append(fingerprint)
    rows = [
        {
            "protocol": protocol,
            "protocol_class": ones[0]["protocol_class"],
            "titles": _together(ones, "title"),
            "variants": _together(ones, "variants"),
            "ports": _together(ones, "ports"),
            "ip_protos": _together(ones, "ip_protos"),
            "tiers": TIERS + (ASSIGNED if set(_together(ones, "ip_protos")) - set(TRANSPORTS) else ""),
            "bits": BITS,
            "fingerprints": [
                {
                    **{key: one[key] for key in ("name", "title", "sources", "variants", "ports", "ip_protos")},
                    "rules": [{"rule": rule, "meaning": meaning} for rule, meaning in one["rules"]],
                }
                for one in ones
            ],
        }
        for protocol, ones in found.items()
    ]
    return sorted(rows, key=lambda row: (_ORDER.get(row["protocol_class"], 9), row["protocol"]))


def _together(ones: list[dict[str, Any]], key: str) -> list[Any]:
    values = [value for one in ones for value in (one[key] if isinstance(one[key], list) else [one[key]])]
    return list(dict.fromkeys(values))


def _chosen(listed: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """Give the protocols that a name means: an id, else a fingerprint's name, else a variant."""
    asked = name.lower().replace("_", "-")
    called = [
        {row["protocol"]: [row["protocol"]] for row in listed},
        {row["protocol"]: [one["name"].replace("_", "-") for one in row["fingerprints"]] for row in listed},
        {row["protocol"]: [variant.lower() for variant in row["variants"]] for row in listed},
    ]
    for names in called:
        chosen = [row for row in listed if asked in names[row["protocol"]]]
        if chosen:
            return chosen
    known = sorted({one for names in called for several in names.values() for one in several})
    near = difflib.get_close_matches(asked, known, n=1, cutoff=0.0)
    hint = f"; the nearest known one is {near[0]!r}" if near else ""
    raise click.UsageError(f"protocol {name!r} is not known{hint}")


def _table(listed: list[dict[str, Any]]) -> Iterator[str]:
    name_width = max(len(row["protocol"]) for row in listed)
    over_width = max(len(_over(row["ip_protos"])) for row in listed)
    for row in listed:
        name, over = row["protocol"].ljust(name_width), _over(row["ip_protos"]).ljust(over_width)
        variants = f" ({', '.join(row['variants'])})" if row["variants"] else ""
        yield f"{row['protocol_class']:<8} {name}  {over}  {row['titles'][0]}{variants}"


def _details(listed: list[dict[str, Any]]) -> Iterator[str]:
    for row in listed:
        yield f"{row['protocol']}: {'; '.join(row['titles'])}"
        yield f"  class     {row['protocol_class']}"
        if row["variants"]:
            yield f"  variants  {', '.join(row['variants'])}"
        yield f"  over      {_over(row['ip_protos'])}"
        if row["ports"]:
            yield f"  ports     {', '.join(str(port) for port in row['ports'])} ({PORTS})"
        yield f"  tiers     {row['tiers']}"
        yield f"  bits      {row['bits']}"
        for one in row["fingerprints"]:
            alone = len(row["fingerprints"]) == 1
            yield "  rules" if alone else f"  rules of {one['name']}, over {_over(one['ip_protos'])}: {one['title']}"
            width = max((len(rule["rule"]) for rule in one["rules"]), default=0)
            for rule in one["rules"]:
                yield f"    {rule['rule']:<{width}}  {rule['meaning']}"
            yield f"    sources: {one['sources']}"


def _over(ip_protos: list[int]) -> str:
    return ", ".join(TRANSPORTS.get(number, f"IP {number}") for number in ip_protos)

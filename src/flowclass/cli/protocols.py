"""``flowclass protocols``: what is told apart, and by which rules."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import click
import msgspec

from flowclass.cli.options import common
from flowclass.engine import link_rules, matchers
from flowclass.vectors.reach import Reach, reach
from flowclass.vectors.read import File, files, read_cases

TRANSPORTS = {6: "TCP", 17: "UDP"}
PORTS = "usual; a port adds at most 2 bits to evidence that is there, and never decides"
TIERS = "confirmed with 64 bits from both directions or 96 from one, probable with 32, possible with 16"
ASSIGNED = "; or confirmed by an IP protocol number that is assigned to it alone, where the header's checks hold"
BITS = (
    "counted for each check from what it saw: beside a rule stand the fewest and the most that one check of it gives in"
    " the fingerprint's vectors; `flowclass explain` shows those of a flow"
)
NO_VECTORS = (
    "counted for each check from what it saw; the vectors that show them are not beside this copy of flowclass (an"
    " installed package and a checkout have them); `flowclass explain` shows those of a flow"
)
_KEPT = ("name", "title", "sources", "variants", "ports", "ip_protos", "leads", "follows")
_ORDER = {"vpn": 0, "overlay": 1, "proxy": 2, "covert": 3, "app": 4}


@click.command(short_help="List the protocols that are told apart, and their rules.")
@click.argument("name", required=False)
@common
def protocols(name: str | None, as_json: bool) -> int:
    """List the protocols, or say everything about the one called NAME, or with a variant or fingerprint called so."""
    listed = grouped(matchers())
    if name is not None:
        listed = _chosen(listed, name)
    if name is not None or as_json:
        add_bits(listed, files())
    if as_json:
        click.echo(msgspec.json.encode({"schema": "flowclass.protocols/3", "protocols": listed}).decode())
        return 0
    for line in _table(listed) if name is None else _details(listed):
        click.echo(line)
    return 0


def grouped(fingerprints: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put the fingerprints of one protocol together.

    Parameters
    ----------
    fingerprints : iterable of dict
        All of them, as the native core publishes them.

    Returns
    -------
    list of dict
        One a protocol, VPNs first: ``protocol``, ``protocol_class``, ``titles``, ``variants``, ``ports``,
        ``ip_protos``, ``tiers`` and ``fingerprints``, these with their ``rules`` and the ``links`` that their flows may
        be found in.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    followers: dict[str | None, set[str]] = {}
    for fingerprint in sorted(fingerprints, key=lambda one: str(one["name"])):
        found.setdefault(fingerprint["protocol"], []).append(fingerprint)
        for kind in fingerprint["follows"]:
            followers.setdefault(kind, set()).add(fingerprint["protocol"])
    rows = [
        {
            "protocol": protocol,
            "protocol_class": ones[0]["protocol_class"],
            "titles": _together(ones, "title"),
            "variants": _together(ones, "variants"),
            "ports": _together(ones, "ports"),
            "ip_protos": _together(ones, "ip_protos"),
            "tiers": TIERS + (ASSIGNED if set(_together(ones, "ip_protos")) - set(TRANSPORTS) else ""),
            "fingerprints": [
                {
                    **{key: one[key] for key in _KEPT},
                    "rules": [{"rule": rule, "meaning": meaning} for rule, meaning in one["rules"]],
                    "links": [
                        {"rule": rule, "meaning": meaning, "bits": bits}
                        for rule, meaning, bits, kind in link_rules()
                        if kind in one["follows"]
                    ],
                    "led": sorted(followers.get(one["leads"], ())),
                }
                for one in ones
            ],
        }
        for protocol, ones in found.items()
    ]
    return sorted(rows, key=lambda row: (_ORDER.get(row["protocol_class"], 9), row["protocol"]))


def add_bits(listed: list[dict[str, Any]], vectors: Mapping[str, File]) -> None:
    """Add to protocols what their vectors show.

    Parameters
    ----------
    listed : list of dict
        As `grouped` gives it. Every rule gains ``bits_least`` and ``bits_most``, every fingerprint ``vectors`` and
        ``reached``, every protocol ``bits``, a sentence on all these; null where there are no vectors.
    vectors : mapping of str to File
        The vector files, by the name of their fingerprint.
    """
    for row in listed:
        for one in row["fingerprints"]:
            file = vectors.get(one["name"])
            rules = {rule["rule"] for rule in one["rules"]}
            _add_reached(one, None if file is None else reach(row["protocol"], rules, read_cases(file)))
        row["bits"] = NO_VECTORS if any(one["vectors"] is None for one in row["fingerprints"]) else BITS


def _add_reached(one: dict[str, Any], found: Reach | None) -> None:
    for rule in one["rules"]:
        least, most = (None, None) if found is None else found.bits.get(rule["rule"], (None, None))
        rule |= {"bits_least": least, "bits_most": most}
    one["vectors"] = None if found is None else found.vectors
    one["reached"] = (
        None
        if found is None
        else [{"variant": name or None, "tiers": tiers} for name, tiers in sorted(found.tiers.items())]
    )


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
            yield from _rules(one)
            if one["led"]:
                yield f"    may lead: flows of {', '.join(one['led'])} between the same two addresses"
            if one["reached"] is not None:
                tiers = "; ".join(map(_tiers, one["reached"])) or "nothing"
                yield f"    vectors: {one['vectors']}, which reach {tiers}"
            yield f"    sources: {one['sources']}"


def _rules(one: dict[str, Any]) -> Iterator[str]:
    rows = [(rule["rule"], _bits(rule["bits_least"], rule["bits_most"]), rule["meaning"]) for rule in one["rules"]]
    rows += [(link["rule"], _bits(link["bits"], link["bits"]), link["meaning"]) for link in one["links"]]
    widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    for rule, bits, meaning in rows:
        yield f"    {rule:<{widths[0]}}  " + (f"{bits:>{widths[1]}}  " if widths[1] else "") + meaning


def _bits(least: float | None, most: float | None) -> str:
    if least is None or most is None:
        return ""
    return f"{most:.3g} bits" if least == most else f"{least:.3g} to {most:.3g} bits"


def _tiers(reached: dict[str, Any]) -> str:
    return ", ".join(reached["tiers"]) + (f" ({reached['variant']})" if reached["variant"] else "")


def _over(ip_protos: list[int]) -> str:
    return ", ".join(TRANSPORTS.get(number, f"IP {number}") for number in ip_protos)

"""``flowclass registry lookup``: what the registry knows of addresses, as many as there are."""

from __future__ import annotations

import ipaddress
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import click
import msgspec

from flowclass import _core
from flowclass.cli.exit_codes import Exit
from flowclass.cli.options import common, setting
from flowclass.cli.values import clean, instant
from flowclass.registries.kinds import shown
from flowclass.registries.row import nearest
from flowclass.registry import Lookup, Registry

AT_ONCE = 4_096
MOST_LINE = 4_096
MOST_TOLD = 20


@click.command(short_help="Say what the registry knows of addresses.")
@click.argument("addresses", nargs=-1, required=True, metavar="IP...")
@setting("--registry", "source", required=True, type=click.Path(path_type=Path), help="The registered endpoints.")
@click.option("--at", type=instant, help="The instant that is asked about; now by default.")
@click.option("--protocol", default="", help="A protocol id, to judge permitted protocols by.")
@common
def lookup(addresses: tuple[str, ...], source: Path, at: datetime | None, protocol: str, as_json: bool) -> int:
    """Say of each IP whether it is registered, and every entry that covers it and why it does or does not apply.

    An IP of - means those on standard input, separated by spaces or lines; # begins a note. What is no address there is
    told with its line and passed over, and the exit code is 3.
    """
    _refuse_unknown(protocol)
    loaded = Registry.load(source)
    asked = _Asked(addresses)
    moment = time.time_ns() if at is None else at
    found = (one for some in _groups(asked, AT_ONCE) for one in loaded.lookup(some, at=moment, protocol=protocol))
    if as_json:
        _write_json(found, loaded.version)
    else:
        for one in found:
            _say(one)
    if asked.wrong > MOST_TOLD:
        click.echo(f"... and {asked.wrong - MOST_TOLD:,} more that are no addresses", err=True)
    return Exit.PARTIAL if asked.wrong else Exit.DONE


def _refuse_unknown(protocol: str) -> None:
    known = _core.known_protocols()
    if protocol and protocol not in known:
        raise click.UsageError(f"--protocol {protocol!r}: no fingerprint is called so{nearest(protocol, known)}")


class _Asked:
    """The addresses, those of standard input where - stands. Counts and tells what is none there."""

    def __init__(self, given: tuple[str, ...]) -> None:
        self.wrong = 0
        self._given = given
        for text in given:  # before the first answer
            if text != "-" and _address(text) is None:
                raise click.UsageError(f"{shown(text)!r} is not an IPv4 or IPv6 address; give one such as 192.0.2.7")

    def __iter__(self) -> Iterator[str]:
        for text in self._given:
            yield from self._read() if text == "-" else (text,)

    def _read(self) -> Iterator[str]:
        stream = sys.stdin.buffer
        number = 0
        while octets := stream.readline(MOST_LINE):
            number += 1
            whole = octets.decode("utf-8-sig" if number == 1 else "utf-8", "replace")
            if len(octets) == MOST_LINE and not octets.endswith(b"\n"):
                self._tell(number, whole)
                while octets and not octets.endswith(b"\n"):
                    octets = stream.readline(MOST_LINE)
                continue
            for text in whole.partition("#")[0].replace("\0", " ").split():
                if _address(text) is None:
                    self._tell(number, text)
                else:
                    yield text

    def _tell(self, line: int, text: str) -> None:
        self.wrong += 1
        if self.wrong <= MOST_TOLD:
            said = clean(shown(text))
            click.echo(f"standard input:{line}: {said!r} is not an IPv4 or IPv6 address: passed over", err=True)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return None if "%" in text else ipaddress.ip_address(text)
    except ValueError:
        return None


def _groups(texts: Iterable[str], most: int) -> Iterator[list[str]]:
    following = iter(texts)
    while some := list(islice(following, most)):
        yield some


def _write_json(found: Iterable[Lookup], version: str) -> None:
    """Write one object, however many addresses there are, without holding it."""
    head = msgspec.json.encode({"schema": "flowclass.registry.lookup/1", "registry_version": version}).decode()
    click.echo(f'{head[:-1]},"lookups":[', nl=False)
    for place, one in enumerate(found):
        click.echo(("," if place else "") + msgspec.json.encode(asdict(one)).decode(), nl=False)
    click.echo("]}")


def _say(found: Lookup) -> None:
    which = f" by {found.registration_id} ({found.matched_prefix})" if found.registration_id else ""
    scope = "" if found.in_scope else ", out of scope"
    click.echo(clean(f"{found.address}  {found.match}{which}{scope} at {moment_text(found.at)}"))
    mapped = getattr(ipaddress.ip_address(found.address), "ipv4_mapped", None)
    if mapped is not None:
        click.echo(f"    it is IPv4-mapped, which no packet of IPv4 is; of those ask with {mapped}")
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

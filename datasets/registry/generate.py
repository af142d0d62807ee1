"""Takes a number and a seed. Gives a registry of invented registrants: every status, overlaps, expiries, renewals.

    python -m datasets.registry.generate --registrants 20000 --seed 1 -o FILE

FILE is a registrar's desk with the whole history (.sqlite, .desk), or the rows as they stand at the end of it (.csv,
.jsonl, .parquet). The same arguments give the same registrations. Addresses are of networks that no registrant on the
Internet holds (RFC 2544, RFC 3849), so nobody is named by accident.
"""

from __future__ import annotations

import argparse
import ipaddress
import random
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from flowclass.desk.acts import Act
from flowclass.desk.applications import Application
from flowclass.desk.desk import Desk
from flowclass.desk.export import FORMATS, export
from flowclass.errors import FlowclassError
from flowclass.registries.row import Network
from flowclass.registries.source import read_source
from flowclass.registries.timestamps import format_timestamp, parse_timestamp

NOW = "2026-11-24T12:00:00Z"
HOUR = 3_600 * 10**9
DAY = 24 * HOUR
YEAR = 365 * DAY
DESKS = (".sqlite", ".desk")
IPV4 = "198.18.0.0/15"
IPV6 = "2001:db8::/32"

SECTORS = {
    "organization": (
        "software house", "call centre", "bank", "embassy", "university", "hospital", "airline", "telecom", "media",
        "logistics", "insurance", "manufacturing", "law", "energy", "retail",
    ),
    "freelancer": ("software", "design", "translation", "consulting", "data entry", "video", "accounting"),
}  # fmt: skip
PROTOCOLS = ("", "", "", "wireguard", "openvpn", "ike;esp", "openvpn;wireguard", "ike;esp;l2tp")
OFFICIALS = ("desk-1", "desk-2", "desk-3", "desk-4")
# What becomes of an application, with how many of a hundred; the rest stays approved.
FATES = (("pending", 6), ("rejected", 7), ("suspended", 5), ("given back", 3), ("revoked", 5), ("renewed", 18))


@dataclass(slots=True)
class Space:
    """Gives prefixes out of a network, one behind the other, from its start again when it is used up."""

    network: Network
    next: int = 0

    def take(self, length: int) -> Network:
        """Give the next prefix of a length."""
        size = 1 << (self.network.max_prefixlen - length)
        start = -(-self.next // size) * size
        if start + size > self.network.num_addresses:
            start = 0
        self.next = start + size
        kind = ipaddress.IPv4Network if self.network.version == 4 else ipaddress.IPv6Network
        return kind((int(self.network.network_address) + start, length))


@dataclass(slots=True)
class Maker:
    """Invents registrants and leads them through the desk.

    Parameters
    ----------
    chance : random.Random
        Seeded.
    now : int
        The end of the story, ns UTC.
    ipv4, ipv6 : Space
        Where addresses come from.
    """

    chance: random.Random
    now: int
    ipv4: Space
    ipv6: Space
    given: list[str] = field(default_factory=list)

    def registrant(self, desk: Desk, number: int) -> None:
        """Lead one registrant through the desk, each step at its own time."""
        chance = self.chance
        kind = "organization" if chance.random() < 0.4 else "freelancer"
        fate = self._fate()
        at = self._submitted(fate)
        application = self._application(kind, number, at)
        name = desk.apply(application, self._act(at))[0].registration_id
        if fate == "pending":
            return
        at = min(at + self._waited(), self.now)
        if fate == "rejected":
            desk.reject(name, self._act(at, "the letter does not name the registrant"))
            return
        desk.approve(name, self._act(at))
        if fate == "renewed":
            end = parse_timestamp(application.valid_until)
            early = chance.random() < 0.7
            at = max(at, end - chance.randrange(1, 30) * DAY if early else end + chance.randrange(1, 60) * DAY)
            if at < self.now:
                desk.renew(name, self._act(at), valid_until=max(end, at) + YEAR)
        elif fate != "approved":
            at = self._later(at)
            if fate == "revoked" and chance.random() < 0.5:
                desk.revoke(name, self._act(at, "the company was dissolved"))
                return
            desk.suspend(name, self._act(at, "the taxpayer status lapsed"))
            if fate == "revoked":
                desk.revoke(name, self._act(self._later(at), "nothing was heard for a month"))
            elif fate == "given back":
                desk.approve(name, self._act(self._later(at), "the taxpayer status is in order again"))

    def _fate(self) -> str:
        drawn = self.chance.randrange(100)
        for fate, share in FATES:
            drawn -= share
            if drawn < 0:
                return fate
        return "approved"

    def _submitted(self, fate: str) -> int:
        if fate == "pending":  # most wait for hours, some were forgotten
            hours = self.chance.expovariate(1 / 8) if self.chance.random() < 0.8 else self.chance.uniform(24, 2_000)
            return self.now - int(hours * HOUR)
        return self.now - self.chance.randrange(3 * DAY, 3 * YEAR)

    def _waited(self) -> int:
        """Approval usually takes 8 to 10 hours, and now and then days."""
        hours = self.chance.gauss(9, 1) if self.chance.random() < 0.9 else self.chance.uniform(10, 96)
        return int(max(hours, 0.5) * HOUR)

    def _later(self, at: int) -> int:
        return at + self.chance.randrange(max(self.now - at, 1))

    def _act(self, at: int, why: str = "") -> Act:
        return Act(who=self.chance.choice(OFFICIALS), why=why, at=at)

    def _application(self, kind: str, number: int, at: int) -> Application:
        sector = self.chance.choice(SECTORS[kind])
        references = {"identity": f"file-{number}-i", "file": f"file-{number}"}
        waived: tuple[str, ...] = ()
        if kind == "freelancer":
            references["letter"] = f"file-{number}-l"
        elif sector == "embassy":
            waived = ("company", "taxpayer")
        else:
            references |= {"company": f"file-{number}-c", "taxpayer": f"file-{number}-t"}
        day = at // DAY * DAY
        end = day + self.chance.choice((YEAR // 2, YEAR, YEAR, 2 * YEAR))
        return Application(
            category=f"{kind}: {sector}",
            prefixes=tuple(dict.fromkeys(self._prefixes(kind))),
            protocols=tuple(part for part in self.chance.choice(PROTOCOLS).split(";") if part),
            valid_from=format_timestamp(day) if self.chance.random() < 0.5 else "",
            valid_until=format_timestamp(end),
            references=references,
            waived=waived,
        )

    def _prefixes(self, kind: str) -> list[str]:
        chance = self.chance
        if self.given and chance.random() < 0.02:  # a part of what another one has, or all of it
            other = ipaddress.ip_network(chance.choice(self.given))
            length = chance.randint(other.prefixlen, other.max_prefixlen)
            return [str(next(other.subnets(new_prefix=length)))]
        count = 1 if kind == "freelancer" else chance.choice((1, 1, 1, 2, 3))
        found = []
        for _ in range(count):
            if chance.random() < 0.15:
                prefix: Network = self.ipv6.take(128 if kind == "freelancer" else chance.choice((48, 56, 64)))
            elif kind == "freelancer" or chance.random() < 0.4:
                prefix = self.ipv4.take(32)
            else:
                prefix = self.ipv4.take(chance.choices((29, 28, 27, 26, 24), (50, 25, 12, 8, 5))[0])
            self.given.append(str(prefix))
            first, last = prefix[0], prefix[-1]
            some = prefix.version == 4 and prefix.num_addresses > 2 and chance.random() < 0.2
            found.append(f"{first + 1}-{last - 1}" if some else str(prefix))
        return found


def fill(desk: Desk, maker: Maker, registrants: int) -> None:
    """Lead registrants through a desk, all in one transaction.

    Parameters
    ----------
    desk : Desk
        Whose clock stands at the maker's instant.
    maker : Maker
        Who invents them.
    registrants : int
        How many.
    """
    with desk.writing():
        for number in range(1, registrants + 1):
            maker.registrant(desk, number)


def generate(target: Path, *, registrants: int, seed: int, now: int, include: Path | None = None) -> None:
    """Write a desk or a registry.

    Parameters
    ----------
    target : Path
        Its ending says which.
    registrants, seed : int
        How many, and which ones.
    now : int
        The end of the story, ns UTC.
    include : Path, optional
        A registry whose rows are taken in first.

    Raises
    ------
    FlowclassError
        Where something cannot be read or written.
    """
    maker = Maker(random.Random(seed), now, Space(ipaddress.ip_network(IPV4)), Space(ipaddress.ip_network(IPV6)))
    with tempfile.TemporaryDirectory(dir=target.resolve().parent, prefix=".tmp-registry-") as folder:
        path = Path(folder) / "made.sqlite"
        with Desk(path, create=True, clock=lambda: now) as desk:
            if include is not None:
                desk.import_rows(read_source(include)[0], Act(who="generate"), name=str(include))
            fill(desk, maker, registrants)
            if target.suffix not in DESKS:
                export(desk, target)
        if target.suffix in DESKS:
            path.replace(target)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m datasets.registry.generate", description=__doc__.split("\n")[0])
    parser.add_argument("--registrants", type=int, default=20_000, help="how many (default: 20000)")
    parser.add_argument("--seed", type=int, default=1, help="which ones (default: 1)")
    parser.add_argument("--now", type=parse_timestamp, default=NOW, help=f"the end of the story (default: {NOW})")
    parser.add_argument("--include", type=Path, help="a registry whose rows are taken in first")
    parser.add_argument("-o", "--output", type=Path, required=True, help="a desk or a registry")
    given = parser.parse_args()
    endings = (*DESKS, *("." + form for form in FORMATS))
    if given.output.suffix not in endings or given.registrants < 0:
        parser.error(f"-o ends in one of {', '.join(endings)}, --registrants is 0 or more")
    try:
        generate(given.output, registrants=given.registrants, seed=given.seed, now=given.now, include=given.include)
    except FlowclassError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    print(f"{given.output}: {given.registrants:,} registrants", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())

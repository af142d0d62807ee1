"""Reads scenario files: which program, which addresses, which capture format, which options."""

from __future__ import annotations

import ipaddress
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from .errors import ScenarioError
from .impairments import Impairments
from .options import read_options

__all__ = ["DEFAULT_SEED", "FORMATS", "POINTS", "SCENARIOS", "Addresses", "Scenario", "all_names", "load", "subnet"]

SCENARIOS = Path(__file__).parent / "scenarios"
DEFAULT_SEED = 20
# Where is recorded: on both ends and on the router between.
POINTS = ("middle", "client", "server")

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Format = Literal["pcap", "pcap-nano", "pcapng"]
# The value is the ending of the capture's file name.
FORMATS: Mapping[str, str] = {"pcap": ".pcap", "pcap-nano": ".pcap", "pcapng": ".pcapng"}


def subnet(address: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """Give the subnet that an end with this address stands in."""
    width = 24 if ipaddress.ip_address(address).version == 4 else 64
    return ipaddress.ip_network(f"{address}/{width}", strict=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """The addresses of both ends; the first of each is the one the program uses.

    The two ends stand in different subnets (/24, /64) with a router between them.
    """

    client: tuple[str, ...]
    server: tuple[str, ...]

    def __post_init__(self) -> None:
        for end, addresses in (("client", self.client), ("server", self.server)):
            if not addresses:
                raise ValueError(f"{end} has no address")
            for address in addresses:
                ipaddress.ip_address(address)
        versions = [{ipaddress.ip_address(a).version for a in end} for end in (self.client, self.server)]
        if versions[0] != versions[1]:
            raise ValueError("client and server must have addresses of the same IP versions")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    summary: str
    program: str
    format: str = "pcap"
    seed: int = DEFAULT_SEED

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise ValueError(f"format {self.format!r} is not one of {', '.join(FORMATS)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One recording: its name is the file's name and the capture's name; `table` is what the file says."""

    name: str
    summary: str
    program: str
    format: str
    addresses: Addresses
    options: Mapping[str, object] = field(default_factory=dict)
    path: Impairments = field(default_factory=Impairments)
    seed: int = DEFAULT_SEED
    table: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        versions = {ipaddress.ip_address(address).version for address in self.addresses.client}
        if self.path.nat and ipaddress.ip_address(self.path.nat).version not in versions:
            raise ScenarioError(f"{self.name}.toml [path]: nat {self.path.nat} is of an IP version the client lacks")
        for address in (*self.addresses.client, *self.addresses.server):
            if self.path.nat and ipaddress.ip_address(self.path.nat) in subnet(address):
                raise ScenarioError(f"{self.name}.toml [path]: nat {self.path.nat} is in the subnet of {address}")
        if 6 in versions and 0 < self.path.mtu < 1280:
            raise ScenarioError(f"{self.name}.toml [path]: mtu {self.path.mtu} is less than IPv6's 1280")

    @property
    def capture(self) -> str:
        """File name of the capture in the middle."""
        return self.capture_at("middle")

    def capture_at(self, point: str) -> str:
        """File name of the capture at a point (`POINTS`)."""
        return self.name + ("" if point == "middle" else f".{point}") + FORMATS[self.format]


def all_names(folder: Path = SCENARIOS) -> list[str]:
    """Names of all scenarios, sorted."""
    return sorted(path.stem for path in folder.glob("*.toml"))


def load(name: str, folder: Path = SCENARIOS) -> Scenario:
    """Read one scenario by name.

    Raises
    ------
    ScenarioError
        If there is no such file or it does not say what it must.
    """
    path = folder / f"{name}.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ScenarioError(f"no scenario {name!r}; `python -m datasets.testbed list` shows them all") from None
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{path.name}: not TOML: {error}") from error
    whole = dict(table)
    parts: dict[str, dict[str, object]] = {}
    for key in ("addresses", "options", "path"):
        parts[key] = table.pop(key, {})
        if not isinstance(parts[key], dict):
            raise ScenarioError(f"{path.name}: [{key}] must be a table")
    header = read_options(_Header, table, path.name)
    return Scenario(
        name=name,
        summary=header.summary,
        program=header.program,
        format=header.format,
        addresses=read_options(Addresses, parts["addresses"], f"{path.name} [addresses]"),
        options=parts["options"],
        path=read_options(Impairments, parts["path"], f"{path.name} [path]"),
        seed=header.seed,
        table=whole,
    )

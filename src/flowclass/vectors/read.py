"""Takes vector files. Gives their cases, and matches them. No code per protocol."""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Protocol

from flowclass import _core
from flowclass.errors import SourceError

HELLO_KEYS = ("server_name", "alpn", "ja4")  # what the client said; "" for null
_CASE_KEYS = {"name", "source", "ip_proto", "src_port", "dst_port", "time", "from_start", "packets", "expect"}
_EXPECT_KEYS = {"protocol", "variant", "tier", "bits", "rules", "initiator", "alternatives", *HELLO_KEYS}
_PACKET_KEYS = {"dir", "gap_ns", "length", "hex", "text", "zeros"}
_FORM = "see docs/add_a_fingerprint.md for the form"
_TIME = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


class File(Protocol):
    """A vector file, wherever it lies."""

    @property
    def name(self) -> str:
        """The file's name."""

    def read_text(self, encoding: str) -> str:
        """Give all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """One payload.

    Parameters
    ----------
    direction : int
        0 as the first packet of the flow, 1 the other way.
    gap_ns : int
        Since the packet before it.
    length : int
        Octets on the wire.
    octets : bytes
        Those captured.
    """

    direction: int
    gap_ns: int
    length: int
    octets: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One vector.

    Parameters
    ----------
    file : str
        Name of the fingerprint whose file it stands in.
    name : str
        What it shows.
    ip_proto, src_port, dst_port : int
        Of the flow; the source is where the first packet comes from.
    time_ns : int
        When it begins, ns since 1970 UTC.
    from_start : bool
        Whether both directions of a TCP connection are seen from their beginning.
    packets : tuple of Packet
        In their order.
    expect : dict
        The verdict that it must give.
    """

    file: str
    name: str
    ip_proto: int
    src_port: int
    dst_port: int
    time_ns: int
    from_start: bool
    packets: tuple[Packet, ...]
    expect: dict[str, Any]

    def match(self, packets: Sequence[Packet] | None = None) -> dict[str, Any]:
        """Match it, or other packets in its place.

        Returns
        -------
        dict
            ``tier``, ``checks``, ``alternatives`` and the client's hello; where a fingerprint won also ``protocol``,
            ``variant``, ``bits``, ``initiator``. An alternative has the same keys.
        """
        rows = []
        now = self.time_ns
        sequence = [0, 0]
        for packet in self.packets if packets is None else packets:
            now += packet.gap_ns
            rows.append((packet.direction, now, packet.length, packet.octets, sequence[packet.direction]))
            sequence[packet.direction] += packet.length
        return _core.match_payloads(self.ip_proto, self.src_port, self.dst_port, self.from_start, rows)


def claims(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Give a match's verdict and the losers that were worth naming: some fingerprints are made to lose."""
    return [found, *found["alternatives"]]


@cache
def files() -> dict[str, File]:
    """Give the vector files by the name of their fingerprint.

    They lie in the installed package, or in the checkout that this package is the source of; else there are none.
    """
    here: list[File] = [file for file in resources.files(__package__).iterdir() if file.name.endswith(".toml")]
    source = Path(__file__).parents[2]
    if not here and source.name == "src":
        here = list((source.parent / "tests" / "vectors" / "fingerprint").glob("*.toml"))
    return {file.name.removesuffix(".toml"): file for file in sorted(here, key=lambda file: file.name)}


def read_cases(file: File) -> list[Case]:
    """Read one vector file.

    Parameters
    ----------
    file : File
        A path, or a file of the package.

    Raises
    ------
    SourceError
        Where it is no TOML, or a case has no source, a key that is not known, or a value that is none of its key's.
    """
    name = file.name.removesuffix(".toml")
    try:
        return [_case(name, row) for row in tomllib.loads(file.read_text(encoding="utf-8"))["case"]]
    except KeyError as problem:
        raise SourceError(f"{file.name}: {problem} is missing, or is no value of its key; {_FORM}") from problem
    except (TypeError, AttributeError, ValueError, RecursionError, OverflowError, MemoryError) as problem:
        raise SourceError(f"{file.name}: is no vector file: {str(problem)[:200]!r}; {_FORM}") from problem


def _case(file: str, row: dict[str, Any]) -> Case:
    unknown = row.keys() - _CASE_KEYS | row["expect"].keys() - _EXPECT_KEYS
    unknown |= {key for packet in row["packets"] for key in packet.keys() - _PACKET_KEYS}
    if unknown:
        raise SourceError(f"{file}.toml: {row['name']}: unknown keys {', '.join(sorted(unknown))}")
    if not row["source"]:
        raise SourceError(f"{file}.toml: {row['name']}: a vector states its source")
    return Case(
        file=file,
        name=row["name"],
        ip_proto=row.get("ip_proto", 17),
        src_port=row.get("src_port", 50000),
        dst_port=row.get("dst_port", 50001),
        time_ns=int(row.get("time", _TIME).timestamp()) * 1_000_000_000,
        from_start=row.get("from_start", True),
        packets=tuple(_packet(packet) for packet in row["packets"]),
        expect=row["expect"],
    )


def _packet(row: dict[str, Any]) -> Packet:
    octets = bytes.fromhex("".join(row.get("hex", "").split())) + row.get("text", "").encode()
    octets += bytes(row.get("zeros", 0))
    return Packet(
        direction={">": 0, "<": 1}[row["dir"]],
        gap_ns=row.get("gap_ns", 1_000_000),
        length=row.get("length", len(octets)),
        octets=octets,
    )

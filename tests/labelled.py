"""Labelled captures: reads the lists, classifies the captures, and puts rows and labels of one flow together.

A flow here is what the lists mean by it: the outer 5-tuple over a whole capture, both directions, without timeouts.
"""

from __future__ import annotations

import ipaddress
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import flowclass

Row = dict[str, Any]
Key = tuple[tuple[bytes, int], tuple[bytes, int], int]

COLUMNS = [
    "src_ip",
    "src_port",
    "dst_ip",
    "dst_port",
    "ip_proto",
    "packets_fwd",
    "packets_rev",
    "bytes_fwd",
    "bytes_rev",
    "parent_flow_id",
    "protocol",
    "protocol_class",
    "variant",
    "tier",
    "evidence_bits",
    "packet_first",
    "time_start",
    "time_end",
]
FOUND = ("confirmed", "probable")


@dataclass(frozen=True)
class Label:
    """What a flow is known to be."""

    key: Key
    frame: int
    depth: int
    family: str
    accept: tuple[str, ...]
    variant: str | None
    certainty: str
    scope: str

    @property
    def counts(self) -> bool:
        """Whether the flow must be found."""
        return self.certainty == "certain" and self.scope == "gate"


@dataclass(frozen=True)
class Capture:
    """One capture and what is known of it."""

    path: Path
    packets: int
    container: str
    negatives_ok: bool
    unvouched: frozenset[int]
    labels: tuple[Label, ...]
    hard_negatives: frozenset[Key]

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name


@dataclass(frozen=True)
class Classified:
    """One capture, its rows by flow, and how reading it ended."""

    capture: Capture
    outer: dict[Key, list[Row]] = field(default_factory=dict)
    inner: dict[Key, list[Row]] = field(default_factory=dict)
    report: flowclass.SourceReport = field(default_factory=lambda: flowclass.SourceReport(name=""))
    balance: flowclass.Balance = field(default_factory=flowclass.Balance)

    def rows(self, label: Label) -> list[Row]:
        """Give the rows of a labelled flow."""
        return (self.inner if label.depth else self.outer).get(label.key, [])

    def negatives(self) -> Iterator[tuple[Key, list[Row]]]:
        """Give the outer flows that are known to be neither VPN nor tunnel."""
        labelled = {label.key for label in self.capture.labels}
        for key, rows in self.outer.items():
            if key in labelled:
                continue
            first = min(row["packet_first"] for row in rows)
            vouched = self.capture.negatives_ok or first not in self.capture.unvouched
            if vouched or key in self.capture.hard_negatives:
                yield key, rows


@lru_cache(maxsize=65536)
def packed(address: str) -> bytes:
    """Give an address as octets."""
    return ipaddress.ip_address(address).packed


def flow_key(row: Row) -> Key:
    """Give the 5-tuple of a row or label, the smaller endpoint first."""
    ends = sorted((packed(row[f"{end}_ip"]), row[f"{end}_port"] or 0) for end in ("src", "dst"))
    return ends[0], ends[1], row["ip_proto"]


def shown(row: Row) -> str:
    """Give a row as one line for a message."""
    ends = f"{row['src_ip']} {row['src_port']} > {row['dst_ip']} {row['dst_port']} protocol {row['ip_proto']}"
    said = f"{row['protocol']} {row['variant']} {row['tier']} {row['evidence_bits']:.0f} bits"
    return f"{ends}, frame {row['packet_first']}: {said}"


def read_lines(path: Path) -> list[Row]:
    """Read JSON lines."""
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def read_list(folder: Path) -> list[Capture]:
    """Read ``captures.jsonl``, ``labels.jsonl`` and, where there are any, ``hard_negatives.jsonl``."""
    labels: dict[str, list[Label]] = defaultdict(list)
    for row in read_lines(folder / "labels.jsonl"):
        labels[row["capture"]].append(
            Label(
                key=flow_key(row),
                frame=row["frame"],
                depth=row.get("depth", 0),
                family=row["family"],
                accept=tuple(row.get("accept", [row["family"]])),
                variant=row["variant"],
                certainty=row["certainty"],
                scope=row.get("scope", "gate"),
            )
        )
    hard: dict[str, set[Key]] = defaultdict(set)
    if (folder / "hard_negatives.jsonl").exists():
        for row in read_lines(folder / "hard_negatives.jsonl"):
            hard[row["capture"]].add(flow_key(row))
    found = [
        Capture(
            path=folder / "captures" / row["capture"],
            packets=row["packets"],
            container=row["format"],
            negatives_ok=row["negatives_ok"],
            unvouched=frozenset(row.get("unvouched_first_frames", [])),
            labels=tuple(labels.pop(row["capture"], [])),
            hard_negatives=frozenset(hard.pop(row["capture"], set())),
        )
        for row in read_lines(folder / "captures.jsonl")
    ]
    assert not labels, f"labels of captures that are not listed: {sorted(labels)}"
    assert not hard, f"hard negatives of captures that are not listed: {sorted(hard)}"
    return found


def classified(capture: Capture) -> Classified:
    """Classify a capture alone."""
    result = flowclass.classify(capture.path)
    outer: dict[Key, list[Row]] = defaultdict(list)
    inner: dict[Key, list[Row]] = defaultdict(list)
    for row in result.to_pyarrow().select(COLUMNS).to_pylist():
        (outer if row["parent_flow_id"] is None else inner)[flow_key(row)].append(row)
    (report,) = result.sources
    return Classified(capture, dict(outer), dict(inner), report, result.balance)

"""Labelled captures: reads the lists, classifies the captures, and puts rows and labels of one flow together.

A flow here is what the lists mean by it: the outer 5-tuple over a whole capture, both directions, without timeouts.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import flowclass
from flowclass.accuracy.labels import Key, Label, LabelledCapture, flow_key, packed, read_labels
from flowclass.accuracy.scores import FOUND

__all__ = [
    "FOUND",
    "Capture",
    "Classified",
    "Key",
    "Label",
    "classified",
    "flow_key",
    "packed",
    "read_lines",
    "read_list",
    "shown",
]

Row = dict[str, Any]

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
    "direction_basis",
    "time_start",
    "time_end",
]


@dataclass(frozen=True, kw_only=True)
class Capture:
    """One capture and what is known of it."""

    path: Path
    known: LabelledCapture

    @property
    def name(self) -> str:
        """The file's name."""
        return self.known.name

    @property
    def packets(self) -> int:
        """Frames, as the list counts them."""
        return self.known.packets

    @property
    def container(self) -> str:
        """Container format, as the list has it."""
        return self.known.container

    @property
    def labels(self) -> tuple[Label, ...]:
        """The flows that are known."""
        return self.known.labels

    @property
    def hard_negatives(self) -> frozenset[Key]:
        """Flows that look like a tunnel and are none."""
        return self.known.hard_negatives


@dataclass(frozen=True)
class Classified:
    """One capture, its rows by flow, and how reading it ended. A row has COLUMNS, and the rules of its evidence."""

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
            if self.capture.known.is_negative(key, first):
                yield key, rows


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
    listed = read_labels(folder / "labels.jsonl", captures=folder / "captures.jsonl")
    return [Capture(path=folder / "captures" / name, known=known) for name, known in listed.items()]


def classified(capture: Capture) -> Classified:
    """Classify a capture alone."""
    result = flowclass.classify(capture.path)
    outer: dict[Key, list[Row]] = defaultdict(list)
    inner: dict[Key, list[Row]] = defaultdict(list)
    for row in result.to_pyarrow().select([*COLUMNS, "evidence"]).to_pylist():
        row["rules"] = tuple(dict.fromkeys(check["rule"] for check in row.pop("evidence") or ()))
        (outer if row["parent_flow_id"] is None else inner)[flow_key(row)].append(row)
    (report,) = result.sources
    return Classified(capture, dict(outer), dict(inner), report, result.balance)

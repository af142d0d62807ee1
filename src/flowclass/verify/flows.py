"""The flows of one capture: ours and tshark's, added up in the same way, so that they can be compared.

A flow here is the 5-tuple and the address pairs of the tunnels around it, over a whole capture, both directions,
without timeouts and VLANs. Of a flow's two ends the smaller one stands first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeAlias

from flowclass.accuracy.labels import Key, flow_key, packed
from flowclass.explain.records import nanoseconds
from flowclass.pipeline.classify import classify
from flowclass.sinks.columns import rows
from flowclass.types import Balance, SourceReport

Around: TypeAlias = tuple[tuple[bytes, bytes], ...]
"""The address pairs of the tunnels around a flow, from the outside."""
FlowId: TypeAlias = tuple[Around, Key]

MOST_FRAMES = 16
_COLUMNS = (
    "flow_id", "parent_flow_id", "src_ip", "src_port", "dst_ip", "dst_port", "ip_proto", "packets_fwd", "packets_rev",
    "bytes_fwd", "bytes_rev", "time_start", "time_end", "packet_first", "packet_last", "protocol", "protocol_class",
    "variant", "tier", "evidence_bits", "evidence", "truncated_packets",
)  # fmt: skip
_TIERS = ("none", "possible", "probable", "confirmed")


@dataclass(slots=True, kw_only=True)
class Flow:
    """The sums of one flow on one side.

    Parameters
    ----------
    packets, octets : list of int, length 2
        From the first end and back; IP packets and IP total lengths. Where both ends are one, all are in the first.
    start, end : int
        Least and greatest packet time, ns since 1970 UTC.
    frames : list of int
        The first of its frames, 1-based; of ours the first and last of each segment.
    last_frame : int
        The last one.
    names : dict of str to int
        Layers that tshark reads in it, with packets; ours has none.
    reads : dict of str to int
        Of each packet the outermost layer that means a protocol, with packets; ours has none.
    around : set of int
        Ports of the flows around it.
    through : set of str
        Layers of the tunnel around it, as tshark calls them; ours has none.
    rows : list of dict
        Our records of it; tshark's has none.
    """

    packets: list[int] = field(default_factory=lambda: [0, 0])
    octets: list[int] = field(default_factory=lambda: [0, 0])
    start: int = 0
    end: int = 0
    frames: list[int] = field(default_factory=list)
    last_frame: int = 0
    names: dict[str, int] = field(default_factory=dict)
    reads: dict[str, int] = field(default_factory=dict)
    around: set[int] = field(default_factory=set)
    through: set[str] = field(default_factory=set)
    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, *, packets: list[int], octets: list[int], start: int, end: int, frames: list[int]) -> None:
        """Add sums of the same flow."""
        first = not any(self.packets)
        self.packets = [a + b for a, b in zip(self.packets, packets, strict=True)]
        self.octets = [a + b for a, b in zip(self.octets, octets, strict=True)]
        self.start = start if first else min(self.start, start)
        self.end = end if first else max(self.end, end)
        self.frames = sorted({*self.frames, *frames})[:MOST_FRAMES]

    @property
    def verdict(self) -> Mapping[str, Any]:
        """The record whose verdict counts: the best tier, then the most bits; empty where there is none."""
        best = max(self.rows, key=lambda row: (_TIERS.index(row["tier"]), row["evidence_bits"] or 0), default=None)
        return {} if best is None else best


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """The flows of a capture on one side.

    Parameters
    ----------
    flows : dict of FlowId to Flow
        All of them.
    frames : int
        Frames read.
    stopped : str
        Why not all were read; empty where they were.
    """

    flows: dict[FlowId, Flow]
    frames: int
    stopped: str


def ours(capture: Path, name: str) -> tuple[Side, Balance]:
    """Classify a capture alone and add up its records."""
    from flowclass.sources.file import FileSource

    result = classify(FileSource(capture, name))
    table = result.to_pyarrow().select(list(_COLUMNS))
    flows: dict[FlowId, Flow] = {}
    places: dict[str, FlowId] = {}
    parents: dict[str, str | None] = {}
    records = list(_records(table))
    for record in records:
        parents[record["flow_id"]] = record["parent_flow_id"]
        places[record["flow_id"]] = ((), flow_key(record))
    for record in records:
        around: list[tuple[bytes, bytes]] = []
        ports: set[int] = set()
        parent = record["parent_flow_id"]
        while parent in places:
            first, second, _ = places[parent][1]
            around.insert(0, (first[0], second[0]))
            ports |= {first[1], second[1]} - {0}
            parent = parents[parent]
        flow = flows.setdefault((tuple(around), places[record["flow_id"]][1]), Flow())
        turn = _is_turned(record)
        flow.add(
            packets=_ways(record["packets_fwd"], record["packets_rev"], turn),
            octets=_ways(record["bytes_fwd"], record["bytes_rev"], turn),
            start=record["time_start"],
            end=record["time_end"],
            frames=[record["packet_first"], record["packet_last"]],
        )
        flow.last_frame = max(flow.last_frame, record["packet_last"])
        flow.around |= ports
        flow.rows.append(record)
    report: SourceReport = result.sources[0]
    stopped = "" if report.problem == "none" else report.sentence
    return Side(flows=flows, frames=result.balance.packets_read, stopped=stopped), result.balance


def _records(table: Any) -> Iterator[dict[str, Any]]:
    for batch in table.to_batches():
        for record in rows(batch):
            for name in ("time_start", "time_end"):
                record[name] = nanoseconds(record[name])
            yield record


def _is_turned(record: Mapping[str, Any]) -> bool | None:
    """Say whether the source is the second end; None where both ends are one."""
    source, target = ((packed(record[f"{end}_ip"]), record[f"{end}_port"] or 0) for end in ("src", "dst"))
    return None if source == target else source > target


def _ways(fwd: int, rev: int, turn: bool | None) -> list[int]:
    if turn is None:
        return [fwd + rev, 0]
    return [rev, fwd] if turn else [fwd, rev]


def theirs(answer: Mapping[str, Any]) -> Side:
    """Give the flows that the worker added up, by the same ids."""
    flows: dict[FlowId, Flow] = {}
    for row in answer["flows"]:
        *around, (source, target, proto) = row["levels"]
        record = {
            "src_ip": source[0], "src_port": source[1], "dst_ip": target[0], "dst_port": target[1], "ip_proto": proto,
        }  # fmt: skip
        pairs = tuple(_pair(first[0], second[0]) for first, second, _ in around)
        flow = flows.setdefault((pairs, flow_key(record)), Flow())
        turn = _is_turned(record)
        flow.add(
            packets=_ways(row["packets"][0], row["packets"][1], turn),
            octets=_ways(row["octets"][0], row["octets"][1], turn),
            start=row["start"],
            end=row["end"],
            frames=row["frames"],
        )
        flow.last_frame = max(flow.last_frame, row["last_frame"])
        flow.around |= {end[1] for first, second, _ in around for end in (first, second)} - {0}
        flow.through.update(row["through"])
        for kept, given in ((flow.names, row["names"]), (flow.reads, row["reads"])):
            for name, count in given.items():
                kept[name] = kept.get(name, 0) + count
    return Side(flows=flows, frames=answer["frames"], stopped=answer["stopped"])


def _pair(first: str, second: str) -> tuple[bytes, bytes]:
    low, high = sorted((packed(first), packed(second)))
    return low, high


def text_of(flow: FlowId) -> str:
    """Give a flow as one reads it."""
    around, (first, second, proto) = flow
    ends = " - ".join(_end(*end) for end in (first, second))
    inside = "".join(f" in {ip_address(a)} - {ip_address(b)}" for a, b in reversed(around))
    return f"{ends} protocol {proto}{inside}"


def _end(address: bytes, port: int) -> str:
    shown = str(ip_address(address))
    return shown if port == 0 else (f"[{shown}]:{port}" if ":" in shown else f"{shown}:{port}")

"""Takes one capture and what is known of it. Gives what flowclass says of the flows that matter."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from flowclass.accuracy.compare import TUNNELS
from flowclass.accuracy.labels import Key, LabelledCapture, flow_key
from flowclass.accuracy.scores import Claim, Seen
from flowclass.pipeline.batch import Run
from flowclass.pipeline.options import RunOptions
from flowclass.sources import PREFIX, SLICE, ByteSource, Octets
from flowclass.types import SourceReport

_COLUMNS = [
    "src_ip",
    "src_port",
    "dst_ip",
    "dst_port",
    "ip_proto",
    "parent_flow_id",
    "packet_first",
    "protocol",
    "protocol_class",
    "variant",
    "tier",
    "evidence_bits",
]


def look(source: ByteSource, capture: LabelledCapture) -> tuple[Seen, SourceReport]:
    """Classify one capture.

    Parameters
    ----------
    source : ByteSource
        Its octets.
    capture : LabelledCapture
        What is known of it.

    Returns
    -------
    seen : Seen
        Every outer flow, and what was said of those that matter.
    report : SourceReport
        How reading it ended.
    """
    hashed = _Hashed(source)
    run = Run([hashed], RunOptions())
    wanted = {label.key for label in capture.labels} | capture.hard_negatives
    first_frames: dict[Key, int] = {}
    claims: dict[tuple[bool, Key], list[Claim]] = defaultdict(list)
    for batch in run.batches():
        for row in batch.select(_COLUMNS).to_pylist():
            key = flow_key(row)
            inside = row["parent_flow_id"] is not None
            if not inside:
                frame = row["packet_first"]
                first_frames[key] = min(frame, first_frames.get(key, frame))
            if key in wanted or (not inside and row["protocol_class"] in TUNNELS):
                claims[inside, key].append(_claim(row))
    (report,) = run.reports
    if (
        capture.sha256 is not None
        and report.problem in ("none", "unsupported_link")
        and hashed.digest != capture.sha256
    ):
        sentence = f"{source.name}: its octets are not those that were labelled (SHA-256); get the capture again"
        return Seen(), SourceReport(name=source.name, problem="not_labelled", sentence=sentence)
    problem = "" if report.problem == "none" else report.sentence
    return Seen(first_frames=first_frames, claims=dict(claims), problem=problem), report


def _claim(row: Mapping[str, Any]) -> Claim:
    name, tier = str(row["protocol"]), str(row["tier"])
    known = name != "unknown"
    variant = f"/{row['variant']}" if row["variant"] else ""
    bits = f" {row['evidence_bits'] or 0:.0f} bits"
    return Claim(
        ids=(name,) if known else (),
        shown=f"{name}{variant} {tier}{bits}" if known else name,
        tier=tier,
        tunnel=row["protocol_class"] in TUNNELS,
    )


class _Hashed:
    """A capture that says the hash of its octets when it was read."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._hash = hashlib.sha256()

    @property
    def name(self) -> str:
        return self._source.name

    @property
    def size(self) -> int | None:
        return self._source.size

    @property
    def position(self) -> int:
        return self._source.position

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    def prefix(self) -> Octets | None:
        return self._source.prefix()

    def slices(self) -> Iterator[Octets]:
        for piece in self._source.slices():
            self._hash.update(piece)
            yield piece


class InMemory:
    """A capture that is in memory.

    Parameters
    ----------
    name : str
        What it is called.
    octets : bytes
        pcap or pcapng.
    """

    def __init__(self, name: str, octets: bytes) -> None:
        self.name = name
        self.position = 0
        self._octets = octets

    @property
    def size(self) -> int | None:
        """Octets of it."""
        return len(self._octets)

    def prefix(self) -> Octets | None:
        """Give the first octets."""
        return self._octets[:PREFIX]

    def slices(self) -> Iterator[Octets]:
        """Give all of them."""
        for start in range(0, len(self._octets), SLICE):
            self.position = min(start + SLICE, len(self._octets))
            yield self._octets[start : self.position]

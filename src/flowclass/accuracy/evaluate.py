"""Takes captures and labels. Gives how well the flows were told, capture by capture and in bounded memory."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from flowclass.accuracy.compare import TUNNELS, compare
from flowclass.accuracy.labels import Key, LabelledCapture, flow_key
from flowclass.accuracy.scores import Claim, Score, Seen
from flowclass.engine import matchers
from flowclass.pipeline.batch import Run, RunOptions
from flowclass.sources import Octets
from flowclass.sources.file import FileSource
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


class Peer(Protocol):
    """Another classifier, asked about the same captures."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def version(self) -> str:
        """Which version it is."""

    def claims(self, capture: Path) -> Mapping[Key, list[Claim]] | str:
        """Give what it says of the outer flows of a capture, or why it says nothing."""


@dataclass(slots=True, kw_only=True)
class Evaluation:
    """What came of an evaluation.

    Parameters
    ----------
    ours : Score
        Of flowclass.
    peer : Score or None
        Of the peer, on the same flows.
    peer_failures : list of (str, str)
        Captures the peer could not read, and why. Their flows count as missed.
    reports : list of SourceReport
        How reading each capture ended.
    captures : int
        Captures that were judged.
    not_listed : list of str
        Captures that no label speaks of.
    not_given : list of str
        Captures with labels that were not given: their flows count nowhere.
    """

    ours: Score = field(default_factory=Score)
    peer: Score | None = None
    peer_failures: list[tuple[str, str]] = field(default_factory=list)
    reports: list[SourceReport] = field(default_factory=list)
    captures: int = 0
    not_listed: list[str] = field(default_factory=list)
    not_given: list[str] = field(default_factory=list)


def evaluate(
    sources: Iterable[FileSource],
    labels: Mapping[str, LabelledCapture],
    *,
    peer: Peer | None = None,
    progress: Callable[[int, Score], None] | None = None,
) -> Evaluation:
    """Classify captures, each alone, and compare with what is known of them.

    Parameters
    ----------
    sources : iterable of FileSource
        The captures; labels are found by the file's name.
    labels : mapping of str to LabelledCapture
        What is known, by the file's name.
    peer : Peer, optional
        Who is asked about the same captures.
    progress : callable, optional
        Called after every capture with the number of captures done and the score so far.

    Notes
    -----
    A capture whose octets are not those that were labelled, or whose name comes twice, is not judged; its report
    has the problem ``not_labelled``.
    """
    classes = {matcher["protocol"]: matcher["protocol_class"] for matcher in matchers()}
    done = Evaluation(peer=None if peer is None else Score())
    judged: set[str] = set()
    for place, source in enumerate(sources, 1):
        capture = labels.get(source.path.name)
        if capture is None:
            done.not_listed.append(source.name)
        elif capture.name in judged:
            sentence = f"{source.name}: another capture of this name was judged already; labels go by the file's name"
            done.reports.append(SourceReport(name=source.name, problem="not_labelled", sentence=sentence))
        else:
            seen, report = look(source, capture)
            done.reports.append(report)
            if report.problem != "not_labelled":
                judged.add(capture.name)
                compare(done.ours, capture, seen, classes)
                if peer is not None and done.peer is not None:
                    said = peer.claims(source.path)
                    if isinstance(said, str):
                        done.peer_failures.append((source.name, said))
                    compare(done.peer, capture, _of_peer(said, seen), classes)
        if progress is not None:
            progress(place, done.ours)
    done.captures = len(judged)
    done.not_given = sorted(name for name, one in labels.items() if name not in judged and one.labels)
    return done


def look(source: FileSource, capture: LabelledCapture) -> tuple[Seen, SourceReport]:
    """Classify one capture.

    Parameters
    ----------
    source : FileSource
        Where it lies.
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


def _of_peer(said: Mapping[Key, list[Claim]] | str, ours: Seen) -> Seen:
    """Give what a peer said, over the flows that we saw."""
    if isinstance(said, str):
        return Seen(first_frames=ours.first_frames, problem=f"not read: {said}")
    claims = {(False, key): answers for key, answers in said.items()}
    return Seen(first_frames=ours.first_frames, claims=claims)


class _Hashed:
    """A capture that says the hash of its octets when it was read."""

    def __init__(self, source: FileSource) -> None:
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

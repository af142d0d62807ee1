"""Takes captures and labels. Gives how well the flows were told, capture by capture.

Memory is bounded, but for views: a capture is held whole while its views are cut.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from flowclass.accuracy.compare import compare
from flowclass.accuracy.frames import read_frames, write_pcap
from flowclass.accuracy.labels import Key, LabelledCapture
from flowclass.accuracy.look import InMemory, look
from flowclass.accuracy.scores import Claim, Score, Seen
from flowclass.accuracy.views import cut, labels_in, packets_of
from flowclass.engine import matchers
from flowclass.errors import SourceError
from flowclass.sources.file import FileSource
from flowclass.types import SourceReport


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
class ViewScore:
    """What came of one view of the captures.

    Parameters
    ----------
    score : Score
        Over the flows that are in the view.
    captures : int
        Captures of which the view has a frame.
    gone : int
        Certain gate flows of which it has no packet with payload, or whose packets could not be told apart.
    """

    score: Score = field(default_factory=Score)
    captures: int = 0
    gone: int = 0


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
    views : dict of str to ViewScore
        By the view's name, those that were asked for.
    not_cut : list of str
        Captures that no view could be cut of.
    synthetic : int
        Captures judged whose packets were written, and not sent by the programs themselves.
    origins : dict of str to int
        Captures judged, by who published them.
    programs : dict of str to set of str
        The programs whose traffic the captures judged hold, with their versions.

    Examples
    --------
    >>> import flowclass
    >>> flowclass.Evaluation().ours.recall.value is None  # nothing was judged yet
    True
    """

    ours: Score = field(default_factory=Score)
    peer: Score | None = None
    peer_failures: list[tuple[str, str]] = field(default_factory=list)
    reports: list[SourceReport] = field(default_factory=list)
    captures: int = 0
    not_listed: list[str] = field(default_factory=list)
    not_given: list[str] = field(default_factory=list)
    views: dict[str, ViewScore] = field(default_factory=dict)
    not_cut: list[str] = field(default_factory=list)
    synthetic: int = 0
    origins: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    programs: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def note(self, capture: LabelledCapture) -> None:
        """Note where a capture that is judged comes from."""
        self.synthetic += capture.synthetic
        if capture.origin:
            self.origins[capture.origin.partition("/")[0].replace("+", "/")] += 1
        for program, version in capture.programs:
            self.programs[program].add(version)


def evaluate(
    sources: Iterable[FileSource],
    labels: Mapping[str, LabelledCapture],
    *,
    views: Sequence[str] = (),
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
    views : sequence of str
        Views of the captures to judge too, of `flowclass.accuracy.views.CUT`.
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
    done = Evaluation(peer=None if peer is None else Score(), views={view: ViewScore() for view in views})
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
                done.note(capture)
                compare(done.ours, capture, seen, classes)
                if views:
                    _judge_views(done, source, capture, classes)
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


def _judge_views(done: Evaluation, source: FileSource, capture: LabelledCapture, classes: Mapping[str, str]) -> None:
    """Cut a capture's views, classify each and compare with what is known of the flows in it."""
    certain = sum(label.counts for label in capture.labels)
    try:
        full = packets_of(read_frames(b"".join(bytes(piece) for piece in source.slices())))
    except SourceError:
        full = []
    if not full:
        done.not_cut.append(source.name)
    for name, view in done.views.items():
        packets = cut(full, name, capture.name)
        known = labels_in(capture, full, packets)
        view.gone += certain - sum(label.counts for label in known.labels)
        if packets:
            view.captures += 1
            octets = write_pcap(packet.frame for packet in packets)
            seen, report = look(InMemory(f"{source.name} ({name})", octets), known)
            if report.problem != "none":
                done.reports.append(report)
            compare(view.score, known, seen, classes)


def _of_peer(said: Mapping[Key, list[Claim]] | str, ours: Seen) -> Seen:
    """Give what a peer said, over the flows that we saw."""
    if isinstance(said, str):
        return Seen(first_frames=ours.first_frames, problem=f"not read: {said}")
    claims = {(False, key): answers for key, answers in said.items()}
    return Seen(first_frames=ours.first_frames, claims=claims)

"""The conductor: plan -> scan every piece -> order them, check that they fit -> join what they left -> close.

Takes pieces and settings. Gives a folder of Parquet files with the records that one plain run over each capture point
would give, and what happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from flowclass.distributed.engines import Engine
from flowclass.distributed.groups import grouped, regroup
from flowclass.distributed.messages import Done, Join, Renumber, Scan, Settings, records_name
from flowclass.distributed.piece import Piece
from flowclass.distributed.storage import Folder
from flowclass.distributed.streams import Stream, fit, mend, streams_of
from flowclass.errors import FlowclassError
from flowclass.pipeline.reports import sum_counters
from flowclass.pipeline.tally import Tally
from flowclass.types import SourceReport

FIRST_SLACK_NS = 5_000_000_000
"""By which neighbouring pieces may overlap in time before they are read again."""


@dataclass
class Progress:
    """How far a job is.

    Parameters
    ----------
    stage : str
        ``scan``, ``join``, ``renumber`` or ``done``.
    done, of : int
        Tasks of the stage.
    """

    stage: str = "scan"
    done: int = 0
    of: int = 0


@dataclass
class Job:
    """One run over many workers.

    Parameters
    ----------
    pieces : list of Piece
        What to read.
    settings : Settings
        Of all tasks.
    engine : Engine
        Who carries them.
    group_octets : int
        Of the files that are put together into one piece.
    progress : callable, optional
        Called after every task.
    """

    pieces: list[Piece]
    settings: Settings
    engine: Engine
    group_octets: int = 0
    progress: Callable[[Progress], None] | None = None
    scanned: dict[int, Done] = field(default_factory=dict)
    joined: list[Done] = field(default_factory=list)
    failures: dict[int, str] = field(default_factory=dict)
    state: Progress = field(default_factory=Progress)
    _next: int = 0

    def run(self) -> None:
        """Do all of it."""
        self.pieces = grouped(self.pieces, self.group_octets)
        self._next = len(self.pieces)
        self._scan(self.pieces, FIRST_SLACK_NS)
        self._regroup()
        while mended := mend(self.pieces, self.scanned):
            self.pieces = [piece for piece in self.pieces if piece.number not in mended.gone]
            self.pieces = [mended.longer.get(piece.number, piece) for piece in self.pieces]
            for number in mended.gone:
                self.scanned.pop(number, None)
                self.failures.pop(number, None)
            self._scan(list(mended.longer.values()), FIRST_SLACK_NS)
        streams = streams_of(self.pieces, self.scanned)
        while again := fit(streams, self.scanned):
            for slack_ns, pieces in again:
                self._scan(pieces, slack_ns)
            streams = streams_of(self.pieces, self.scanned)
        self._renumber(streams)
        self._join(streams)
        self._tell("done", 0)

    def _regroup(self) -> None:
        """Scan again what must not, or could not, be scanned in one piece."""
        while regrouped := regroup(self.pieces, self.scanned, self.group_octets, self._next):
            gone = {piece.number for piece in regrouped.gone}
            for number in gone:
                self.scanned.pop(number, None)
                self.failures.pop(number, None)
                Folder(self.settings.output).remove_file(records_name(number, "piece"))
            kept = [piece for piece in self.pieces if piece.number not in gone]
            self.pieces = sorted([*kept, *regrouped.made], key=lambda piece: (piece.files[0].number, piece.start or 0))
            self._next += len(regrouped.made)
            self._scan(regrouped.made, FIRST_SLACK_NS)

    def _scan(self, pieces: Sequence[Piece], slack_ns: int) -> None:
        self._tell("scan", len(pieces))
        messages = [Scan(settings=self.settings, piece=piece, slack_ns=slack_ns) for piece in pieces]
        for place, answer in self._answers(messages):
            number = pieces[place].number
            if isinstance(answer, str):
                self.failures[number] = answer
            else:
                self.scanned[number] = answer
            self._step()

    def _renumber(self, streams: Iterable[Stream]) -> None:
        messages = [
            Renumber(settings=self.settings, number=left.number, frames_before=left.frames_before)
            for stream in streams
            for left in stream.left
            if stream.is_range(left.number) and self.scanned[left.number].flows
        ]
        self._tell("renumber", len(messages))
        for place, answer in self._answers(messages):
            if isinstance(answer, str):
                self.failures[messages[place].number] = answer
            self._step()

    def _join(self, streams: Iterable[Stream]) -> None:
        messages: list[Join] = []
        for stream in streams:
            left = tuple(left for left in stream.left if self.scanned[left.number].carried)
            for partition in range(self.settings.partitions if left else 0):
                messages.append(
                    Join(
                        settings=self.settings,
                        number=self._next + len(messages),
                        point=stream.point,
                        partition=partition,
                        left=left,
                        end_ns=stream.end_ns,
                    )
                )
        self._tell("join", len(messages))
        for place, answer in self._answers(messages):
            if isinstance(answer, str):
                message = messages[place]
                raise FlowclassError(
                    f"what pieces of {message.point or 'the stream'} left for partition {message.partition} could not"
                    f" be classified: {answer}"
                )
            self.joined.append(answer)
            self._step()

    def _answers(self, messages: Sequence[Scan | Join | Renumber]) -> Iterable[tuple[int, Done | str]]:
        encoded = [msgspec.json.encode(message) for message in messages]
        for place, answer in self.engine.run(encoded):
            yield place, answer if isinstance(answer, str) else msgspec.json.decode(answer, type=Done)

    def _tell(self, stage: str, of: int) -> None:
        self.state.stage, self.state.done, self.state.of = stage, 0, of

    def _step(self) -> None:
        self.state.done += 1
        if self.progress is not None:
            self.progress(self.state)

    def closing_name(self) -> str:
        """Give the name of the file, without records, that has the balance of all."""
        return records_name(self._next + len(self.joined), "end")

    @property
    def counters(self) -> dict[str, Any]:
        """The sum of all engines' counters."""
        total: dict[str, Any] = {}
        for done in [*self.scanned.values(), *self.joined]:
            total = sum_counters(total, done.counters)
        return total

    @property
    def tally(self) -> Tally:
        """How many flows have which verdict."""
        tally = Tally()
        for done in [*self.scanned.values(), *self.joined]:
            tally.add_counted((tuple(group), flows) for group, flows in done.groups)
        return tally

    @property
    def reports(self) -> list[SourceReport]:
        """What each file, or range of one, was and how reading it ended, in the order given.

        The balance of a report is of what could be classified within the piece; what it left at its borders is in the
        balance of all.
        """
        places = [(file.number, piece.start or 0, piece, place) for piece in self.pieces
                  for place, file in enumerate(piece.files)]  # fmt: skip
        return [self._report(piece, place) for _, _, piece, place in sorted(places, key=lambda entry: entry[:2])]

    def _report(self, piece: Piece, place: int) -> SourceReport:
        done = self.scanned.get(piece.number)
        name = piece.files[place].name
        if piece.start is not None:
            name = f"{name} from octet {piece.start:,}"
        if done is None:
            sentence = self.failures.get(piece.number, "it was not read")
            return SourceReport(name=name, problem="unreadable", sentence=f"{name}: {sentence}")
        report = replace(done.reports[place], name=name)
        failure = self.failures.get(piece.number)
        if failure is not None:
            return SourceReport(name=name, problem="unreadable", sentence=f"{name}: {failure}", balance=report.balance)
        return report

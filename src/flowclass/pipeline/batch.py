"""The pump: sources -> engine -> record batches. Nothing else pushes into an engine.

Takes sources and options. Gives record batches in their final order, and afterwards what happened:
a report and a balance for each source, the counters, the tally. It is longer than other files because every kind of
source has its loop here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flowclass._core import FileSlices
from flowclass.anonymize import source_name
from flowclass.engine import Carried, Engine
from flowclass.errors import SourceError
from flowclass.pipeline.checkpoint import Checkpoint
from flowclass.pipeline.kept_run import KeptRun, captured_by, kept_names, kept_now, refuse_to_keep, taken_over
from flowclass.pipeline.options import RunOptions
from flowclass.pipeline.order import by_first_packet
from flowclass.pipeline.reload import Judges
from flowclass.pipeline.reports import keep_few, live_report, report_of, sum_counters
from flowclass.pipeline.stop import Stop, Stopped
from flowclass.pipeline.tally import Tally
from flowclass.sources import (
    ByteSource,
    FolderSource,
    Octets,
    PacketSource,
    PieceSource,
    Ready,
    RingSource,
    Silence,
    Source,
)
from flowclass.sources.file import FileSource
from flowclass.sources.position import behind
from flowclass.types import Balance, CaptureCounters, SourceReport

if TYPE_CHECKING:
    import pyarrow as pa


BURSTS_BEHIND = 32
"""Of packets long before the clock, one after the other: these are not late, the clock was set back."""

_log = logging.getLogger(__name__)


class Run:
    """One run over a list of sources.

    Parameters
    ----------
    sources : iterable of Source
        In the order given.
    options : RunOptions
        What to do.
    problems : iterable of SourceReport
        Of sources that could not even be found.
    stop : Stop, optional
        Through which the run can be asked to end early.
    progress : callable, optional
        Called with the run after every slice.
    verdicts : callable, optional
        Called with every record batch of early verdicts (``flowclass.schema.early_schema``), before the records that
        come with them are given.
    checkpoint : Checkpoint, optional
        Where the run is kept from time to time, and when it is asked to end, so that another one goes on.

    Attributes
    ----------
    sources : list of Source
        In the order taken.
    first_times : list of int or None
        Of their first packets, ns since 1970 UTC, where that was looked at.
    reports : list of SourceReport
        One for each source read so far, and those given as problems.
    counters : dict
        Of the engine; summed over sources when each has its own.
    tally : Tally
        Of the flows that have ended so far.
    clock_restarts : int
        How often the packets' clock was seen to be set back, in a run with `latency_s`.
    carried : Carried or None
        With ``options.border``, after the end: the packets near the borders of the piece.
    judges : Judges
        Registry and policy; they may be replaced meanwhile.
    suspended : bool
        Whether it was asked to end and can go on from its checkpoint: its flows were not ended.
    lost : str
        What was not seen between the checkpoint and this run; empty where nothing was.
    """

    def __init__(
        self,
        sources: Iterable[Source],
        options: RunOptions,
        *,
        problems: Iterable[SourceReport] = (),
        stop: Stop | None = None,
        progress: Callable[[Run], None] | None = None,
        verdicts: Callable[[pa.RecordBatch], None] | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self.options = options
        ordered = by_first_packet(list(sources))
        self.sources = [source for source, _ in ordered]
        self.first_times = [time for _, time in ordered]
        self.reports: list[SourceReport] = list(problems)
        self.finished = self.suspended = False
        self.lost = ""
        self.octets_done = 0
        self.clock_restarts = 0
        self.carried: Carried | None = None
        self._stop = Stop() if stop is None else stop
        self.judges = Judges(options.registry, options.policy)
        self._progress = progress
        self.verdicts = verdicts
        self._counters: dict[str, Any] = {}
        self._flushed = time.monotonic()
        self._counted = Tally()  # of the engines that are done
        self._engine: Engine | None = None
        self._source: ByteSource | PacketSource | None = None
        self._checkpoint = checkpoint
        self._kept = KeptRun(sources=kept_names(self.sources))
        self._octets = 0  # of the source that is read, that the engine has
        if checkpoint is not None:
            refuse_to_keep(self.sources, options.files)

    @property
    def counters(self) -> dict[str, Any]:
        """All counters so far."""
        if self._engine is None:
            return self._counters
        return sum_counters(self._counters, self._engine.counters())

    @property
    def tally(self) -> Tally:
        """How many flows have which verdict, so far."""
        tally = Tally()
        tally.add_counted(self._counted.groups.items())
        if self._engine is not None:
            tally.add_counted(self._engine.verdicts())
        return tally

    @property
    def balance(self) -> Balance:
        """The balance of all sources so far."""
        done = Balance.of(self._counters) if self._counters else Balance()
        return done if self._engine is None else done + Balance.of(self._engine.balance())

    @property
    def captured(self) -> dict[str, CaptureCounters]:
        """What became of the packets of live interfaces so far."""
        return captured_by(self.sources, self._kept.captured)

    @property
    def stopped_by(self) -> int | None:
        """The signal that ended the run early, if one did."""
        return self._stop.signal

    @property
    def octets_read(self) -> int:
        """Octets of the sources read so far, as they are stored."""
        return self.octets_done + (self._source.position if isinstance(self._source, ByteSource) else 0)

    @property
    def octets_total(self) -> int | None:
        """Octets of all sources as they are stored; None when one does not know."""
        sizes = [source.size if isinstance(source, ByteSource) else None for source in self.sources]
        known = [size for size in sizes if size is not None]
        return sum(known) if len(known) == len(sizes) else None

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Read all sources and give the records; can be used once."""
        self._engine = self._new_engine()
        if self._checkpoint is not None and self._checkpoint.found is not None:
            self._take_over(self._checkpoint, self._engine)
        for place, source in enumerate(self.sources):
            if place < self._kept.place:
                continue
            self._kept.place = place
            if place > 0 and self.options.files == "each":
                yield from self._finish_engine()
                self._engine = self._new_engine()
            if isinstance(source, RingSource):
                yield from self._pump_rings(source, self._engine)
            elif isinstance(source, FolderSource):
                yield from self._pump_folder(source, self._engine)
            elif isinstance(source, PieceSource):
                yield from self._pump_pieces(source, self._engine)
            else:
                yield from self._pump(source, self.shown_name(place), self._engine)
            if self._stop.wanted:
                self._kept.place += self._source is None and isinstance(source, ByteSource)  # to its end
                break
        if self._checkpoint is not None and self._stop.wanted and self._engine is not None:
            self.suspended = True
            yield from self._keep(self._engine)
            return
        yield from self._finish_engine()
        self.finished = True

    def end(self, metadata: Mapping[str, str]) -> None:
        """Keep that the run has ended and that every row was given; the outputs are completed next."""
        if self._checkpoint is not None and not self._checkpoint.has_ended:
            self._checkpoint.write(self._kept_now(), None, metadata)

    def shown_name(self, place: int) -> str:
        """Give the name by which records and files know the source at a place."""
        named = self.options.engine.anonymize is None or self.options.border is not None  # whoever cut it has named it
        return self.sources[place].name if named else source_name(place)

    def _new_engine(self) -> Engine:
        options = self.options
        return Engine(
            options.engine,
            threads=options.threads,
            registry=self.judges.registry,
            policy=self.judges.policy,
            rows=options.rows,
            border=options.border,
            early=self.verdicts is not None,
        )

    def _finish_engine(self) -> Iterator[pa.RecordBatch]:
        if self._engine is None:
            return
        self.judges.put_in_force(self._engine)
        rest = self._engine.finish()
        self._give_verdicts(self._engine)
        self._counters = sum_counters(self._counters, self._engine.counters())
        self._counted.add_counted(self._engine.verdicts())
        if self.options.border is not None:
            self.carried = self._engine.take_carried()
        self._engine = None
        yield from rest

    def _pump(
        self, source: ByteSource | PacketSource, name: str, engine: Engine, *, whole: bool = False
    ) -> Iterator[pa.RecordBatch]:
        """Push one source; `whole`: to its end, whatever is asked meanwhile."""
        self._source = source
        position, self._kept.position = self._kept.position, None
        if position is None:
            engine.begin_source(name)
            self._kept.before = Balance.of(engine.balance())
        self._octets = 0 if position is None else position.octets
        failure = ""
        interrupted = False
        try:
            if isinstance(source, PacketSource):
                for burst in self._awaited(source.bursts()):
                    self.judges.put_in_force(engine)
                    engine.push_packets(source.link_type, burst)
                    yield from self._after_slice(engine)
            else:
                slices = self._slices(source) if position is None else behind(source, position)
                for chunk in slices if whole else self._awaited(slices):
                    self.judges.put_in_force(engine)
                    if isinstance(chunk, FileSlices):
                        engine.push_slice(chunk)
                        self._octets = source.position
                    else:
                        engine.push(chunk)
                        self._octets += len(chunk)
                    yield from self._after_slice(engine)
        except SourceError as problem:
            failure = str(problem)
        except Stopped:
            if self._checkpoint is not None:
                return  # where it is, is kept
            interrupted = True
        report = engine.end_source()
        balance = Balance.of(engine.balance()) - self._kept.before
        self.reports.append(report_of(source.name, report, balance, failure, interrupted))
        self.octets_done += source.position if isinstance(source, ByteSource) else 0
        self._source = None

    def _pump_rings(self, source: RingSource, engine: Engine) -> Iterator[pa.RecordBatch]:
        """Push what interfaces receive, and at the end what the kernel still holds."""
        failure = ""
        try:
            source.open()
            if not self._kept.begun:
                self._kept.before = Balance.of(engine.balance())
                self._kept.begun = [engine.begin_source(name) for name in self._interface_names(source)]
            numbers = self._kept.begun
            try:
                for moment in self._awaited(source.moments()):
                    self._take(moment, source, numbers, engine)
                    yield from self._after_slice(engine)
            except Stopped:
                pass  # that is how a live run ends
            for moment in source.rest():
                self._take(moment, source, numbers, engine)
                yield from self._after_slice(engine)
        except SourceError as problem:
            failure = str(problem)
        finally:
            source.close()
        balance = Balance.of(engine.balance()) - self._kept.before
        if self._checkpoint is None or not self._stop.wanted:
            self.reports.append(live_report(source.name, source.captured(), balance, failure, source.problems))

    def _interface_names(self, source: RingSource) -> list[str]:
        if self.options.engine.anonymize is None:
            return list(source.interfaces)
        return [source_name(place) for place in range(len(source.interfaces))]

    def _take(self, moment: Ready | Silence, source: RingSource, numbers: list[int], engine: Engine) -> None:
        self.judges.put_in_force(engine)
        if isinstance(moment, Ready):
            engine.use_source(numbers[moment.place])
            source.took(engine.push_ring(moment.ring, moment.most))
        elif moment.until_ns is not None:
            engine.advance(moment.until_ns)

    def _pump_pieces(self, source: PieceSource, engine: Engine) -> Iterator[pa.RecordBatch]:
        """Push what was left at the borders of pieces, in the order of the stream."""
        numbers: dict[str, int] = {}
        for part in source.parts():
            if part.name not in numbers:
                numbers[part.name] = engine.begin_source(part.name)
            engine.use_source(numbers[part.name])
            if part.clock_ns is not None:
                engine.advance(part.clock_ns)
            engine.push_carried(part.packets)
            yield from self._after_slice(engine)
        if source.end_ns is not None:
            engine.advance(source.end_ns)

    def _pump_folder(self, folder: FolderSource, engine: Engine) -> Iterator[pa.RecordBatch]:
        """Push the captures of a folder as they come, each to its end."""
        try:
            for file in self._awaited(folder.files()):
                if file is not None:
                    name = file.name if self.options.engine.anonymize is None else source_name(self._kept.captures)
                    self._kept.captures += self._kept.position is None
                    yield from self._pump(file, name, engine, whole=self._checkpoint is None)
                    if self._source is not None:
                        return  # in the middle of it
                    folder.done(file)
                    keep_few(self.reports, folder.name)
                yield from self._after_slice(engine)
        except SourceError as problem:
            self.reports.append(SourceReport(name=folder.name, problem="unreadable", sentence=str(problem)))
        except Stopped:
            pass  # that is how watching ends

    def _slices(self, source: ByteSource) -> Iterator[Octets | FileSlices]:
        """Give the octets of a source; where there are threads to read ahead, of a file as they like it."""
        if self.options.threads > 1 and isinstance(source, FileSource):
            return source.slices_ahead()
        return source.slices()

    def _awaited(self, pieces: Iterator[Any]) -> Iterator[Any]:
        """Give the pieces; while one is awaited, a signal may break in."""
        end = object()
        while True:
            with self._stop.waiting():
                piece: Any = next(pieces, end)
            if piece is end:
                return
            yield piece

    def _give_verdicts(self, engine: Engine) -> None:
        if self.verdicts is not None:
            for batch in engine.poll_early():
                self.verdicts(batch)

    def _after_slice(self, engine: Engine) -> Iterator[pa.RecordBatch]:
        latency = self.options.latency_s
        if latency is not None and time.monotonic() - self._flushed >= latency:
            self._flushed = time.monotonic()
            if engine.bursts_behind >= BURSTS_BEHIND:
                self._restart_clock(engine)
            engine.flush()
        self._give_verdicts(engine)
        yield from engine.poll()
        if self._checkpoint is not None and self._checkpoint.due:
            yield from self._keep(engine)
        if self._progress is not None:
            self._progress(self)

    def _restart_clock(self, engine: Engine) -> None:
        """Begin the clock anew: the packets' was set back, and by the engine's, which never is, no flow would end."""
        self.clock_restarts += 1
        _log.warning(
            "the clock of the packets went back by more than a minute; every flow was ended, and goes on as a new one"
        )
        engine.restart_clock()

    def _keep(self, engine: Engine) -> Iterator[pa.RecordBatch]:
        """Give what has ended so far; once that is written, write a checkpoint."""
        engine.flush()
        yield from engine.poll()
        assert self._checkpoint is not None
        self._checkpoint.write(self._kept_now(), engine)

    def _kept_now(self) -> dict[str, Any]:
        return kept_now(
            self._kept,
            self.sources,
            None if self._source is None else (self._source, self._octets),
            captured=self.captured,
            reports=self.reports,
            octets_done=self.octets_done,
            counters=self._counters,
            groups=list(self._counted.groups.items()),
        )

    def _take_over(self, checkpoint: Checkpoint, engine: Engine) -> None:
        """Go on where the run of the checkpoint was."""
        self._kept, self.lost = taken_over(checkpoint, self.sources, engine)
        self.reports, self.octets_done = self._kept.reports, self._kept.octets_done
        if checkpoint.has_ended:
            self._counters = self._kept.counters
            self._counted.add_counted(self._kept.groups)
            self._engine = None

"""The pump: sources -> engine -> record batches. Nothing else pushes into an engine.

Takes sources and options. Gives record batches in their final order, and afterwards what happened:
a report and a balance for each source, the counters, the tally. It is longer than other files because every kind of
source has its loop here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from flowclass._core import BorderPairs, FileSlices
from flowclass.anonymize import source_name
from flowclass.engine import Carried, Engine
from flowclass.errors import ConfigError, SourceError
from flowclass.pipeline.order import by_first_packet
from flowclass.pipeline.reload import Judges
from flowclass.pipeline.reports import FOLDER, folder_report, live_report, report_of, sum_counters
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
from flowclass.types import MAX_THREADS, Balance, CaptureCounters, EngineOptions, SourceReport, check_range

if TYPE_CHECKING:
    import pyarrow as pa

    from flowclass.policy import Policy
    from flowclass.registry import Registry

Files = Literal["stream", "each"]
MOST_PROBLEMS = 1000
BURSTS_BEHIND = 32
"""Of packets long before the clock, one after the other: these are not late, the clock was set back."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Everything that decides what a run gives.

    Parameters
    ----------
    registry : Registry, optional
        The registered endpoints.
    policy : Policy, optional
        What follows from them.
    threads : int
        Workers; the records do not depend on it.
    files : {"stream", "each"}
        Whether the sources are one stream, in the order of their first packets, or each its own.
    engine : EngineOptions
        How flows are cut.
    rows : bool
        Whether there are records; without them flows are only counted, for the summary.
    latency_s : float, optional
        Records are given at latest so long after their flows ended, in batches that may be short; by default batches
        are full.
    border : BorderPairs, optional
        The sources are a piece of a stream: packets near its borders are left in ``Run.carried``.
    """

    registry: Registry | None = None
    policy: Policy | None = None
    threads: int = 1
    files: Files = "stream"
    engine: EngineOptions = field(default_factory=EngineOptions)
    rows: bool = True
    latency_s: float | None = None
    border: BorderPairs | None = None

    def __post_init__(self) -> None:
        check_range("threads", self.threads, 1, MAX_THREADS)
        if self.files not in ("stream", "each"):
            raise ConfigError(f"files = {self.files!r} is not permitted: give 'stream' or 'each'")
        if self.policy is not None and self.registry is None:
            raise ConfigError("a policy judges by a registry, and none was given: add one, or leave the policy out")


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
    ) -> None:
        self.options = options
        ordered = by_first_packet(list(sources))
        self.sources = [source for source, _ in ordered]
        self.first_times = [time for _, time in ordered]
        self.reports: list[SourceReport] = list(problems)
        self.finished = False
        self.octets_done = 0
        self.clock_restarts = 0
        self.carried: Carried | None = None
        self._stop = Stop() if stop is None else stop
        self.judges = Judges(options.registry, options.policy)
        self._progress = progress
        self.verdicts = verdicts
        self._counters: dict[str, Any] = {}
        self._files = 0
        self._flushed = time.monotonic()
        self._counted = Tally()  # of the engines that are done
        self._engine: Engine | None = None
        self._source: ByteSource | PacketSource | None = None

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
        rings = [source for source in self.sources if isinstance(source, RingSource)]
        return {name: facts for source in rings for name, facts in source.captured().items()}

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
        for place, source in enumerate(self.sources):
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
                break
        yield from self._finish_engine()
        self.finished = True

    def shown_name(self, place: int) -> str:
        """Give the name by which records and files know the source at a place."""
        return self.sources[place].name if self.options.engine.anonymize is None else source_name(place)

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
        engine.begin_source(name)
        before = Balance.of(engine.balance())
        failure = ""
        interrupted = False
        try:
            if isinstance(source, PacketSource):
                for burst in self._awaited(source.bursts()):
                    self.judges.put_in_force(engine)
                    engine.push_packets(source.link_type, burst)
                    yield from self._after_slice(engine)
            else:
                for chunk in self._slices(source) if whole else self._awaited(self._slices(source)):
                    self.judges.put_in_force(engine)
                    if isinstance(chunk, FileSlices):
                        engine.push_slice(chunk)
                    else:
                        engine.push(chunk)
                    yield from self._after_slice(engine)
        except SourceError as problem:
            failure = str(problem)
        except Stopped:
            interrupted = True
        report = engine.end_source()
        balance = Balance.of(engine.balance()) - before
        self.reports.append(report_of(source.name, report, balance, failure, interrupted))
        self.octets_done += source.position if isinstance(source, ByteSource) else 0
        self._source = None

    def _pump_rings(self, source: RingSource, engine: Engine) -> Iterator[pa.RecordBatch]:
        """Push what interfaces receive, and at the end what the kernel still holds."""
        before = Balance.of(engine.balance())
        failure = ""
        try:
            source.open()
            numbers = [engine.begin_source(name) for name in self._interface_names(source)]
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
        balance = Balance.of(engine.balance()) - before
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
                    name = file.name if self.options.engine.anonymize is None else source_name(self._files)
                    self._files += 1
                    yield from self._pump(file, name, engine, whole=True)
                    folder.done(file)
                    self._keep_few_reports(folder)
                yield from self._after_slice(engine)
        except SourceError as problem:
            self.reports.append(SourceReport(name=folder.name, problem="unreadable", sentence=str(problem)))
        except Stopped:
            pass  # that is how watching ends

    def _keep_few_reports(self, folder: FolderSource) -> None:
        """Add the newest report to that of the folder, unless it has a problem; of these the first are kept."""
        newest = self.reports.pop()
        if newest.problem != "none" and len(self.reports) < MOST_PROBLEMS:
            self.reports.append(newest)
            return
        place = next((at for at, report in enumerate(self.reports) if report.format == FOLDER), len(self.reports))
        self.reports[place : place + 1] = [folder_report(folder.name, self.reports[place : place + 1], newest)]

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
        if self._progress is not None:
            self._progress(self)

    def _restart_clock(self, engine: Engine) -> None:
        """Begin the clock anew: the packets' was set back, and by the engine's, which never is, no flow would end."""
        self.clock_restarts += 1
        _log.warning(
            "the clock of the packets went back by more than a minute; every flow was ended, and goes on as a new one"
        )
        engine.restart_clock()

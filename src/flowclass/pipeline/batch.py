"""The pump: sources -> engine -> record batches. Nothing else pushes into an engine.

Takes sources and options. Gives record batches in their final order, and afterwards what happened:
a report and a balance for each source, the counters, the tally.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from flowclass.anonymize import source_name
from flowclass.engine import Engine, first_packet_time
from flowclass.errors import ConfigError, SourceError
from flowclass.pipeline.stop import Stop, Stopped
from flowclass.pipeline.tally import Tally
from flowclass.sources import ByteSource, Frames, Octets, PacketSource, Source
from flowclass.types import MAX_THREADS, Balance, EngineOptions, SourceReport, check_range

if TYPE_CHECKING:
    import pyarrow as pa

    from flowclass.policy import Policy
    from flowclass.registry import Registry

Files = Literal["stream", "each"]


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
    """

    registry: Registry | None = None
    policy: Policy | None = None
    threads: int = 1
    files: Files = "stream"
    engine: EngineOptions = field(default_factory=EngineOptions)
    rows: bool = True

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
    """

    def __init__(
        self,
        sources: Iterable[Source],
        options: RunOptions,
        *,
        problems: Iterable[SourceReport] = (),
        stop: Stop | None = None,
        progress: Callable[[Run], None] | None = None,
    ) -> None:
        self.options = options
        ordered = by_first_packet(list(sources))
        self.sources = [source for source, _ in ordered]
        self.first_times = [time for _, time in ordered]
        self.reports: list[SourceReport] = list(problems)
        self.finished = False
        self.octets_done = 0
        self._stop = Stop() if stop is None else stop
        self._progress = progress
        self._counters: dict[str, Any] = {}
        self._counted = Tally()  # of the engines that are done
        self._engine: Engine | None = None
        self._source: Source | None = None

    @property
    def counters(self) -> dict[str, Any]:
        """All counters so far."""
        if self._engine is None:
            return self._counters
        return _sum_counters(self._counters, self._engine.counters())

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
            yield from self._pump(source, self.shown_name(place), self._engine)
            if self._stop.signal is not None:
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
            registry=options.registry,
            policy=options.policy,
            rows=options.rows,
        )

    def _finish_engine(self) -> Iterator[pa.RecordBatch]:
        if self._engine is None:
            return
        rest = self._engine.finish()
        self._counters = _sum_counters(self._counters, self._engine.counters())
        self._counted.add_counted(self._engine.verdicts())
        self._engine = None
        yield from rest

    def _pump(self, source: Source, name: str, engine: Engine) -> Iterator[pa.RecordBatch]:
        self._source = source
        engine.begin_source(name)
        before = Balance.of(engine.balance())
        failure = ""
        interrupted = False
        try:
            if isinstance(source, PacketSource):
                for burst in self._awaited(source.bursts()):
                    engine.push_packets(source.link_type, burst)
                    yield from self._after_slice(engine)
            else:
                for chunk in self._awaited(source.slices()):
                    engine.push(chunk)
                    yield from self._after_slice(engine)
        except SourceError as problem:
            failure = str(problem)
        except Stopped:
            interrupted = True
        report = engine.end_source()
        balance = Balance.of(engine.balance()) - before
        self.reports.append(_report(source.name, report, balance, failure, interrupted))
        self.octets_done += source.position if isinstance(source, ByteSource) else 0
        self._source = None

    def _awaited(self, pieces: Iterator[Octets] | Iterator[Frames]) -> Iterator[Any]:
        """Give the pieces; while one is awaited, a signal may break in."""
        end = object()
        while True:
            with self._stop.waiting():
                piece: Any = next(pieces, end)
            if piece is end:
                return
            yield piece

    def _after_slice(self, engine: Engine) -> Iterator[pa.RecordBatch]:
        yield from engine.poll()
        if self._progress is not None:
            self._progress(self)


def by_first_packet(sources: list[Source]) -> list[tuple[Source, int | None]]:
    """Order sources by their first packets.

    Those without a packet come last; where nothing decides, the order given does. Frames that are in no capture
    cannot be looked at beforehand: as long as one such source is in the list, the order given stands. One source
    alone is not looked at either.

    Returns
    -------
    list of (Source, int or None)
        Each with the time of its first packet in ns since 1970 UTC, where that is known.
    """
    timed: list[tuple[Source, int | None]] = []
    for source in sources:
        prefix = source.prefix() if isinstance(source, ByteSource) and len(sources) > 1 else None
        timed.append((source, None if prefix is None else first_packet_time(prefix)))
    if any(not isinstance(source, ByteSource) for source in sources):
        return timed
    return sorted(timed, key=lambda pair: (pair[1] is None, pair[1] or 0))


def _report(name: str, native: dict[str, Any], balance: Balance, failure: str, interrupted: bool) -> SourceReport:
    problem, sentence = native["problem"], native["sentence"]
    if sentence and not sentence.startswith(name):
        sentence = f"{name}: {sentence}"
    unknown = {reason: count for reason, count in balance.packets_skipped.items() if reason.startswith("link_type_")}
    if interrupted:
        problem, sentence = "interrupted", f"{name}: a signal ended the run before its end; what was read was used"
    elif failure:
        problem, sentence = ("damaged" if native["bytes"] > 0 else "unreadable"), failure
    elif problem == "none" and unknown:
        listed = ", ".join(f"{count} {reason}" for reason, count in sorted(unknown.items()))
        problem = "unsupported_link"
        sentence = f"{name}: frames of link types that are not decoded were skipped: {listed}"
    return SourceReport(
        name=name,
        format=native["format"],
        packets=native["packets"],
        bytes=native["bytes"],
        problem=problem,
        sentence=sentence,
        offset=native["offset"],
        blocks_skipped=dict(native["blocks_skipped"]),
        balance=balance,
    )


def _sum_counters(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    """Add counters of engines that ran one after another: numbers, pairs and mappings of these."""
    if not left:
        return right
    out: dict[str, Any] = {}
    for key in {**left, **right}:
        mine, theirs = left.get(key), right.get(key)
        if mine is None or theirs is None:
            out[key] = theirs if mine is None else mine
        elif key in ("time_first", "time_last"):
            out[key] = min(mine, theirs) if key == "time_first" else max(mine, theirs)
        elif key.startswith("peak_"):
            out[key] = max(mine, theirs)
        elif isinstance(mine, dict):
            out[key] = _sum_counters(mine, theirs)
        elif isinstance(mine, (list, tuple)):
            out[key] = [a + b for a, b in zip(mine, theirs, strict=True)]
        else:
            out[key] = mine + theirs
    return out

"""The functions that run on workers: one message in, one answer out. Run twice, they leave the same.

Takes and gives octets (``messages``, as JSON), so that every engine can carry them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np

from flowclass.anonymize import CryptoPan
from flowclass.distributed.carried import CarriedSource, load, save
from flowclass.distributed.messages import (
    POLICY,
    REGISTRY,
    Done,
    Join,
    Renumber,
    Scan,
    Settings,
    Task,
    carried_name,
    range_name,
    records_name,
)
from flowclass.distributed.piece import Piece, PieceFile
from flowclass.distributed.storage import Folder
from flowclass.engine import Carried, PieceFacts, scan_piece
from flowclass.errors import SourceError
from flowclass.pipeline.batch import Run
from flowclass.pipeline.options import RunOptions
from flowclass.policy import Policy
from flowclass.registry import Registry
from flowclass.schema import arrow_schema
from flowclass.sinks.parquet import Sink
from flowclass.sources import Octets, Part, Source
from flowclass.types import EngineOptions

_RENUMBERED = ("packet_first", "packet_last")


def perform(message: bytes) -> bytes:
    """Do what a message says; give the answer.

    Raises
    ------
    FlowclassError
        When it cannot be done at all, e.g. the output takes nothing.
    """
    task: Task = msgspec.json.decode(message, type=Task)
    if isinstance(task, Scan):
        done = scan(task)
    elif isinstance(task, Join):
        done = join(task)
    else:
        done = renumber(task)
    return msgspec.json.encode(done)


def scan(task: Scan) -> Done:
    """Classify a piece, and leave the packets near its borders in a file of their own."""
    settings, piece = task.settings, task.piece
    sources, firsts = _in_order(piece)
    facts = scan_piece(
        map(_readable, sources), idle_timeout_ns=int(settings.engine["idle_timeout_ns"]), slack_ns=task.slack_ns
    )
    run = Run(sources, _options(settings, facts))
    name = records_name(piece.number, "piece") if piece.start is None else range_name(piece.number)
    flows = _write(run, settings, name)
    left = run.carried
    if left is not None and len(left.times):
        with Folder(settings.output).new_file(carried_name(piece.number)) as path:
            part = path.with_name(f"{path.name}.part")
            save(left, part, settings.partitions, [source.name for source in sources])
            part.replace(path)
    done = _done(run, flows, facts, 0 if left is None else len(left.times))
    reports = {source.file: report for source, report in zip(sources, run.reports, strict=True)}
    return msgspec.structs.replace(
        done,
        slack_ns=task.slack_ns,
        reports=[reports[file] for file in piece.files],
        firsts=[facts.time_first] if len(sources) == 1 else firsts,
    )


def join(task: Join) -> Done:
    """Classify what pieces left, for the address pairs of one partition."""
    folder = Folder(task.settings.output)

    def parts() -> Iterator[Part]:
        for left in task.left:
            clock_ns = left.clock_ns
            for name, packets in load(folder, carried_name(left.number), task.partition):
                yield Part(name=name, clock_ns=clock_ns, packets=_numbered(packets, left.frames_before))
                clock_ns = None  # from here on it is in the packets

    source: Source = CarriedSource(task.point or "the stream", parts(), task.end_ns)
    run = Run([source], _options(task.settings, None))
    return _done(run, _write(run, task.settings, records_name(task.number, "join")), None, 0)


def renumber(task: Renumber) -> Done:
    """Give the records of a range the frame numbers of the whole file."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    folder = Folder(task.settings.output)
    with folder.open(range_name(task.number)) as file:
        parquet = pq.ParquetFile(file)
        schema = parquet.schema_arrow
        with folder.new_file(records_name(task.number, "piece")) as path:
            sink = Sink(path, schema.remove_metadata(), task.settings.metadata)
            try:
                for batch in parquet.iter_batches():
                    columns = [
                        pc.add(column, pa.scalar(task.frames_before, pa.uint64())) if name in _RENUMBERED else column
                        for name, column in zip(batch.schema.names, batch.columns, strict=True)
                    ]
                    sink.write(pa.record_batch(columns, schema=schema.remove_metadata()))
                sink.finish()
            except BaseException:
                sink.abort()
                raise
    return Done()


def _in_order(piece: Piece) -> tuple[list[PieceFile], list[int | None]]:
    """Give the files of a piece as one run would take them, and when each begins, in the order given."""
    sources = [PieceFile(piece, file) for file in piece.files]
    if len(sources) == 1:
        return sources, [None]
    firsts = [source.first_time() for source in sources]
    order = sorted(range(len(sources)), key=lambda place: (firsts[place] is None, firsts[place] or 0))
    return [sources[place] for place in order], firsts


def _readable(source: PieceFile) -> Iterator[Octets]:
    """Give what can be read; why there is no more is found again, and said, when the piece is classified."""
    with contextlib.suppress(SourceError):
        yield from source.slices()


def _numbered(packets: Carried, before: int) -> Carried:
    if before == 0:
        return packets
    values: dict[str, Any] = {name: getattr(packets, name) for name in Carried.__slots__}
    return Carried(**(values | {"frames": packets.frames + np.uint64(before)}))


def _options(settings: Settings, facts: PieceFacts | None) -> RunOptions:
    values: dict[str, Any] = dict(settings.engine)
    if settings.key is not None:
        values["anonymize"] = CryptoPan(settings.key)
    return RunOptions(
        registry=_registry(settings.output) if settings.registry else None,
        policy=_policy(settings.output) if settings.policy else None,
        engine=EngineOptions(**values),
        border=None if facts is None else facts.border,
    )


@lru_cache(maxsize=1)
def _registry(output: str) -> Registry:
    """Open the run's registry once in each process."""
    return Registry.load(Folder(output).local_copy(REGISTRY))


@lru_cache(maxsize=1)
def _policy(output: str) -> Policy:
    return Policy.load(Folder(output).local_copy(POLICY))


def _write(run: Run, settings: Settings, name: str) -> int:
    """Write the records of a run into a file of the output; none where there are none."""
    flows = 0
    with Folder(settings.output).new_file(name) as path:
        sink: Sink | None = None
        try:
            for batch in run.batches():
                if batch.num_rows and sink is None:
                    options = run.options.engine
                    schema = arrow_schema(heads=options.heads, features=options.features)
                    sink = Sink(path, schema, settings.metadata)
                if sink is not None:
                    sink.write(batch)
                flows += batch.num_rows
            if sink is not None:
                sink.finish()
            else:
                Folder(settings.output).remove_file(name)  # of a scan before, which had other borders
        except BaseException:
            if sink is not None:
                sink.abort()
            raise
    return flows


def _done(run: Run, flows: int, facts: PieceFacts | None, left: int) -> Done:
    counters = dict(run.counters)
    if facts is None:
        counters["out_of_order"] = 0  # they were counted where they were read
    return Done(
        flows=flows,
        groups=[(list(group), count) for group, count in run.tally.groups.items()],
        counters=counters,
        packets=0 if facts is None else facts.packets,
        carried=left,
        time_first=None if facts is None else facts.time_first,
        time_least=None if facts is None else facts.time_least,
        time_greatest=None if facts is None else facts.time_greatest,
    )

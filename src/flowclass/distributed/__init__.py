"""Years of captures on many workers: pieces are classified where they lie, and what crosses their borders is joined.

Nothing here is imported unless it is asked for. The engine that carries the tasks is somebody else's (Ray, Spark) or a
pool of processes; what a task does is the same on all. docs/scale.md says how it works and what it costs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowclass.distributed.engines import EngineName, open_engine
from flowclass.distributed.job import Job, Progress
from flowclass.distributed.messages import POLICY, REGISTRY, WORK, Settings
from flowclass.distributed.piece import Plan, plan
from flowclass.distributed.storage import Folder, is_url
from flowclass.errors import ConfigError, OutputError, SourceError
from flowclass.pipeline.metadata import closing, run_metadata
from flowclass.pipeline.options import RunOptions
from flowclass.pipeline.reload import Judges
from flowclass.pipeline.tally import Tally
from flowclass.policy import Policy
from flowclass.registry import Registry
from flowclass.schema import arrow_schema
from flowclass.sinks.parquet import Sink
from flowclass.sinks.rotating import BEGIN
from flowclass.types import Balance, EngineOptions, SourceReport

if TYPE_CHECKING:
    from flowclass.types import CaptureCounters

__all__ = ["DistributedRun", "EngineName", "Progress", "classify"]

MOST_PARTITIONS = 1024
LEAST_RANGE = 16 << 20
TASKS_EACH = 4
"""Tasks of each stage that a worker has at least, where there is so much to do."""


class DistributedRun:
    """What became of a distributed run; made by `classify`.

    Attributes
    ----------
    output : str
        The folder that was written, as it was named.
    reports : tuple of SourceReport
        What each piece was and how reading it ended. The balance of a report leaves out what crossed its borders.
    counters : mapping
        The sum of all engines' counters.
    balance : Balance
        Of all packets: in flows, or skipped by reason.
    tally : Tally
        Flows by protocol, tier, registry and outcome.
    carried : int
        Packets that came near borders between pieces and were classified when these were joined.
    options : RunOptions
        What decided the records.
    judges : Judges
        Registry and policy.
    """

    def __init__(self, job: Job, output: str, options: RunOptions, problems: Sequence[SourceReport]) -> None:
        self.output = output
        self.options = options
        self.reports = (*problems, *job.reports)
        self.counters: Mapping[str, Any] = job.counters
        self.balance = Balance.of(self.counters) if self.counters else Balance()
        self.tally: Tally = job.tally
        self.carried = sum(done.carried for done in job.scanned.values())
        self.captured: dict[str, CaptureCounters] = {}
        self.judges = Judges(options.registry, options.policy)
        self.stopped_by: int | None = None
        self.clock_restarts = 0
        self.suspended = False
        self.lost = ""

    @property
    def flows(self) -> int:
        """Records written."""
        return self.tally.flows


def classify(
    sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    engine: EngineName = "local",
    workers: int | None = None,
    registry: Registry | str | os.PathLike[str] | None = None,
    policy: str | os.PathLike[str] | None = None,
    options: EngineOptions | None = None,
    capture_point: str | None = None,
    partitions: int | None = None,
    range_octets: int | None = 1 << 30,
    group_octets: int | None = 64 << 20,
    progress: Callable[[Progress], None] | None = None,
) -> DistributedRun:
    """Say for every flow which protocol it is, on many workers.

    Parameters
    ----------
    sources : path, URL, or an iterable of these
        Files, folders, globs, ``@list.txt``; URLs of any file system that pyarrow has, such as ``s3://`` and ``hdfs://``.
    output : path or URL
        A folder for Parquet files, which every worker must reach. It must hold no records yet.
    engine : {"local", "ray", "spark"}
        Who carries the tasks. The records do not depend on it.
    workers : int, optional
        How many tasks run at once.
    registry : Registry, path, optional
        The registered endpoints; every process of a worker reads them once.
    policy : path, optional
        What follows from them, a TOML file.
    options : EngineOptions, optional
        How flows are cut.
    capture_point : str, optional
        A regular expression whose first group names the capture point of a file, by its path. Files of one point are
        one stream, in the order of their first packets; flows do not cross from one point to another. By default all
        files are one stream.
    partitions : int, optional
        Among which address pairs that cross borders are spread; by default four for each worker.
    range_octets : int, optional
        Uncompressed pcap files longer than this are cut into pieces of about so many octets; None leaves them whole.
    group_octets : int, optional
        Files that follow one another are read by one task up to so many octets, and as long as each worker still has
        several tasks; None gives each file a task of its own.
    progress : callable, optional
        Called after every task.

    Returns
    -------
    DistributedRun
        What happened. The records are in the folder; ``judge``, ``report`` and ``pyarrow.dataset`` read it.

    Raises
    ------
    SourceError
        When no source is there.
    ConfigError
        When registry, policy, engine or an option is not valid.
    OutputError
        When the folder cannot be written or holds records already.

    Notes
    -----
    The records are those of one run over the files of each capture point, in another order. That holds as long as no
    table overflows (``evicted`` and the like are 0). A file that cannot be read is reported and left out.

    Examples
    --------
    >>> import tempfile, struct, pathlib
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.pcap").write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
    >>> classify(folder / "a.pcap", folder / "out", workers=1).flows  # doctest: +SKIP
    0
    """
    given = [sources] if isinstance(sources, (str, os.PathLike)) else list(sources)
    planned = plan(
        given,
        capture_point=capture_point,
        range_octets=_checked_range(range_octets),
        anonymized=options is not None and options.anonymize is not None,
    )
    problems = [SourceReport(name=name, problem="unreadable", sentence=sentence) for name, sentence in planned.problems]
    if not planned.pieces:
        raise SourceError("; ".join(problem.sentence for problem in problems) or "no source was given")
    if options is not None and options.udf:
        raise ConfigError("udf: functions of this program are not carried to workers: give options without them")
    if policy is not None and registry is None:
        raise ConfigError("a policy judges by a registry, and none was given: add one, or leave the policy out")
    at_least = TASKS_EACH * (workers or len(os.sched_getaffinity(0)))
    count = partitions or at_least
    if not 1 <= count <= MOST_PARTITIONS:
        raise ConfigError(f"partitions = {count!r} is not permitted: give a whole number from 1 to {MOST_PARTITIONS}")
    carrier = open_engine(engine, workers)
    try:
        folder = _prepared(str(output))
        settings, decided = _settings(
            folder, planned, options or EngineOptions(), registry=registry, policy=policy, partitions=count
        )
        job = Job(
            planned.pieces,
            settings,
            carrier,
            group_octets=min(_checked_group(group_octets), planned.octets // at_least),
            progress=progress,
        )
        job.run()
    finally:
        carrier.close()
    run = DistributedRun(job, str(output), decided, problems)
    _close(folder, job, run, settings.metadata)
    return run


def _checked_range(octets: int | None) -> int | None:
    if octets is not None and octets < LEAST_RANGE:
        raise ConfigError(f"range_octets = {octets!r} is not permitted: give None, or at least {LEAST_RANGE}")
    return octets


def _checked_group(octets: int | None) -> int:
    if octets is not None and octets < 0:
        raise ConfigError(f"group_octets = {octets!r} is not permitted: give None, or at least 0")
    return octets or 0


def _prepared(output: str) -> Folder:
    """Make the folder; what a run that was killed left of its work is removed."""
    folder = Folder(output)
    folder.make()
    if any(name.startswith(BEGIN) for name in folder.names()):
        raise OutputError(f"{output}: the folder holds records already; give another one, or remove them")
    folder.remove(WORK)
    folder.make(WORK)
    return folder


def _settings(
    folder: Folder,
    planned: Plan,
    options: EngineOptions,
    *,
    registry: Registry | str | os.PathLike[str] | None,
    policy: str | os.PathLike[str] | None,
    partitions: int,
) -> tuple[Settings, RunOptions]:
    """Lay what tasks need into the folder, once, and say the rest."""
    loaded = registry if registry is None or isinstance(registry, Registry) else Registry.load(Path(registry))
    judged = None if policy is None else Policy.load(Path(policy))
    if loaded is not None:
        with folder.new_file(REGISTRY) as path:
            loaded.save(path, built_at=0)
    if policy is not None:
        with folder.new_file(POLICY) as path:
            path.write_bytes(Path(policy).read_bytes())
    key = options.anonymize
    names = {file.number: file.name for piece in planned.pieces for file in piece.files}
    inputs = [{"name": name, "size": None} for name in names.values()] if key is None else []
    settings = Settings(
        output=folder.place if is_url(folder.place) else str(Path(folder.place).absolute()),
        partitions=partitions,
        engine={
            item.name: getattr(options, item.name)
            for item in fields(EngineOptions)
            if item.name not in ("anonymize", "udf")
        },
        key=None if key is None else key.key,
        registry=loaded is not None,
        policy=judged is not None,
        metadata=run_metadata(options, registry=loaded, policy=judged, inputs=inputs, files="stream"),
    )
    return settings, RunOptions(registry=loaded, policy=judged, engine=options)


def _close(folder: Folder, job: Job, run: DistributedRun, metadata: Mapping[str, str]) -> None:
    """Write a file without records, whose metadata have the balance of all, as the last file of a run; tidy up."""
    options = run.options.engine
    with folder.new_file(job.closing_name()) as path:
        sink = Sink(path, arrow_schema(heads=options.heads, features=options.features), metadata)
        sink.finish(closing(run.balance))
    folder.remove(WORK)

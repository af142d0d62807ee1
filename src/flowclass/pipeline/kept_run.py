"""What a run knows besides its engine's state, in a form that a checkpoint keeps.

That is where it is in its sources, and what it reported before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from flowclass.engine import Engine
from flowclass.errors import ConfigError
from flowclass.pipeline.checkpoint import Checkpoint, since
from flowclass.pipeline.reports import report_of
from flowclass.sources import ByteSource, PacketSource, RingSource, Source
from flowclass.sources.position import Position, can_go_back, position_of
from flowclass.sources.watch import Watched, WatchedFolder
from flowclass.types import Balance, CaptureCounters, SourceReport


class KeptRun(msgspec.Struct, kw_only=True):
    """A run at a checkpoint.

    Parameters
    ----------
    sources : list of str
        Their names, in the order taken.
    place : int
        Of the source that is read.
    before : Balance
        Of the engine when that one, or its capture, was begun.
    position : Position or None
        Where in it; None where it is none of octets, or none was begun.
    folder : Watched or None
        Of a folder that is watched.
    begun : list of int
        Numbers by which the engine knows the interfaces.
    captured : dict of str to CaptureCounters
        Of the interfaces, so far.
    reports : list of SourceReport
        Of the sources and captures before.
    octets_done, captures : int
        Octets of the sources before, as they are stored; captures begun in the folder.
    counters : dict
        Of the engine, when the run has ended.
    groups : list
        Verdicts and their flows, then.
    """

    sources: list[str]
    place: int = 0
    before: Balance = msgspec.field(default_factory=Balance)
    position: Position | None = None
    folder: Watched | None = None
    begun: list[int] = []
    captured: dict[str, CaptureCounters] = {}
    reports: list[SourceReport] = []
    octets_done: int = 0
    captures: int = 0
    counters: dict[str, Any] = {}
    groups: list[tuple[tuple[str | None, ...], int]] = []


def kept_names(sources: Sequence[Source]) -> list[str]:
    """Give by which names sources are known again: a folder or a file by its path, interfaces by theirs."""
    return [source.name for source in sources]


def captured_by(sources: Sequence[Source], before: Mapping[str, CaptureCounters]) -> dict[str, CaptureCounters]:
    """Give what became of the packets of interfaces, by their names; of those `before` the checkpoint too."""
    rings = [source for source in sources if isinstance(source, RingSource)]
    return {
        name: facts + before.get(name, CaptureCounters())
        for source in rings
        for name, facts in source.captured().items()
    }


def kept_now(kept: KeptRun, sources: Sequence[Source], reading: tuple[Any, int] | None, **rest: Any) -> dict[str, Any]:
    """Give what a checkpoint keeps of a run now.

    Parameters
    ----------
    kept : KeptRun
        What does not change while a source is read.
    sources : sequence of Source
        In the order taken.
    reading : (source, int), optional
        The capture that is read, and how many octets of it the engine has.
    **rest
        What the run reported, and counted.
    """
    source = sources[kept.place] if kept.place < len(sources) else None
    inside = reading is not None and isinstance(reading[0], ByteSource)
    now = msgspec.structs.replace(
        kept,
        position=position_of(*reading) if reading is not None and inside else kept.position,
        folder=source.kept() if isinstance(source, WatchedFolder) else None,
        **rest,
    )
    out: dict[str, Any] = msgspec.to_builtins(now)
    return out


def taken_over(checkpoint: Checkpoint, sources: Sequence[Source], engine: Engine) -> tuple[KeptRun, str]:
    """Let an engine and the sources go on where the run of a checkpoint was.

    Returns
    -------
    KeptRun
        What that run knew.
    str
        What was not seen meanwhile and cannot be gone back to.

    Raises
    ------
    ConfigError
        When it is of other sources, or what it says cannot be used.
    """
    assert checkpoint.found is not None
    try:
        kept = msgspec.convert(checkpoint.found.run, KeptRun)
    except msgspec.ValidationError as problem:
        raise checkpoint.refused(f"what it says of its run cannot be used: {problem}") from None
    names = kept_names(sources)
    if kept.sources != names or not 0 <= kept.place <= len(sources):
        there, here = (", ".join(listed[:3]) + (", ..." if len(listed) > 3 else "") for listed in (kept.sources, names))
        raise checkpoint.refused(f"it is of a run over {there}, and this one is over {here}")
    source = sources[kept.place] if kept.place < len(sources) else None
    if isinstance(source, WatchedFolder) and kept.folder is not None:
        source.resume(kept.folder, None if kept.position is None else Path(kept.position.name))
    if checkpoint.has_ended:
        kept.place = len(sources)
        return kept, ""
    checkpoint.restore(engine)
    gap = f"{since(checkpoint.found):,.1f} s"
    if isinstance(source, RingSource):
        return kept, f"{gap} of {source.name}"
    if kept.position is None or not isinstance(source, ByteSource) or can_go_back(source):
        return kept, ""
    lost = f"what came through the pipe {source.name} in {gap}"
    failure = f"{source.name}: a pipe cannot be gone back in: {lost} is lost"
    balance = Balance.of(engine.balance()) - kept.before
    kept.reports.append(report_of(source.name, engine.end_source(), balance, failure, False))
    kept.position = None
    return kept, lost


def refuse_to_keep(sources: Sequence[Source], files: str) -> None:
    """Raise where a run cannot go on from a checkpoint.

    Raises
    ------
    ConfigError
        With what cannot be kept, and what to do.
    """
    if files == "each":
        raise ConfigError("a checkpoint keeps one stream of packets: leave --files each out, or --checkpoint")
    if any(isinstance(source, PacketSource) for source in sources):
        raise ConfigError("frames that are in no file cannot be gone back in: give files, a folder or interfaces")

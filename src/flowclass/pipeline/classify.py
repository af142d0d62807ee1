"""The function behind the package: sources of any kind in, ``Result`` out."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeAlias, cast

from flowclass.errors import SourceError
from flowclass.pipeline.batch import Run
from flowclass.pipeline.options import Files, RunOptions
from flowclass.pipeline.result import Result
from flowclass.policy import Policy
from flowclass.registry import Registry
from flowclass.sources import ByteSource, PacketSource, Source
from flowclass.sources.file import find
from flowclass.sources.packets import Packets
from flowclass.sources.stream import MemorySource, StreamSource
from flowclass.types import EngineOptions, SourceReport

One: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview | Packets | Any"


def classify(
    sources: One | Iterable[One],
    *,
    registry: Registry | str | os.PathLike[str] | None = None,
    policy: Policy | str | os.PathLike[str] | None = None,
    threads: int = 1,
    files: Files = "stream",
    options: EngineOptions | None = None,
) -> Result:
    """Say for every flow which protocol it is, with evidence, and whether its ends are registered.

    Parameters
    ----------
    sources : path, bytes-like, binary file object, Packets, or an iterable of these
        A path may be a file, a folder, a glob or ``@list.txt``. Container and compression are recognised by
        content. Frames that were never in a file go through `Packets`.
    registry : Registry or path, optional
        The registered endpoints.
    policy : Policy or path, optional
        What follows from them.
    threads : int
        Workers; the flows do not depend on it.
    files : {"stream", "each"}
        Whether the sources are one stream, in the order of their first packets, or each its own.
    options : EngineOptions, optional
        How flows are cut.

    Returns
    -------
    Result
        Streams record batches; ``to_pyarrow``, ``to_pandas``, ``to_polars``.

    Raises
    ------
    SourceError
        When no source is there.
    ConfigError
        When registry, policy or an option is not valid.

    Examples
    --------
    >>> import struct
    >>> empty_capture = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    >>> classify(empty_capture).to_pyarrow().num_rows
    0
    """
    if isinstance(registry, (str, os.PathLike)):
        registry = Registry.load(Path(registry))
    if isinstance(policy, (str, os.PathLike)):
        policy = Policy.load(Path(policy))
    run_options = RunOptions(
        registry=registry, policy=policy, threads=threads, files=files, engine=options or EngineOptions()
    )
    opened, problems = open_sources(sources)
    if not opened:
        raise SourceError("; ".join(problem.sentence for problem in problems) or "no source was given")
    return Result(Run(opened, run_options, problems=problems))


def open_sources(given: One | Iterable[One]) -> tuple[list[Source], list[SourceReport]]:
    """Make sources of what a caller may give.

    Returns
    -------
    sources : list of Source
        In the order given.
    problems : list of SourceReport
        One for each that was not found.
    """
    items: list[Any] = [given] if _is_one(given) else list(cast("Iterable[Any]", given))
    sources: list[Source] = []
    problems: list[SourceReport] = []
    seen: set[tuple[int, int]] = set()
    for item in items:
        if isinstance(item, (str, os.PathLike)):
            found = find([os.fspath(item)], seen)
            sources += found.sources
            problems += [
                SourceReport(name=name, problem="unreadable", sentence=sentence) for name, sentence in found.problems
            ]
        elif isinstance(item, (bytes, bytearray, memoryview)):
            sources.append(MemorySource(item, f"<bytes {len(sources)}>" if len(items) > 1 else "<bytes>"))
        elif isinstance(item, (ByteSource, PacketSource)):
            sources.append(item)
        elif hasattr(item, "read"):
            sources.append(StreamSource(item, str(getattr(item, "name", "<stream>"))))
        else:
            raise SourceError(
                f"a source of type {type(item).__name__} is not known: give a path, bytes, a binary file object or"
                " flowclass.Packets"
            )
    return sources, problems


def _is_one(given: object) -> bool:
    one = (str, os.PathLike, bytes, bytearray, memoryview, ByteSource, PacketSource)
    return isinstance(given, one) or hasattr(given, "read")

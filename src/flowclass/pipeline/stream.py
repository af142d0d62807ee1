"""The function behind ``flowclass.stream``: packets as they come, record batches as they are ready."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from flowclass.errors import SourceError
from flowclass.pipeline.batch import Run
from flowclass.pipeline.classify import open_sources
from flowclass.pipeline.options import RunOptions
from flowclass.pipeline.stop import Stop
from flowclass.policy import Policy
from flowclass.registry import Registry
from flowclass.schema import arrow_schema
from flowclass.sources import ByteSource, PacketSource, RingSource, Source
from flowclass.sources.live import LiveOptions, LiveSource, PipeSource, is_interface
from flowclass.sources.packets import Packets
from flowclass.types import Balance, CaptureCounters, EngineOptions, SourceReport

if TYPE_CHECKING:
    import pyarrow as pa

One: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview | Packets | Any"
LATENCY_S = 1.0
ETHERNET = 1
BURST = 64
"""Frames of an iterable, which may be slow, that are taken together."""


class Stream:
    """The flows of packets as they come; made by `stream`. Iterated once, with ``for`` or ``async for``.

    Nothing is read before it is asked for, and nothing is queued: when nobody asks, an interface's ring fills, and
    the kernel drops and counts.

    Attributes
    ----------
    schema : pyarrow.Schema
        Of every batch.

    Examples
    --------
    >>> import flowclass
    >>> with open(flowclass.samples() / "dns-udp.pcap", "rb") as pipe:
    ...     flows = flowclass.stream(pipe)
    ...     sum(batch.num_rows for batch in flows), flows.balance.closed
    (6, True)
    """

    def __init__(
        self,
        sources: Sequence[Source],
        options: RunOptions,
        problems: Iterable[SourceReport] = (),
    ) -> None:
        self._stop = Stop()
        self._run = Run(sources, options, problems=problems, stop=self._stop)
        self._started = False
        engine = options.engine
        self.schema = arrow_schema(heads=engine.heads, features=engine.features, udf=engine.udf)

    def __iter__(self) -> Generator[pa.RecordBatch, None, None]:
        """Give the record batches."""
        if self._started:
            raise SourceError("the flows were streamed already; a stream is read once")
        self._started = True
        return self._batches()

    async def __aiter__(self) -> AsyncIterator[pa.RecordBatch]:
        """Give the record batches; packets are read in a thread while the next batch is awaited."""
        batches = iter(self)
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "flowclass-stream") as thread:
            try:
                while (batch := await loop.run_in_executor(thread, next, batches, None)) is not None:
                    yield batch
            finally:
                self.close()
                thread.submit(batches.close)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Give the record batches, as they come, through the Arrow C stream interface."""
        import pyarrow as pa

        reader = pa.RecordBatchReader.from_batches(self.schema, iter(self))
        capsule: object = reader.__arrow_c_stream__(requested_schema)
        return capsule

    def close(self) -> None:
        """End the stream, from any thread: what has come is given, then it is over."""
        self._stop.ask()

    def with_verdicts(self, take: Callable[[pa.RecordBatch], None]) -> Stream:
        """Ask for early verdicts, before the stream is read.

        A flow has one when its head is closed: within 2 s of packet time after its first payload, however long it
        goes on. Their columns are those of ``flowclass.schema.early_schema``.

        Parameters
        ----------
        take : callable
            Called with record batches of them, where the stream is iterated; what it raises ends the stream.

        Returns
        -------
        Stream
            This one.

        Raises
        ------
        SourceError
            When the stream is read already.

        Examples
        --------
        >>> list(stream([(0, b"")]).with_verdicts(print))
        []
        """
        if self._started:
            raise SourceError("the flows are streamed already: ask for early verdicts before")
        self._run.verdicts = take
        return self

    def reload(
        self,
        *,
        registry: Registry | str | os.PathLike[str] | None = None,
        policy: Policy | str | os.PathLike[str] | None = None,
    ) -> None:
        """Let another registry be asked, another policy judge, from the next packets on; from any thread.

        No flow is lost or judged by two; columns ``registry_version`` and ``policy_version`` say which it was.

        Parameters
        ----------
        registry, policy : Registry, Policy or path, optional
            What is not given stays.

        Raises
        ------
        ConfigError
            When one is not valid, or there would be a policy and no registry: then everything stays as it was.
        """
        self._run.judges.replace(registry=_registry(registry), policy=_policy(policy))

    @property
    def counters(self) -> Mapping[str, Any]:
        """All counters of the engine so far."""
        return self._run.counters

    @property
    def sources(self) -> tuple[SourceReport, ...]:
        """What each source was that has come to its end."""
        return tuple(self._run.reports)

    @property
    def balance(self) -> Balance:
        """Packets and octets read so far = those in flows + those skipped, by reason."""
        return self._run.balance

    @property
    def captured(self) -> Mapping[str, CaptureCounters]:
        """What became of the packets of each interface so far."""
        return self._run.captured

    def _batches(self) -> Generator[pa.RecordBatch, None, None]:
        try:
            yield from self._run.batches()
        finally:
            for source in self._run.sources:
                if isinstance(source, RingSource):
                    source.close()


def stream(
    source: One | Iterable[One],
    *,
    registry: Registry | str | os.PathLike[str] | None = None,
    policy: Policy | str | os.PathLike[str] | None = None,
    threads: int = 1,
    options: EngineOptions | None = None,
    live: LiveOptions | None = None,
) -> Stream:
    """Say for flows as they end which protocol they are, with evidence, and whether their ends are registered.

    Parameters
    ----------
    source : str, path, binary file object, Packets or iterable
        The name of a network interface, or a list of such names; or a path, or an open file or pipe with a pcap or
        pcapng; or `Packets`, or any iterable of ``(time in ns since 1970 UTC, Ethernet frame)``. A name that is both
        an interface and a file is refused: write ``./name`` or a ``pathlib.Path`` for the file.
    registry : Registry or path, optional
        The registered endpoints.
    policy : Policy or path, optional
        What follows from them.
    threads : int
        Workers; the flows do not depend on it.
    options : EngineOptions, optional
        How flows are cut.
    live : LiveOptions, optional
        How an interface is captured; of these, pipes and open files take ``duration_s``.

    Returns
    -------
    Stream
        Gives record batches about a second after their flows ended, with ``for`` and ``async for``.

    Raises
    ------
    SourceError
        When no source is there, or an interface cannot be opened. What is wrong with a source that was opened, the
        stream's ``sources`` say when it has ended.
    ConfigError
        When registry, policy or an option is not valid.

    Examples
    --------
    >>> sum(batch.num_rows for batch in stream([(0, b"")]))
    0
    """
    run_options = RunOptions(
        registry=_registry(registry),
        policy=_policy(policy),
        threads=threads,
        engine=options or EngineOptions(),
        latency_s=LATENCY_S,
    )
    sources, problems = _open(source, live or LiveOptions())
    if not sources:
        raise SourceError("; ".join(problem.sentence for problem in problems) or "no source was given")
    for one in sources:
        if isinstance(one, RingSource):
            one.open()
    return Stream(sources, run_options, problems)


def _registry(given: Registry | str | os.PathLike[str] | None) -> Registry | None:
    return Registry.load(given) if isinstance(given, (str, os.PathLike)) else given


def _policy(given: Policy | str | os.PathLike[str] | None) -> Policy | None:
    return Policy.load(given) if isinstance(given, (str, os.PathLike)) else given


def _open(given: Any, live: LiveOptions) -> tuple[list[Source], list[SourceReport]]:
    if isinstance(given, str):
        return _named(given, live)
    if isinstance(given, RingSource):
        return [given], []
    if isinstance(given, (list, tuple)) and given and all(isinstance(one, (str, os.PathLike)) for one in given):
        if all(isinstance(one, str) and is_interface(one) for one in given):
            return [LiveSource(given, live)], []
        return open_sources(given)
    if _has_descriptor(given):
        return [PipeSource(given, str(getattr(given, "name", "<stream>")), duration_s=live.duration_s)], []
    known = (bytes, bytearray, memoryview, os.PathLike, ByteSource, PacketSource)
    if isinstance(given, known) or hasattr(given, "read") or not hasattr(given, "__iter__"):
        return open_sources(given)
    return [Packets(_frames(given), link_type=ETHERNET, burst=BURST)], []


def _named(name: str, live: LiveOptions) -> tuple[list[Source], list[SourceReport]]:
    if not is_interface(name):
        return open_sources(name)
    if Path(name).exists():
        raise SourceError(f"{name}: there is an interface and a file of that name; write ./{name} for the file")
    return [LiveSource([name], live)], []


def _has_descriptor(given: Any) -> bool:
    if not hasattr(given, "read"):
        return False
    try:
        return int(given.fileno()) >= 0
    except (AttributeError, OSError, ValueError):
        return False


def _frames(given: Iterable[Any]) -> Iterator[tuple[int, bytes]]:
    for one in given:
        if not (isinstance(one, tuple) and len(one) == 2 and isinstance(one[1], bytes)):
            raise TypeError(
                f"an iterable gives {type(one).__name__} where (time in ns, bytes) is wanted; paths are given as a list"
            )
        yield one

"""Takes a run and its outputs, between batches. Gives what an operator asks for, as one value that does not change."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from flowclass.pipeline.batch import Run
from flowclass.pipeline.tally import Tally
from flowclass.types import SECOND_NS, Balance, CaptureCounters

BATCH_SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Upper bounds of the histogram of what writing a batch took."""


class Delivering(Protocol):
    """What is told of an output: `flowclass.cli.output.Output` is one."""

    @property
    def name(self) -> str | None:
        """A path or an address; None for standard output."""

    @property
    def sink(self) -> Any:
        """Where the rows go."""

    @property
    def delivered(self) -> Any:
        """What became of the rows, where that is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkStatus:
    """What became of the rows of one output so far.

    Parameters
    ----------
    kind : str
        ``file``, ``stdout``, or the scheme of an address; never a name, which may hold an address.
    delivered, dropped, waiting : int
        Rows. Of an output that counts nothing itself, delivered are those that it took.
    errors : int
        How often it failed.
    """

    kind: str
    delivered: int = 0
    dropped: int = 0
    waiting: int = 0
    errors: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchTimes:
    """How long the outputs took for the batches of rows.

    Parameters
    ----------
    counts : tuple of int
        Batches by the bounds of `BATCH_SECONDS`, and one more for those above.
    total_s : float
        The sum.
    rows : int
        Rows of all batches.
    """

    counts: tuple[int, ...] = (0,) * (len(BATCH_SECONDS) + 1)
    total_s: float = 0.0
    rows: int = 0

    def with_one(self, seconds: float, rows: int) -> BatchTimes:
        """Give the times with one batch more."""
        place = bisect_left(BATCH_SECONDS, seconds)
        counts = (*self.counts[:place], self.counts[place] + 1, *self.counts[place + 1 :])
        return BatchTimes(counts=counts, total_s=self.total_s + seconds, rows=self.rows + rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A run at one moment.

    Parameters
    ----------
    moment_s : float
        Of the machine's monotonic clock.
    began_s : float
        When the run began, of the same clock.
    balance : Balance
        Packets and octets read, in flows, skipped by reason.
    captured : mapping of str to CaptureCounters
        What became of the packets of each interface.
    ended : mapping of str to int
        Flows that have ended, by reason.
    alive : int
        Flows in the table.
    table_bytes, memcap : int
        Octets of flow table, heads and evidence; and their cap.
    refused : mapping of str to int
        Flows that got less than all for want of memory, by what it was.
    out_of_order : int
        Packets older than one before them.
    groups : Counter
        Flows that have ended by the keys of `flowclass.pipeline.tally`.
    lag_s : float or None
        The wall clock less the clock of the packets; None before the first packet.
    registry : mapping of str to str, or None
        Version and, of a snapshot, SHA-256.
    registry_entries : int
        Entries of the registry.
    registry_loaded_s : float
        When it was loaded, seconds since 1970.
    policy_sha256 : str
        Of the policy in force; empty without.
    sinks : tuple of SinkStatus
        The outputs.
    batches : BatchTimes
        What writing took.
    """

    moment_s: float
    began_s: float
    balance: Balance = field(default_factory=Balance)
    captured: Mapping[str, CaptureCounters] = field(default_factory=dict)
    ended: Mapping[str, int] = field(default_factory=dict)
    alive: int = 0
    table_bytes: int = 0
    memcap: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    out_of_order: int = 0
    groups: Counter[tuple[str | None, ...]] = field(default_factory=Counter)
    lag_s: float | None = None
    registry: Mapping[str, str] | None = None
    registry_entries: int = 0
    registry_loaded_s: float = 0.0
    policy_sha256: str = ""
    sinks: tuple[SinkStatus, ...] = ()
    batches: BatchTimes = field(default_factory=BatchTimes)

    @property
    def flows(self) -> int:
        """Flows that have ended."""
        return sum(self.ended.values())

    def by(self, *keys: str) -> Counter[tuple[str | None, ...]]:
        """Give the flows that have ended by some of the keys."""
        tally = Tally()
        tally.groups = self.groups
        return tally.by(*keys)


REFUSED = ("heads_cut", "heads_refused", "heads_unsaved", "evidence_refused", "features_refused", "leaders_forgotten")


def status_of(
    run: Run, outputs: Iterable[Delivering], *, began_s: float, registry_loaded_s: float, batches: BatchTimes
) -> Status:
    """Take the status of a run; only from the thread that runs it."""
    counters = run.counters
    registry, policy = run.judges.registry, run.judges.policy
    newest = counters.get("time_last")
    facts = None
    if registry is not None:
        facts = {"version": registry.version}
        facts |= {} if registry.snapshot is None else {"sha256": registry.snapshot.sha256}
    return Status(
        moment_s=time.monotonic(),
        began_s=began_s,
        balance=run.balance,
        captured=run.captured,
        ended=dict(counters.get("flows_by_end_reason", {})),
        alive=counters.get("flows_alive", 0),
        table_bytes=sum(counters.get(name, 0) for name in ("table_bytes", "head_bytes", "evidence_bytes")),
        memcap=counters.get("memcap", 0),
        refused={name: counters.get(name, 0) for name in REFUSED},
        out_of_order=counters.get("out_of_order", 0),
        groups=run.tally.groups,
        lag_s=None if newest is None else (time.time_ns() - newest) / SECOND_NS,
        registry=facts,
        registry_entries=0 if registry is None else len(registry),
        registry_loaded_s=registry_loaded_s,
        policy_sha256="" if policy is None else policy.sha256,
        sinks=_sinks(list(outputs), batches),
        batches=batches,
    )


def _sinks(outputs: Sequence[Delivering], batches: BatchTimes) -> tuple[SinkStatus, ...]:
    return tuple(_sink(output, batches) for output in outputs)


def _sink(output: Delivering, batches: BatchTimes) -> SinkStatus:
    told = output.delivered
    kind = "stdout" if output.name is None else "file"
    if output.name is not None and "://" in output.name:
        kind = output.name.partition("://")[0]
    if told is None:
        return SinkStatus(kind=kind, delivered=batches.rows)
    return SinkStatus(
        kind=kind,
        delivered=told.delivered,
        dropped=told.dropped,
        waiting=max(0, told.given - told.delivered - told.dropped),
        errors=getattr(output.sink, "failures", 0),
    )

"""Takes two runs. Gives which outcomes change from one to the other, and for how many flows, octets and hosts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowclass.registry import Registry
from flowclass.report.inside import Inside
from flowclass.run_diff.groups import Groups
from flowclass.run_diff.pairing import Pairs
from flowclass.run_diff.reading import CODED, Codes, Run

MOST_NAMED = 10_000
NOT_LISTED = "not in the registry"
COMPARED = ("protocol", "outcome", "reason")
KEY = ("protocol", "outcome", "reason", "category")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """One of two runs that are compared.

    Parameters
    ----------
    name : str
        The path.
    flows : int
        Its records.
    registry_versions, policy_sha256s : tuple of str
        Of the registries and policies that judged it; empty where nothing did or the format has no place for it.
    judged_at : tuple of str
        The instant as of which all flows were judged, ns UTC; empty where each was judged at its own time.
    says : bool
        Whether the files say anything about the run.

    Examples
    --------
    >>> import flowclass
    >>> run = flowclass.classify(flowclass.samples()).to_pyarrow()
    >>> found = flowclass.diff(run, run.slice(2))
    >>> found.a.flows, found.b.flows
    (12, 10)
    """

    name: str
    flows: int
    registry_versions: tuple[str, ...]
    policy_sha256s: tuple[str, ...]
    judged_at: tuple[str, ...]
    says: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowChange:
    """Flows of both runs that changed in the same way.

    Parameters
    ----------
    protocol_a, protocol_b, outcome_a, outcome_b, reason_a, reason_b : str or None
        In the first and the second run; None where the record does not say it.
    category_a, category_b : str or None
        Of the registration that decided; None where none did or no registry was given.
    flows : int
        How many.
    bytes_a, bytes_b : int, octets
        Of these flows in each run, both directions.
    inside_addresses : int
        Different addresses inside.
    flow_id : str
        The lowest of their ids.

    Examples
    --------
    >>> import flowclass
    >>> run = flowclass.classify(flowclass.samples()).to_pyarrow()
    >>> found = flowclass.diff(run, run.slice(2))
    >>> found.changes  # both have the same to say of the flows that both have
    ()
    """

    protocol_a: str | None
    protocol_b: str | None
    outcome_a: str | None
    outcome_b: str | None
    reason_a: str | None
    reason_b: str | None
    category_a: str | None
    category_b: str | None
    flows: int
    bytes_a: int
    bytes_b: int
    inside_addresses: int
    flow_id: str

    @property
    def of_outcome(self) -> bool:
        """Whether the outcome is another one."""
        return self.outcome_a != self.outcome_b


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowsAlone:
    """Flows of one run that the other does not have.

    Parameters
    ----------
    flows : int
        How many.
    bytes : int, octets
        Of them, both directions.
    inside_addresses : int
        Different addresses inside.
    outcomes : tuple of (str or None, int)
        How many have each outcome.
    flow_ids : tuple of str
        The first 10,000, in the order of the run.

    Examples
    --------
    >>> import flowclass
    >>> run = flowclass.classify(flowclass.samples()).to_pyarrow()
    >>> found = flowclass.diff(run, run.slice(2))
    >>> found.alone_a.flows, found.alone_b.flows
    (2, 0)
    """

    flows: int
    bytes: int
    inside_addresses: int
    outcomes: tuple[tuple[str | None, int], ...]
    flow_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDiff:
    """What changes from one run to another.

    Parameters
    ----------
    a, b : RunFacts
        The first and the second.
    inside : str
        What counts as inside.
    paired : int
        Flows of both.
    same : int
        Of these, flows with the same protocol, outcome and reason.
    other_outcome : int
        Of these, flows with another outcome.
    other_outcome_inside_addresses : int
        Different inside addresses of these.
    changes : tuple of FlowChange
        All that is not the same: other outcomes first, those of most flows first.
    outcomes : tuple of (str or None, int, int)
        All flows of each run by outcome.
    alone_a, alone_b : FlowsAlone
        What only one of them has.

    Examples
    --------
    >>> import flowclass
    >>> run = flowclass.classify(flowclass.samples()).to_pyarrow()
    >>> found = flowclass.diff(run, run.slice(2))
    >>> found.paired, found.same, found.nothing_changes
    (10, 10, False)
    """

    a: RunFacts
    b: RunFacts
    inside: str
    paired: int
    same: int
    other_outcome: int
    other_outcome_inside_addresses: int
    changes: tuple[FlowChange, ...]
    outcomes: tuple[tuple[str | None, int, int], ...]
    alone_a: FlowsAlone
    alone_b: FlowsAlone

    @property
    def nothing_changes(self) -> bool:
        """Whether both runs have the same flows with the same protocols, outcomes and reasons."""
        return not (self.changes or self.alone_a.flows or self.alone_b.flows)


def diff(
    run_a: str | Path | Any,
    run_b: str | Path | Any,
    *,
    registry: Registry | str | os.PathLike[str] | None = None,
    scope: Iterable[str] = (),
) -> RunDiff:
    r"""Say which outcomes change from one run to another.

    Rows are paired by ``flow_id``; where an id repeats, in order.

    Parameters
    ----------
    run_a, run_b : path, pyarrow.Table or pyarrow.RecordBatchReader
        What ``classify``, ``match`` or ``judge`` gave: Parquet, Arrow, JSON lines or CSV, a folder of these, or the
        records themselves.
    registry : Registry or path, optional
        To tell the category of the registrations; without it ``category_a`` and ``category_b`` are None.
    scope : iterable of str
        The operator's own prefixes: what is inside. By default private address space is.

    Returns
    -------
    RunDiff
        Changes with their counts, and what only one run has.

    Raises
    ------
    SourceError
        When a run cannot be read.
    SchemaError
        When it holds no flow records.
    ConfigError
        When registry or scope is not valid.

    Examples
    --------
    What becomes of one packet of ESP (RFC 4303) when it is judged by a list that has nobody in it:

    >>> import struct, flowclass
    >>> esp = struct.pack(">II", 0x1001, 1) + bytes(range(48))
    >>> packet = struct.pack(">BxH4xBB2x4s4s", 0x45, 76, 64, 50, bytes([192, 0, 2, 7]), bytes([198, 51, 100, 9])) + esp
    >>> capture = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
    >>> capture += struct.pack("<IIII", 1764460800, 0, len(packet), len(packet)) + packet
    >>> run = flowclass.classify(capture).to_pyarrow()
    >>> policy = flowclass.Policy.parse(b'[[phase]]\nname = "all"\nfrom = 2025-11-01\noutcome = "violation"\n')
    >>> judged = flowclass.judge(run, registry=flowclass.Registry([]), policy=policy).read_all()
    >>> found = diff(run, judged)
    >>> [(one.protocol_a, one.outcome_a, one.outcome_b, one.reason_b, one.flows) for one in found.changes]
    [('esp', None, 'violation', 'unregistered', 1)]
    >>> diff(judged, judged).nothing_changes
    True
    """
    made = Registry.load(registry) if isinstance(registry, (str, os.PathLike)) else registry
    runs = Run(run_a, "run A"), Run(run_b, "run B")
    inside = Inside(scope, anonymized=any(run.metadata.get("anonymized") for run in runs))
    return _Comparison(runs, inside, made).done()


class _Comparison:
    """The counts that one pass over two runs fills."""

    def __init__(self, runs: tuple[Run, Run], inside: Inside, registry: Registry | None) -> None:
        self._runs, self._inside = runs, inside
        self._codes = {name: Codes() for name in CODED}
        self._category = _categories(registry)
        self._outcomes: list[dict[int, int]] = [{}, {}]
        self._changes = Groups(inside, 2)
        self._paired = 0
        self._same = 0

    def done(self) -> RunDiff:
        pairs = Pairs(self._read(0), self._read(1))
        for one, other in pairs:
            self._add(one, other)
        alone = [self._alone(table) for table in pairs.alone]
        counts = self._changes.inside_addresses()
        changes = [self._change(place, counts[place]) for place in range(len(counts))]
        with_outcome = [place for place, change in enumerate(changes) if change.of_outcome]
        codes = sorted({*self._outcomes[0], *self._outcomes[1]})
        outcomes = [
            (self._codes["outcome"].text(code), self._outcomes[0].get(code, 0), self._outcomes[1].get(code, 0))
            for code in codes
        ]
        return RunDiff(
            a=self._facts(0),
            b=self._facts(1),
            inside=self._inside.rule,
            paired=self._paired,
            same=self._same,
            other_outcome=sum(changes[place].flows for place in with_outcome),
            other_outcome_inside_addresses=self._changes.inside_of(with_outcome),
            changes=tuple(sorted(changes, key=_order)),
            outcomes=tuple(sorted(outcomes, key=lambda row: row[0] or "")),
            alone_a=alone[0],
            alone_b=alone[1],
        )

    def _read(self, side: int) -> Iterator[Any]:
        import numpy as np

        counts = self._outcomes[side]
        for table in self._runs[side].tables(self._codes, self._category):
            found = np.bincount(table["outcome"].to_numpy())
            for code in np.flatnonzero(found).tolist():
                counts[code] = counts.get(code, 0) + int(found[code])
            yield table

    def _add(self, one: Any, other: Any) -> None:
        import numpy as np
        import pyarrow as pa

        self._paired += one.num_rows
        sides = [{name: table[name].to_numpy() for name in (*KEY, "bytes")} for table in (one, other)]
        changed = np.zeros(one.num_rows, bool)
        for name in COMPARED:
            changed |= sides[0][name] != sides[1][name]
        self._same += one.num_rows - int(changed.sum())
        kept = [table.filter(pa.array(changed)) for table in (one, other)]
        ends = [kept[0]["src_ip"], kept[0]["dst_ip"]]
        ends += [kept[1][name] for name in ("src_ip", "dst_ip") if not kept[1][name].equals(kept[0][name])]
        self._changes.add(
            [side[name][changed] for name in KEY for side in sides],
            [side["bytes"][changed] for side in sides],
            kept[0]["flow_id"],
            ends,
        )

    def _change(self, place: int, inside: int) -> FlowChange:
        key = iter(self._changes.keys[place])
        named = {f"{name}_{side}": self._codes[name].text(next(key)) for name in KEY for side in "ab"}
        octets = self._changes.octets[place]
        return FlowChange(
            **named,
            flows=self._changes.flows[place],
            bytes_a=octets[0],
            bytes_b=octets[1],
            inside_addresses=inside,
            flow_id=self._changes.examples[place].decode("utf-8", "replace"),
        )

    def _alone(self, table: Any) -> FlowsAlone:
        import pyarrow as pa

        groups = Groups(self._inside, 1)
        named: list[bytes] = []
        if table is not None:
            ends = [table["src_ip"], table["dst_ip"]]
            groups.add([table["outcome"].to_numpy()], [table["bytes"].to_numpy()], table["flow_id"], ends)
            named = table["flow_id"].slice(0, MOST_NAMED).cast(pa.binary()).to_pylist()
        outcomes = [
            (self._codes["outcome"].text(key), flows) for (key,), flows in zip(groups.keys, groups.flows, strict=True)
        ]
        return FlowsAlone(
            flows=sum(groups.flows),
            bytes=sum(octets for (octets,) in groups.octets),
            inside_addresses=groups.inside_of(range(len(groups.keys))),
            outcomes=tuple(sorted(outcomes, key=lambda row: row[0] or "")),
            flow_ids=tuple(value.decode("utf-8", "replace") for value in named),
        )

    def _facts(self, side: int) -> RunFacts:
        run = self._runs[side]
        return RunFacts(
            name=run.name,
            flows=sum(self._outcomes[side].values()),
            registry_versions=run.metadata.get("registry_version", ()),
            policy_sha256s=run.metadata.get("policy_sha256", ()),
            judged_at=run.metadata.get("judged_at", ()),
            says=bool(run.metadata),
        )


def _categories(registry: Registry | None) -> Callable[[str | None], str | None]:
    """Give what tells the category of a registration id."""
    if registry is None:
        return lambda registration: None
    found = {entry.registration_id: entry.category for entry in registry.entries}
    return lambda registration: None if registration is None else found.get(registration, NOT_LISTED)


def _order(change: FlowChange) -> tuple[Any, ...]:
    texts = (getattr(change, f"{name}_{side}") or "" for name in KEY for side in "ab")
    return (not change.of_outcome, -change.flows, *texts)

"""Compares the flows of a capture with tshark's, and says of every difference whether it is a known one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from flowclass.engine import matchers
from flowclass.types import Balance
from flowclass.verify.flows import Flow, FlowId, Side, ours, text_of
from flowclass.verify.known import Facts, Rule, known
from flowclass.verify.names import HAS_A_DISSECTOR, LAYERS, ids_of, main_ids
from flowclass.verify.tshark import Tshark, flows_of

KINDS = ("only_tshark", "only_ours", "packets", "octets", "times", "protocol", "family")
"""What may differ; ``family`` is a protocol that at least one side takes for a VPN, tunnel or proxy."""
TUNNELS = frozenset({"vpn", "overlay", "proxy", "covert"})
UNKNOWN = "unknown"
YEAR_2038_NS = 2**31 * 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One flow of which both sides do not say the same.

    Parameters
    ----------
    kind : str
        Of `KINDS`.
    flow : FlowId
        Which.
    ours, theirs : Flow or None
        What each side has.
    rule : Rule or None
        The known difference that it is an instance of.
    """

    kind: str
    flow: FlowId
    ours: Flow | None
    theirs: Flow | None
    rule: Rule | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What came of one capture.

    Parameters
    ----------
    name : str
        The capture.
    ours, theirs : Side
        Both sides; tshark's is empty where `problem` says why.
    differences : list of Difference
        In the order of the flows.
    problem : str
        Why tshark's side is missing.
    """

    name: str
    ours: Side
    theirs: Side
    differences: list[Difference] = field(default_factory=list)
    problem: str = ""

    @property
    def unexplained(self) -> list[Difference]:
        """Those that no rule knows."""
        return [one for one in self.differences if one.rule is None]

    @property
    def known(self) -> dict[str, list[Difference]]:
        """The others, by rule."""
        found: dict[str, list[Difference]] = {}
        for one in self.differences:
            if one.rule is not None:
                found.setdefault(one.rule.id, []).append(one)
        return found

    @property
    def equal(self) -> int:
        """Flows that both sides have, and of which nothing differs."""
        return len(self.ours.flows.keys() & self.theirs.flows.keys() - {one.flow for one in self.differences})


def compare(tshark: Tshark, capture: Path, name: str, seconds: float) -> Comparison:
    """Compare one capture.

    Parameters
    ----------
    tshark : Tshark
        As `flowclass.verify.tshark.installed` found it.
    capture : Path
        pcap or pcapng, not compressed.
    name : str
        What it is called.
    seconds : float
        How long tshark may take.
    """
    answer = flows_of(tshark, capture, seconds)
    side, balance = ours(capture, name)
    if isinstance(answer, str):
        return Comparison(name=name, ours=side, theirs=Side(flows={}, frames=0, stopped=""), problem=answer)
    if answer.frames < side.frames and not answer.stopped:
        # Of a tshark that a signal ended pyshark says nothing.
        answer = replace(answer, stopped=f"it ended after frame {answer.frames} of {side.frames} and did not say why")
    differences = list(_differences(side, answer, balance, tshark))
    return Comparison(name=name, ours=side, theirs=answer, differences=differences)


def _differences(ours: Side, theirs: Side, balance: Balance, tshark: Tshark) -> Iterator[Difference]:
    stopped = bool(theirs.stopped) and theirs.frames < ours.frames
    run = _Run(skipped=frozenset(balance.packets_skipped), stopped=stopped, tshark=tshark)
    classes = {matcher["protocol"]: matcher["protocol_class"] for matcher in matchers()}
    for flow in sorted({*ours.flows, *theirs.flows}):
        mine, other = ours.flows.get(flow), theirs.flows.get(flow)
        for kind in _kinds(mine, other, classes):
            rule = known(_facts(kind, flow, mine, other, run))
            yield Difference(kind=kind, flow=flow, ours=mine, theirs=other, rule=rule)


def _kinds(ours: Flow | None, theirs: Flow | None, classes: Mapping[str, str]) -> Iterator[str]:
    if ours is None or theirs is None:
        yield "only_tshark" if ours is None else "only_ours"
        return
    if ours.packets != theirs.packets:
        yield "packets"
    elif ours.octets != theirs.octets:
        yield "octets"
    elif (ours.start, ours.end) != (theirs.start, theirs.end):
        yield "times"
    protocol, ids = ours.verdict["protocol"], ids_of(theirs.reads)
    if protocol in ids or (protocol == UNKNOWN and not ids):
        return
    yield "family" if TUNNELS & {classes.get(one, "") for one in (protocol, *main_ids(theirs.reads))} else "protocol"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """What the rules ask about a whole comparison."""

    skipped: frozenset[str]
    stopped: bool
    tshark: Tshark


def _facts(kind: str, flow: FlowId, ours: Flow | None, theirs: Flow | None, run: _Run) -> Facts:
    around, (first, second, proto) = flow
    protocol = "" if ours is None else str(ours.verdict["protocol"])
    reads = {} if theirs is None else theirs.reads
    ports = frozenset({first[1], second[1]} - {0})
    table = frozenset(name for port in ports for name in run.tshark.ports.get((proto, port), ()))
    dissectors = frozenset(name for name, ids in LAYERS.items() if protocol in ids)
    return Facts(
        kind=kind,
        ours=protocol,
        reads=reads,
        names={} if theirs is None else theirs.names,
        variant="" if ours is None else str(ours.verdict["variant"] or ""),
        through=frozenset() if theirs is None else theirs.through,
        ports=ports.union(*(flow.around for flow in (ours, theirs) if flow is not None)),
        proto=proto,
        skipped=run.skipped,
        stopped=run.stopped,
        inside=bool(around),
        dissector=protocol in HAS_A_DISSECTOR,
        by_port=bool(reads) and table >= reads.keys(),
        off_port=bool(dissectors) and table.isdisjoint(dissectors),
        truncated=ours is not None and any(row["truncated_packets"] for row in ours.rows),
        late=ours is not None and ours.end >= YEAR_2038_NS,
        timeless=theirs is not None and theirs.start == 0,
    )


def sentence(one: Difference) -> str:
    """Say what differs, in a line."""
    flow = text_of(one.flow)
    if one.ours is None:
        assert one.theirs is not None
        return f"{flow}: only tshark has it, {_counted(one.theirs)}; {_frames(one.theirs)}"
    if one.theirs is None:
        return f"{flow}: only we have it, {_counted(one.ours)}; {_frames(one.ours)}"
    if one.kind in ("packets", "octets"):
        said = f"{_counted(one.ours)} here, {_counted(one.theirs)} at tshark"
    elif one.kind == "times":
        said = f"{one.ours.start} to {one.ours.end} ns here, {one.theirs.start} to {one.theirs.end} ns at tshark"
    else:
        verdict = one.ours.verdict
        tier = "" if verdict["protocol"] == UNKNOWN else f" ({verdict['tier']}, {verdict['evidence_bits']:.0f} bits)"
        reads = ", ".join(f"{name} in {count}" for name, count in one.theirs.reads.items()) or "nothing"
        said = f"{verdict['protocol']}{tier} here; tshark reads {reads} of {sum(one.theirs.packets)} packets"
    return f"{flow}: {said}; {_frames(one.theirs)}"


def _counted(flow: Flow) -> str:
    packets, octets = flow.packets, flow.octets
    return f"{packets[0]} + {packets[1]} packets of {octets[0]} + {octets[1]} octets"


def _frames(flow: Flow) -> str:
    shown = ", ".join(str(frame) for frame in flow.frames[:8])
    return f"frames {shown}" + (f", ... {flow.last_frame}" if flow.last_frame > max(flow.frames[:8]) else "")


def evidence_of(flow: Flow | None) -> list[dict[str, Any]]:
    """Give the checks of our verdict on a flow; empty where there are none."""
    return [] if flow is None else list(flow.verdict.get("evidence") or [])

"""Takes records of several observation points as they come. Gives each flow once, when no more of it can come.

Records are of one flow when they have one ``community_id`` and overlap in time, but for what the points' clocks differ.
Of these, the records of the point that knows most stay; the others are named in ``observed_by``. State is bounded:
beyond it the oldest flow goes out as it is, and is counted.
"""

from __future__ import annotations

import heapq
from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from flowclass.points.arrivals import Arrival, Token
from flowclass.types import SECOND_NS, check_range

TIERS = ("none", "possible", "probable", "confirmed")
_MOST_NS = 24 * 3600 * SECOND_NS
_BEFORE_ALL = -(1 << 63)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinOptions:
    """How records are joined.

    Parameters
    ----------
    slack_ns : int
        By which the clocks of two points may differ, ns.
    wait_ns : int
        So long after a flow's end, in the records' time, a record of it may still come from another point, ns: not less
        than the points' idle timeout.
    most : int
        Records that may wait, and flows that are remembered.

    Examples
    --------
    >>> JoinOptions(slack_ns=500_000_000).most
    1000000
    """

    slack_ns: int = 2 * SECOND_NS
    wait_ns: int = 150 * SECOND_NS
    most: int = 1_000_000

    def __post_init__(self) -> None:
        check_range("slack_ns", self.slack_ns, 0, _MOST_NS)
        check_range("wait_ns", self.wait_ns, 0, _MOST_NS)
        check_range("most", self.most, 1, 1 << 30)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A record that waits, and when its flow was seen."""

    start: int
    end: int
    arrival: Arrival

    def is_of_one_flow(self, other: _Seen, slack: int) -> bool:
        """Two flows of one point are two, however near: only the clocks of different points may differ."""
        near = 0 if self.arrival.point == other.arrival.point else slack
        return self.start <= other.end + near and other.start <= self.end + near


@dataclass(slots=True)
class _Flow:
    """Records of one flow that wait: each is of one flow with another of them."""

    start: int
    end: int
    seen: list[_Seen] = field(default_factory=list)
    gone: bool = False

    @property
    def arrivals(self) -> list[Arrival]:
        return [each.arrival for each in self.seen]


class Joiner:
    """Joins records.

    Parameters
    ----------
    options : JoinOptions
        How.

    Attributes
    ----------
    counts : Counter of str
        ``records``, ``verdicts`` that came; ``repeated`` that were there already; ``joined`` flows that several points
        saw; ``given`` records that went out; ``other_points`` that did not, because another point knew more; ``late``
        that came after their flow had gone out; ``hurried`` flows that had to go out for want of room; ``unreadable``.
    """

    def __init__(self, options: JoinOptions | None = None) -> None:
        self.options = options or JoinOptions()
        self.counts: Counter[str] = Counter()
        self._flows: dict[str, list[_Flow]] = {}
        self._by_end: list[tuple[int, int, str, _Flow]] = []
        self._waiting = 0
        self._number = 0
        self._clocks: dict[str, int] = {}
        self._seen: OrderedDict[tuple[str, str, int], None] = OrderedDict()
        self._sent: OrderedDict[str, list[tuple[int, int]]] = OrderedDict()
        self._verdicts: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._done: list[Token] = []

    def add(self, arrival: Arrival) -> Iterator[dict[str, Any]]:
        """Take a record; give what goes out at once: an early verdict, a record that cannot be joined."""
        record = arrival.record
        try:
            start = ns_of(record["time_start"])
            early = "time_verdict" in record
            end = ns_of(record["time_verdict" if early else "time_end"])
            name = str(record["community_id"]), str(record["flow_id"]), int(record["segment"])
        except (KeyError, TypeError, ValueError):
            self.counts["unreadable"] += 1
            self._done.append(arrival.token)
            return
        if early:
            self._done.append(arrival.token)
            yield from self._early(arrival, name[0], start)
            return
        self.counts["records"] += 1
        lane = arrival.lane or arrival.point
        self._clocks[lane] = max(self._clocks.get(lane, end), end)
        if self._is_repeated((arrival.point, name[1], name[2])):
            self.counts["repeated"] += 1
            self._done.append(arrival.token)
            return
        if any(start <= until and since <= end for since, until in self._sent.get(name[0], ())):
            self.counts["late"] += 1
            self._done.append(arrival.token)
            yield _out(arrival, "flow", [arrival])
            return
        self._wait(name[0], start, end, arrival)

    def expect(self, lane: str) -> None:
        """Wait for a lane that holds records of before: until its first one came, no flow is complete."""
        self._clocks.setdefault(lane, _BEFORE_ALL)

    def forget(self, lane: str) -> None:
        """Wait no longer for a lane, or point, that is silent; its next record brings it back."""
        self._clocks.pop(lane, None)

    def ready(self) -> Iterator[dict[str, Any]]:
        """Give the flows of which no more can come, and those for which there is no room."""
        clock = min(self._clocks.values(), default=None)
        while self._by_end:
            end, _, community, flow = self._by_end[0]
            if flow.gone or flow.end != end:
                heapq.heappop(self._by_end)
                continue
            complete = clock is None or flow.end + self.options.slack_ns + self.options.wait_ns < clock
            if not complete and self._waiting <= self.options.most:
                return
            if not complete:
                self.counts["hurried"] += 1
            heapq.heappop(self._by_end)
            yield from self._send(community, flow)

    def finish(self) -> Iterator[dict[str, Any]]:
        """Give all that waits."""
        while self._by_end:
            end, _, community, flow = heapq.heappop(self._by_end)
            if not flow.gone and flow.end == end:
                yield from self._send(community, flow)

    def done(self) -> list[Token]:
        """Give the tokens of records that are done with since the last call."""
        tokens, self._done = self._done, []
        return tokens

    def _early(self, arrival: Arrival, community: str, start: int) -> Iterator[dict[str, Any]]:
        """Let the first verdict of a flow through, and one of another point that is stronger."""
        self.counts["verdicts"] += 1
        rank = _rank(arrival.record)
        before = self._verdicts.get(community)
        near = before is not None and abs(before[0] - start) <= self.options.slack_ns
        if before is not None and near and before[1] >= rank:
            self.counts["repeated"] += 1
            return
        self._verdicts[community] = start, rank
        self._verdicts.move_to_end(community)
        if len(self._verdicts) > self.options.most:
            self._verdicts.popitem(last=False)
        yield _out(arrival, "verdict", [arrival])

    def _is_repeated(self, name: tuple[str, str, int]) -> bool:
        if name in self._seen:
            return True
        self._seen[name] = None
        if len(self._seen) > 2 * self.options.most:
            self._seen.popitem(last=False)
        return False

    def _wait(self, community: str, start: int, end: int, arrival: Arrival) -> None:
        """Put a record to those of its flow; flows that it connects become one."""
        flows = self._flows.setdefault(community, [])
        mine = _Seen(start, end, arrival)
        flow = _Flow(start, end, [mine])
        slack = self.options.slack_ns
        for other in [each for each in flows if any(seen.is_of_one_flow(mine, slack) for seen in each.seen)]:
            flow.start, flow.end = min(flow.start, other.start), max(flow.end, other.end)
            flow.seen = other.seen + flow.seen
            other.gone = True
            flows.remove(other)
        flows.append(flow)
        self._number += 1
        heapq.heappush(self._by_end, (flow.end, self._number, community, flow))
        self._waiting += 1

    def _send(self, community: str, flow: _Flow) -> Iterator[dict[str, Any]]:
        flow.gone = True
        flows = self._flows[community]
        flows.remove(flow)
        if not flows:
            del self._flows[community]
        self._waiting -= len(flow.seen)
        self._done += [arrival.token for arrival in flow.arrivals]
        sent = self._sent.setdefault(community, [])
        sent.append((flow.start - self.options.slack_ns, flow.end + self.options.slack_ns))
        del sent[:-8]
        self._sent.move_to_end(community)
        if len(self._sent) > self.options.most:
            self._sent.popitem(last=False)
        points = {arrival.point for arrival in flow.arrivals}
        best = max(points, key=lambda point: _worth(flow.arrivals, point))
        if len(points) > 1:
            self.counts["joined"] += 1
            self.counts["other_points"] += sum(arrival.point != best for arrival in flow.arrivals)
        chosen = [arrival for arrival in flow.arrivals if arrival.point == best]
        self.counts["given"] += len(chosen)
        for arrival in sorted(chosen, key=_place):
            yield _out(arrival, "flow", flow.arrivals)


def ns_of(text: str) -> int:
    """Read an instant of a record.

    Examples
    --------
    >>> ns_of("1970-01-01T00:00:01.000000005Z")
    1000000005
    """
    whole, _, fraction = text.removesuffix("Z").partition(".")
    second = datetime.fromisoformat(whole).replace(tzinfo=UTC) - _EPOCH
    return (second.days * 86_400 + second.seconds) * SECOND_NS + int(fraction.ljust(9, "0")[:9] or 0)


def _rank(record: dict[str, Any]) -> int:
    tier = record.get("tier")
    return TIERS.index(tier) if tier in TIERS else 0


def _worth(arrivals: list[Arrival], point: str) -> tuple[int, int, float, str]:
    """Give how much a point knows of a flow: the tier, packets seen, bits; its name decides at last."""
    mine = [arrival.record for arrival in arrivals if arrival.point == point]
    packets = sum(int(record.get("packets_fwd") or 0) + int(record.get("packets_rev") or 0) for record in mine)
    bits = max(float(record.get("evidence_bits") or 0) for record in mine)
    return max(map(_rank, mine)), packets, bits, point


def _place(arrival: Arrival) -> tuple[str, str, str, int]:
    """Give the order of records of one flow."""
    record = arrival.record
    return arrival.point, str(record.get("time_start")), str(record.get("flow_id")), int(record.get("segment") or 0)


def _out(arrival: Arrival, kind: str, arrivals: list[Arrival]) -> dict[str, Any]:
    """Give a record as it goes out: what it is, all its columns, and who saw the flow, with what verdict."""
    seen = [
        {"point": each.point, "flow_id": each.record.get("flow_id"), "protocol": each.record.get("protocol"),
         "tier": each.record.get("tier")}
        for each in sorted(arrivals, key=_place)
    ]  # fmt: skip
    return {"kind": kind, **arrival.record, "observed_by": seen}

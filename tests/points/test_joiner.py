"""Records of several points: each flow once, in whatever order they come; nothing is lost, state is bounded."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from flowclass.points.arrivals import Arrival
from flowclass.points.joiner import Joiner, JoinOptions, ns_of

SECOND = 1_000_000_000


def _time(seconds: float) -> str:
    whole, fraction = divmod(round(seconds * SECOND), SECOND)
    return f"2026-11-23T{20 + whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}.{fraction:09}Z"


def _record(flow: str, start: float, end: float, **more: Any) -> dict[str, Any]:
    return {
        "flow_id": f"{flow}@{start}", "community_id": flow, "segment": 0, "time_start": _time(start),
        "time_end": _time(end), "protocol": "wireguard", "tier": "confirmed", "evidence_bits": 100.0, "packets_fwd": 5,
        "packets_rev": 5,
    } | more  # fmt: skip


def _joined(arrivals: list[Arrival], options: JoinOptions | None = None) -> tuple[list[dict[str, Any]], Joiner]:
    joiner = Joiner(options)
    out: list[dict[str, Any]] = []
    done = []
    for arrival in arrivals:
        out += joiner.add(arrival)
        out += joiner.ready()
        done += joiner.done()
    out += joiner.finish()
    done += joiner.done()
    assert sorted(done) == sorted(arrival.token for arrival in arrivals)  # each message is done with once
    return out, joiner


def _arrivals(rows: list[tuple[str, dict[str, Any]]]) -> list[Arrival]:
    return [Arrival(point=point, record=record, token=(0, number)) for number, (point, record) in enumerate(rows)]


def test_a_flow_that_two_points_saw_goes_out_once() -> None:
    east, west = _record("f", 10, 20, packets_fwd=50), _record("f", 10.4, 20.3)
    [out], joiner = _joined(_arrivals([("east", east), ("west", west)]))
    assert out["kind"] == "flow"
    assert out["flow_id"] == east["flow_id"]  # the point that saw more packets
    assert [seen["point"] for seen in out["observed_by"]] == ["east", "west"]
    assert joiner.counts == {"records": 2, "joined": 1, "given": 1, "other_points": 1}


def test_the_stronger_tier_wins_over_more_packets() -> None:
    rows = [("east", _record("f", 1, 9, packets_fwd=900, tier="probable")), ("west", _record("f", 1, 9))]
    [out], _ = _joined(_arrivals(rows))
    assert out["tier"] == "confirmed"


def test_flows_that_do_not_overlap_are_two() -> None:
    out, joiner = _joined(_arrivals([("east", _record("f", 10, 20)), ("west", _record("f", 30, 40))]))
    assert len(out) == 2
    assert joiner.counts["joined"] == 0


def test_segments_of_the_better_point_all_stay() -> None:
    first, second = _record("f", 0, 1800, flow_id="a"), _record("f", 1801, 3000, flow_id="a", segment=1)
    rows = [("east", first), ("west", _record("f", 900, 2500, packets_fwd=1)), ("east", second)]
    out, _ = _joined(_arrivals(rows))
    assert [row["segment"] for row in out] == [0, 1]
    assert all(len(row["observed_by"]) == 3 for row in out)


def test_what_comes_twice_from_one_point_is_one() -> None:
    row = _record("f", 10, 20)
    out, joiner = _joined(_arrivals([("east", row), ("east", dict(row))]))
    assert len(out) == 1
    assert joiner.counts["repeated"] == 1


def test_a_record_that_comes_too_late_goes_out_alone() -> None:
    rows = [("east", _record("f", 10, 20)), ("east", _record("g", 500, 600)), ("west", _record("f", 10, 20))]
    out, joiner = _joined(_arrivals(rows))
    assert [row["community_id"] for row in out] == ["f", "f", "g"]
    assert joiner.counts["late"] == 1


def test_a_point_that_is_behind_is_waited_for_until_it_is_forgotten() -> None:
    joiner = Joiner()
    first, second, behind = _arrivals(
        [("east", _record("f", 10, 20)), ("east", _record("g", 900, 900)), ("west", _record("h", 10, 12))]
    )
    for arrival in (first, behind, second):
        assert list(joiner.add(arrival)) == []
    assert list(joiner.ready()) == []
    joiner.forget("west")
    assert [row["community_id"] for row in joiner.ready()] == ["h", "f"]


def test_early_verdicts_go_out_once_unless_stronger() -> None:
    def early(point: str, tier: str) -> tuple[str, dict[str, Any]]:
        return point, _record("f", 10, 0, tier=tier) | {"time_verdict": _time(12)}

    rows = [early("east", "probable"), early("west", "probable"), early("west", "confirmed")]
    out, joiner = _joined(_arrivals(rows))
    assert [(row["kind"], row["tier"]) for row in out] == [("verdict", "probable"), ("verdict", "confirmed")]
    assert joiner.counts["repeated"] == 1


def test_what_is_no_record_is_counted() -> None:
    out, joiner = _joined(_arrivals([("east", {}), ("east", _record("f", 1, 2) | {"time_end": "soon"})]))
    assert out == []
    assert joiner.counts["unreadable"] == 2


def test_state_is_bounded() -> None:
    rows = [("east", _record(f"f{number}", number, number + 1)) for number in range(500)]
    joiner = Joiner(JoinOptions(most=50, wait_ns=3600 * SECOND))
    out = []
    for arrival in _arrivals(rows):
        out += joiner.add(arrival)
        out += joiner.ready()
        assert len(joiner._by_end) <= 51
        assert len(joiner._seen) <= 100
    out += joiner.finish()
    assert len(out) == 500
    assert joiner.counts["hurried"] == 450


def test_an_instant() -> None:
    assert ns_of("2026-11-23T20:50:53.079619001Z") == 1_795_467_053_079_619_001
    assert ns_of("1969-12-31T23:59:59.5Z") == -500_000_000


_FLOW = st.tuples(st.sampled_from("abc"), st.integers(0, 400), st.integers(0, 60))


@settings(max_examples=60, deadline=None)
@given(st.lists(_FLOW, max_size=25), st.integers(0, 1 << 30))
def test_the_order_of_arrival_changes_nothing(flows: list[tuple[str, int, int]], seed: int) -> None:
    rows = []
    for number, (name, start, length) in enumerate(flows):
        record = _record(name, start, start + length, flow_id=f"{name}{number}", packets_fwd=number)
        rows.append((("east", "west", "north")[number % 3], record))
    arrivals = _arrivals(rows)
    mixed = list(arrivals)
    random.Random(seed).shuffle(mixed)
    wide = JoinOptions(wait_ns=24 * 3600 * SECOND)
    straight, _ = _joined(arrivals, wide)
    shuffled, _ = _joined(mixed, wide)
    assert sorted(map(repr, straight)) == sorted(map(repr, shuffled))
    assert {row["community_id"] for row in straight} == {name for name, _, _ in flows}


def test_a_lane_that_holds_records_of_before_is_waited_for() -> None:
    """Two partitions of one point: what the second holds is not late because the first came in sooner."""
    joiner = Joiner()
    joiner.expect("east[1]")
    joiner.expect("west[0]")
    rows = [
        ("east", "east[0]", _record("f", 1, 2)),
        ("east", "east[0]", _record("g", 3000, 3001)),
        ("east", "east[1]", _record("h", 1, 2)),
    ]
    for number, (point, lane, record) in enumerate(rows):
        assert list(joiner.add(Arrival(point=point, lane=lane, record=record, token=(0, number)))) == []
        assert list(joiner.ready()) == []
    west = Arrival(point="west", lane="west[0]", record=_record("f", 1, 2), token=(0, 3))
    assert list(joiner.add(west)) == []
    assert list(joiner.ready()) == []  # the other partition and west may still have more of that time
    joiner.forget("west[0]")
    joiner.forget("east[1]")
    out = {row["community_id"]: [seen["point"] for seen in row["observed_by"]] for row in joiner.ready()}
    assert out == {"f": ["east", "west"], "h": ["east"]}

"""What must hold on the public captures: read to the end, balanced, the VPNs found, and nobody accused wrongly."""

from __future__ import annotations

import tomllib
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from labelled import FOUND, Classified, shown

pytestmark = pytest.mark.corpus

LEAST_OF_A_FAMILY = 0.90
LEAST_OF_ALL = 0.97
TUNNELS = ("vpn", "overlay", "proxy", "covert")


def test_balance(everything: list[Classified]) -> None:
    open_ones = [one.capture.name for one in everything if not one.balance.closed]
    assert not open_ones
    assert sum(one.balance.packets_in_flows for one in everything) > 100_000


def test_flows_hold_what_the_balance_says(everything: list[Classified]) -> None:
    """Outer rows and the balance are counted at different places."""
    for one in everything:
        rows = [row for rows in one.outer.values() for row in rows]
        packets = sum(row["packets_fwd"] + row["packets_rev"] for row in rows)
        octets = sum(row["bytes_fwd"] + row["bytes_rev"] for row in rows)
        assert packets == one.balance.packets_in_flows, one.capture.name
        assert octets == one.balance.bytes_in_flows, one.capture.name


def test_packets_read(everything: list[Classified]) -> None:
    """As many as the list counts, but for those captures whose difference has a reason."""
    with (Path(__file__).parent / "packet_counts.toml").open("rb") as file:
        known = {row["name"]: (row["ours"], row["listed"], row["problem"]) for row in tomllib.load(file)["capture"]}
    found = {
        one.capture.name: (one.report.packets, one.capture.packets, one.report.problem)
        for one in everything
        if one.report.packets != one.capture.packets
    }
    assert found == known
    assert all(one.balance.packets_read == one.report.packets for one in everything)


def test_found(everything: list[Classified]) -> None:
    """Certain flows, confirmed or probable: nearly all of all, and most of each family."""
    flows: Counter[str] = Counter()
    missed: dict[str, list[str]] = defaultdict(list)
    for one in everything:
        for label in one.capture.labels:
            if not label.counts:
                continue
            flows[label.family] += 1
            rows = one.rows(label)
            if not any(row["protocol"] in label.accept and row["tier"] in FOUND for row in rows):
                missed[label.family].append(f"{one.capture.name} frame {label.frame}: {[shown(row) for row in rows]}")
    total = sum(flows.values())
    assert total >= 200
    lines = "\n".join(line for family in missed.values() for line in family)
    assert total - sum(map(len, missed.values())) >= LEAST_OF_ALL * total, lines
    for family, count in flows.items():
        assert count - len(missed[family]) >= LEAST_OF_A_FAMILY * count, f"{family}, {count} flows:\n{lines}"


def test_no_ordinary_flow_is_called_vpn(everything: list[Classified]) -> None:
    """Not in any tier: a false accusation is worse than a miss."""
    flows, accused = 0, []
    for one in everything:
        for _, rows in one.negatives():
            flows += 1
            accused += [f"{one.capture.name} {shown(row)}" for row in rows if row["protocol_class"] == "vpn"]
    assert flows > 10_000
    assert not accused, "\n".join(accused)


def test_no_ordinary_flow_is_called_a_tunnel(everything: list[Classified]) -> None:
    """But for those that the lists have missed, each with its reason."""
    with (Path(__file__).parent / "label_gaps.toml").open("rb") as file:
        gaps = {(row["capture"], row["frame"]): row["protocol"] for row in tomllib.load(file)["flow"]}
    called = {
        (one.capture.name, row["packet_first"]): row["protocol"]
        for one in everything
        for _, rows in one.negatives()
        for row in rows
        if row["protocol_class"] in TUNNELS
    }
    assert called == gaps


def test_no_hard_negative_is_called_vpn(everything: list[Classified]) -> None:
    absent, accused = [], []
    for one in everything:
        for key in one.capture.hard_negatives:
            rows = one.outer.get(key, []) + one.inner.get(key, [])
            absent += [] if rows else [(one.capture.name, key)]
            accused += [f"{one.capture.name} {shown(row)}" for row in rows if row["protocol_class"] == "vpn"]
    assert not absent
    assert not accused, "\n".join(accused)
    assert sum(len(one.capture.hard_negatives) for one in everything) > 100


def test_no_vpn_is_called_another(everything: list[Classified]) -> None:
    """Labelled flows, hints above all: unknown is right or at least no accusation, another VPN is wrong."""
    flows: Counter[str] = Counter()
    wrong = []
    for one in everything:
        for label in one.capture.labels:
            if label.scope == "out" or label.certainty == "disputed":
                continue
            flows[label.scope] += 1
            wrong += [
                f"{one.capture.name} is {label.family}: {shown(row)}"
                for row in one.rows(label)
                if row["protocol_class"] == "vpn" and row["protocol"] not in label.accept
            ]
    assert min(flows["gate"], flows["hint"]) > 50
    assert not wrong, "\n".join(wrong)


def test_every_labelled_flow_is_a_flow(everything: list[Classified]) -> None:
    """What the list calls a flow is one here, wherever the capture can be read."""
    absent = [
        f"{one.capture.name} frame {label.frame}"
        for one in everything
        for label in one.capture.labels
        if one.report.problem != "unsupported_format" and not one.rows(label)
    ]
    assert not absent, "\n".join(absent)

"""Our own captures, recorded with known programs: every VPN confirmed with its variant, and nothing else called VPN."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from labelled import FOUND, Classified, classified, packed, read_lines, read_list, shown

from flowclass import _core

CLASSES = {matcher["protocol"]: matcher["protocol_class"] for matcher in _core.matchers()}
# Whose every flow is confirmed with its variant, on a path that spoils nothing.
SURE = {"wireguard", "openvpn", "ike", "esp"}


@pytest.fixture(scope="module")
def recorded(captures: Path) -> list[Classified]:
    """Classify each of our captures alone."""
    listed = read_list(captures.parent)
    assert sorted(one.name for one in listed) == sorted(path.name for path in captures.iterdir())
    return [classified(capture) for capture in listed]


def test_read_to_the_end(recorded: list[Classified]) -> None:
    for one in recorded:
        assert one.report.problem == "none", one.report.sentence
        assert one.report.packets == one.balance.packets_read == one.capture.packets, one.capture.name
        assert one.balance.closed, one.capture.name


def test_captures_are_those_that_were_labelled(captures: Path) -> None:
    for row in read_lines(captures.parent / "captures.jsonl") + read_lines(captures.parent / "labels.jsonl"):
        found = hashlib.sha256((captures / row["capture"]).read_bytes()).hexdigest()
        assert found == row["sha256"], row["capture"]


def test_every_flow_is_labelled(recorded: list[Classified]) -> None:
    """What was recorded is known by construction; beside it there is only what IPv6 itself sends (RFC 4861, 3810)."""
    for one in recorded:
        labelled = {label.key for label in one.capture.labels}
        strays = [row for key, rows in one.outer.items() if key not in labelled for row in rows]
        assert not [shown(row) for row in strays if row["protocol"] != "icmp" or row["ip_proto"] != 58], (
            one.capture.name
        )


def test_every_vpn_is_confirmed(recorded: list[Classified], captures: Path) -> None:
    lists = read_lines(captures.parent / "captures.jsonl")
    spoilt = {row["capture"] for row in lists if row.get("impairments")}
    families = set()
    for one in recorded:
        for label in one.capture.labels:
            if label.family not in SURE or not label.counts:
                continue
            families.add(label.family)
            rows = one.rows(label)
            assert rows, (one.capture.name, label)
            for row in rows:
                assert (row["protocol"], row["variant"]) == (label.family, label.variant), (
                    f"{one.capture.name} {shown(row)}"
                )
                tiers = FOUND if one.capture.name in spoilt else ("confirmed",)
                assert row["tier"] in tiers, f"{one.capture.name} {shown(row)}"
    assert families == SURE


def test_no_ordinary_flow_is_vpn(recorded: list[Classified]) -> None:
    flows = 0
    for one in recorded:
        vpn = {label.key for label in one.capture.labels if CLASSES.get(label.family) == "vpn"}
        for key, rows in one.outer.items():
            if key in vpn:
                continue
            flows += 1
            assert not [shown(row) for row in rows if row["protocol_class"] == "vpn"], one.capture.name
    assert flows > 40


def test_every_label_is_found(recorded: list[Classified]) -> None:
    """Ordinary protocols too: by the label's name, from its first frame, with its ends the right way round.

    Where several protocols share a flow, the one that is named may have been begun by the other end.
    """
    for one in recorded:
        ends = {
            (row["frame"], packed(row["src_ip"]), row["src_port"] or 0)
            for row in read_lines(one.capture.path.parent.parent / "labels.jsonl")
            if row["capture"] == one.capture.name
        }
        for label in one.capture.labels:
            rows = one.rows(label)
            right = any(row["protocol"] in (label.family, *label.accept) for row in rows)
            assert right or not label.counts, (one.capture.name, label, rows)
            first = min(rows, key=lambda row: row["packet_first"])
            if label.accept and first["direction_basis"] == "handshake":
                continue
            assert (first["packet_first"], packed(first["src_ip"]), first["src_port"] or 0) in ends, shown(first)

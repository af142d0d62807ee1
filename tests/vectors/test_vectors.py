"""Runs every fingerprint vector: bytes with a stated source, and the verdict they must give. No code per protocol."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flowclass import _core
from flowclass.vectors.read import HELLO_KEYS, Case, claims, read_cases

FOLDER = Path(__file__).parent / "fingerprint"

CASES = [case for path in sorted(FOLDER.glob("*.toml")) for case in read_cases(path)]
IDS = [f"{case.file}:{case.name}" for case in CASES]


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_verdict(case: Case) -> None:
    found = case.match()
    expect = case.expect
    shown = f"{case.file}: {case.name}: {found}"
    assert found.get("protocol", "unknown") == expect["protocol"], shown
    if "tier" in expect:
        assert found["tier"] == expect["tier"], shown
    if "variant" in expect:
        assert (found.get("variant") or "") == expect["variant"], shown
    if "bits" in expect:
        assert found["bits"] == pytest.approx(expect["bits"], abs=0.5), shown
    if "rules" in expect:
        assert [check["rule"] for check in found["checks"]] == expect["rules"], shown
    if "initiator" in expect:
        assert found["initiator"] == {"forward": 1, "reverse": 2, "": 0}[expect["initiator"]], shown
    for key in HELLO_KEYS:
        if key in expect:
            assert (found[key] or "") == expect[key], shown
    losers = {row["protocol"]: row for row in found["alternatives"]}
    for row in expect.get("alternatives", []):
        assert row.items() <= losers.get(row["protocol"], {}).items(), shown


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_checks_lie_in_their_packets(case: Case) -> None:
    for check in [check for claim in claims(case.match()) for check in claim["checks"]]:
        packet = case.packets[check["packet"] - 1]
        assert check["direction"] == packet.direction
        assert check["offset"] + check["length"] <= packet.length, check
        assert check["bits"] > 0


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_cut_anywhere_never_adds_evidence_for_another_vpn(case: Case) -> None:
    """Every captured length of every packet, the wire length as it was and cut with it."""
    whole = case.match()
    for index, packet in enumerate(case.packets):
        for kept in range(min(len(packet.octets), 400)):
            for length in (packet.length, kept):
                cut = replace(packet, length=length, octets=packet.octets[:kept])
                found = case.match((*case.packets[:index], cut, *case.packets[index + 1 :]))
                if found["tier"] in ("probable", "confirmed") and found["protocol"] != whole.get("protocol"):
                    assert class_of(found["protocol"]) != "vpn", (index, kept, length, found)


# TCP roles are the handshake's, and unknown stays unknown: neither has anything to swap.
SWAPPABLE = [case for case in CASES if case.ip_proto != 6 and case.expect["protocol"] != "unknown"]


@pytest.mark.parametrize("case", SWAPPABLE, ids=[f"{case.file}:{case.name}" for case in SWAPPABLE])
def test_swapping_the_directions_gives_the_same_protocol(case: Case) -> None:
    """A capture may begin anywhere: the roles come from the octets, not from who was seen first (UDP)."""
    swapped = tuple(replace(packet, direction=1 - packet.direction) for packet in case.packets)
    assert case.match(swapped)["protocol"] == case.expect["protocol"]


def expected(case: Case) -> list[dict[str, Any]]:
    return [case.expect, *case.expect.get("alternatives", [])]


def class_of(protocol: str) -> str:
    return {row["protocol"]: row["protocol_class"] for row in _core.matchers()}[protocol]


def test_every_matcher_has_vectors_and_every_rule_is_declared() -> None:
    matchers = {row["name"]: row for row in _core.matchers()}
    files = {path.stem for path in FOLDER.glob("*.toml")}
    assert set(matchers) == files, "a header and its vector file come in pairs"
    declared = {rule for row in matchers.values() for rule, _ in row["rules"]}
    variants = {(row["protocol"], variant) for row in matchers.values() for variant in row["variants"]}
    for case in CASES:
        for found in claims(case.match()):
            assert {check["rule"] for check in found["checks"]} <= declared
            if found.get("variant"):
                assert (found["protocol"], found["variant"]) in variants


@pytest.mark.parametrize("name", sorted({case.file for case in CASES}))
def test_a_vector_file_is_complete(name: str) -> None:
    """A match, a near miss of something else, and an empty payload at least; VPNs also mid-flow and one way."""
    cases = [case for case in CASES if case.file == name]
    info = {row["name"]: row for row in _core.matchers()}[name]
    hits = [row for case in cases for row in expected(case) if row["protocol"] == info["protocol"]]
    assert hits, "no match"
    assert [
        case
        for case in cases
        if all(row["protocol"] != info["protocol"] for row in expected(case)) and any(p.octets for p in case.packets)
    ], "no near miss"
    assert [case for case in cases if all(not p.octets for p in case.packets)], "no empty case"
    said = {row.get("variant") for row in hits}
    assert set(info["variants"]) <= said, f"variants without a vector: {set(info['variants']) - said}"
    fired = {check["rule"] for case in cases for claim in claims(case.match()) for check in claim["checks"]}
    silent = {rule for rule, _ in info["rules"]} - fired
    assert not silent, f"rules that no vector fires: {silent}"

"""Every octet that a check claims is really looked at: changed, it loses the check or bits of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from test_vectors import CASES, IDS

from flowclass.vectors.read import Case, claims

# One bit, all bits, the top bit, small and large: most checks fall at the first.
FIRST_TRIES = (0xFF, 0x01, 0x80, 0x10)


def mutated(case: Case, packet: int, place: int, change: int) -> dict[str, Any]:
    changed = bytearray(case.packets[packet].octets)
    changed[place] ^= change
    other = replace(case.packets[packet], octets=bytes(changed))
    return case.match((*case.packets[:packet], other, *case.packets[packet + 1 :]))


def holds(check: dict[str, Any], found: dict[str, Any], claim: dict[str, Any]) -> bool:
    """Whether the check stands as it was, and its claim, first or not, has lost nothing."""
    return any(
        one["protocol"] == claim["protocol"]
        and one["bits"] >= claim["bits"]
        and any({**other, "time": 0} == {**check, "time": 0} for other in one["checks"])
        for one in claims(found)
        if one["checks"]
    )


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_every_claimed_octet_counts(case: Case) -> None:
    """Of the verdict and of the losers: some fingerprints are made to lose."""
    idle = []
    for claim in claims(case.match()):
        for check in claim["checks"]:
            packet = check["packet"] - 1
            for place in range(check["offset"], check["offset"] + check["length"]):
                if place >= len(case.packets[packet].octets):
                    continue
                tries = (*FIRST_TRIES, *range(1, 256))
                if all(holds(check, mutated(case, packet, place, change), claim) for change in tries):
                    idle.append((check["rule"], check["packet"], place))
    assert not idle, f"claimed and never looked at: {idle}"

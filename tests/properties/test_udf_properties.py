"""A compiled fingerprint says what its Python says, of any payloads."""

from __future__ import annotations

from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from user_functions import wireguard

MOST_KEPT = 512


class PlainHead:
    """A head in plain Python, of whole payloads."""

    def __init__(self, payloads: list[tuple[int, int, bytes]]) -> None:
        self.payloads = payloads
        self.count = len(payloads)

    def direction(self, place: int) -> int:
        return self.payloads[place][0]

    def length(self, place: int) -> int:
        return len(self.payloads[place][2])

    kept = length

    def le32(self, place: int, at: int) -> int:
        return self._number(place, at, 4, "little")

    def le64(self, place: int, at: int) -> int:
        return self._number(place, at, 8, "little")

    def be64(self, place: int, at: int) -> int:
        return self._number(place, at, 8, "big")

    def _number(self, place: int, at: int, width: int, order: Any) -> int:
        octets = self.payloads[place][2][at : at + width]
        value = int.from_bytes(octets, order) if len(octets) == width else -1
        return value if value < 2**63 else -1


class PlainEvidence:
    """Keeps what is added."""

    def __init__(self) -> None:
        self.checks: list[tuple[str, int, int, int, float]] = []

    def add(self, rule: str, place: int, offset: int, length: int, bits: float) -> None:
        self.checks.append((f"user.wireguard.{rule}", place + 1, offset, length, float(bits)))


INDEXES = st.sampled_from([bytes([1, 2, 3, 4]), bytes([9, 9, 9, 9])])


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    kind = draw(st.integers(1, 4))
    begin = bytes([kind, 0, 0, 0]) + draw(INDEXES)
    if kind == 1:
        return begin + bytes([7]) * 124 + draw(st.sampled_from([bytes(16), bytes([1]) * 16]))
    if kind == 2:
        return begin + draw(INDEXES) + bytes([7]) * 80
    if kind == 3:
        return begin + bytes([7]) * 56
    counter = draw(st.sampled_from([0, 1, 2, 5000, 2**40, 2**63])).to_bytes(8, "little")
    return begin + counter + bytes([7]) * draw(st.sampled_from([16, 32, 33]))


@st.composite
def flows(draw: st.DrawFn) -> list[tuple[int, int, bytes]]:
    whole = draw(st.lists(messages(), min_size=1, max_size=6))
    ways = [0, *draw(st.lists(st.integers(0, 1), min_size=len(whole) - 1, max_size=len(whole) - 1))]
    return [(way, place, octets) for place, (way, octets) in enumerate(zip(ways, whole, strict=True))]


@given(flows())
@settings(max_examples=300, deadline=None)
def test_compiled_is_plain(payloads: list[tuple[int, int, bytes]]) -> None:
    # As much is kept of a direction whatever it is; of more payload the plain head does not know what is left.
    assume(all(sum(len(octets) for way, _, octets in payloads if way == side) <= MOST_KEPT for side in (0, 1)))
    fingerprint = wireguard()
    plain = PlainEvidence()
    held = fingerprint(PlainHead(payloads), plain)
    found = fingerprint.match(payloads)
    assert found["faults"] == {"user.wireguard": (0, 0)}
    mine = [one for one in (found, *found["alternatives"]) if one.get("protocol") == "user.wireguard"]
    expected = plain.checks if held else []
    if sum(bits for *_, bits in expected) >= 16:
        (one,) = mine
        seen = [(c["rule"], c["packet"], c["offset"], c["length"], c["bits"]) for c in one["checks"]]
        assert seen == expected
    else:
        assert not mine

"""Which registrations claim addresses that another one claims at the same time.

Prefixes never cross: of two that share an address one covers the other. So they are sorted, covering ones
first, and walked with the stack of those that cover the present one. Equal prefixes are one level of the
stack; a level answers by bisection whether it holds another registration whose dates meet the given ones.
For n prefixes of w bits: O(n log n) to sort, and at most w levels to ask for each.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from flowclass.registries.prefixes import Network, bounds

_OPEN_START, _OPEN_END = -(2**63), 2**63 - 1


class Claim(NamedTuple):
    """One prefix of one registration.

    Parameters
    ----------
    registration_id : str
        Whose.
    prefix : IPv4Network or IPv6Network
        What.
    valid_from, valid_until : int or None
        ns UTC, from inclusive, until exclusive; None = open.
    line : int
        Where it stands in its source.
    """

    registration_id: str
    prefix: Network
    valid_from: int | None
    valid_until: int | None
    line: int

    @property
    def span(self) -> tuple[int, int]:
        """From and until, open ends as the outermost instants."""
        return (
            _OPEN_START if self.valid_from is None else self.valid_from,
            _OPEN_END if self.valid_until is None else self.valid_until,
        )


class _Level:
    """All claims of one prefix."""

    __slots__ = ("_best", "_claims", "_froms", "last", "version")

    def __init__(self, claims: Sequence[Claim], version: int, last: int) -> None:
        self.version = version
        self.last = last
        self._claims = claims
        self._froms: list[int] = []
        self._best: list[tuple[Claim, Claim | None]] = []

    def _prepare(self) -> None:
        """Sort the claims, when they are asked for first: most levels never are."""
        ordered = sorted(self._claims, key=lambda claim: claim.span)
        self._froms = [claim.span[0] for claim in ordered]
        # For each place: of the claims up to there the one that holds longest, and the longest of another registration.
        first: Claim | None = None
        second: Claim | None = None
        for claim in ordered:
            if first is None or claim.registration_id == first.registration_id:
                first = _longer(first, claim)
            elif claim.span[1] > first.span[1]:
                first, second = claim, first
            else:
                second = _longer(second, claim)
            self._best.append((first, second))

    def other(self, claim: Claim) -> Claim | None:
        """Give a claim of another registration that holds at a time when this one does."""
        if not self._froms:
            self._prepare()
        begin, end = claim.span
        place = bisect.bisect_left(self._froms, end)
        if place == 0:
            return None
        first, second = self._best[place - 1]
        found = second if first.registration_id == claim.registration_id else first
        return found if found is not None and found.span[1] > begin else None


def _longer(old: Claim | None, new: Claim) -> Claim:
    return new if old is None or new.span[1] > old.span[1] else old


def overlaps(claims: Sequence[Claim]) -> Iterator[tuple[Claim, Claim]]:
    """Give each claim that another registration's equal or wider prefix covers at a time when both hold.

    Parameters
    ----------
    claims : sequence of Claim
        In any order.

    Yields
    ------
    claim, other : Claim
        Each claim once at most; `other` is of the narrowest prefix there is.
    """
    places = sorted(_place(claim.prefix, index) for index, claim in enumerate(claims))
    stack: list[_Level] = []
    for (version, first, negative_last), group in groupby(places, key=lambda place: place[:3]):
        while stack and (stack[-1].version != version or stack[-1].last < first):
            stack.pop()
        here = [claims[place[3]] for place in group]
        stack.append(_Level(here, version, -negative_last))
        if len(stack) == 1 and len(here) == 1:
            continue
        for claim in here:
            for level in reversed(stack):
                found = level.other(claim)
                if found is not None:
                    yield claim, found
                    break


def _place(prefix: Network, index: int) -> tuple[int, int, int, int]:
    first, last = bounds(prefix)
    return prefix.version, first, -last, index


def meeting(claims: Sequence[Claim], others: Sequence[Claim]) -> Iterator[tuple[Claim, Claim]]:
    """Give each claim that shares an address with one of the others at a time when both hold.

    For few claims beside many others: linear in the others.

    Parameters
    ----------
    claims, others : sequence of Claim
        In any order.

    Yields
    ------
    claim, other : Claim
        In the order of `claims`; `other` is the narrowest that covers the claim, else the widest that it covers.
    """
    asked: dict[tuple[int, int, int], list[int]] = {}
    for index, claim in enumerate(claims):
        asked.setdefault((claim.prefix.version, *bounds(claim.prefix)), []).append(index)
    ranges = sorted(asked)
    lengths = {
        version: sorted({c.prefix.prefixlen for c in claims if c.prefix.version == version}) for version in (4, 6)
    }
    best: dict[int, Claim] = {}
    for other in others:
        version, (first, last) = other.prefix.version, bounds(other.prefix)
        found: list[int] = []
        for length in lengths[version]:
            if length < other.prefix.prefixlen:
                host = (1 << (other.prefix.max_prefixlen - length)) - 1
                found += asked.get((version, first & ~host, first | host), ())
        for place in range(bisect.bisect_left(ranges, (version, first, 0)), len(ranges)):
            if ranges[place][0] != version or ranges[place][1] > last:
                break
            found += asked[ranges[place]] if ranges[place][2] <= last else ()
        for index in found:
            if _share_time(claims[index], other) and _tells_more(claims[index], other, best.get(index)):
                best[index] = other
    for index in sorted(best):
        yield claims[index], best[index]


def _share_time(one: Claim, other: Claim) -> bool:
    return one.span[0] < other.span[1] and other.span[0] < one.span[1]


def _tells_more(claim: Claim, other: Claim, known: Claim | None) -> bool:
    if known is None:
        return True
    covers, covered = (one.prefix.prefixlen <= claim.prefix.prefixlen for one in (other, known))
    if covers != covered:
        return covers
    longer = other.prefix.prefixlen > known.prefix.prefixlen
    return longer if covers else other.prefix.prefixlen < known.prefix.prefixlen

"""Takes a fingerprint and its vectors. Gives what its rules are worth there: bits are given check by check, in code."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from flowclass.vectors.read import Case, claims

_TIERS = ("confirmed", "probable", "possible")


@dataclass(slots=True, kw_only=True)
class Reach:
    """What the vectors of one fingerprint reach.

    Parameters
    ----------
    vectors : int
        How many there are, those that must give nothing among them.
    bits : dict of str to (float, float)
        By rule: the least and the greatest bits that one check of it gave.
    tiers : dict of str to list of str
        By variant, empty for none: the tiers that its claims have, the best first.
    """

    vectors: int = 0
    bits: dict[str, tuple[float, float]] = field(default_factory=dict)
    tiers: dict[str, list[str]] = field(default_factory=dict)


def reach(protocol: str, rules: Collection[str], cases: Sequence[Case]) -> Reach:
    """Match vectors and see what one fingerprint makes of them.

    Parameters
    ----------
    protocol : str
        What the fingerprint tells.
    rules : collection of str
        The ids of its rules.
    cases : sequence of Case
        Its vectors.
    """
    found = Reach(vectors=len(cases))
    for case in cases:
        for claim in claims(case.match()):
            checks = [check for check in claim["checks"] if check["rule"] in rules]
            for check in checks:
                least, most = found.bits.get(check["rule"], (check["bits"], check["bits"]))
                found.bits[check["rule"]] = (min(least, check["bits"]), max(most, check["bits"]))
            if checks and claim["protocol"] == protocol:
                tiers = found.tiers.setdefault(claim["variant"] or "", [])
                if claim["tier"] in _TIERS and claim["tier"] not in tiers:
                    tiers.append(claim["tier"])
                    tiers.sort(key=_TIERS.index)
    return found

"""Takes the numbers of a verdict. Gives sentences that a person can judge it by."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

CAVEAT = (
    "bits bound chance alone: a protocol of like structure that has no fingerprint here, or somebody who sends these"
    " octets on purpose, is not excluded"
)
CONFIRMED_BITS = 64
CONFIRMED_ONE_WAY_BITS = 96
PROBABLE_BITS = 32
POSSIBLE_BITS = 16
RANKS = ("none", "possible", "probable", "confirmed")


def chance(bits: float) -> str:
    """Say how often flows of random payload have that much evidence.

    Parameters
    ----------
    bits : float
        Sum over the checks.

    Examples
    --------
    >>> chance(96)
    'once in 8 x 10^28 flows of random payload'
    >>> chance(16)
    'once in 66,000 flows of random payload'
    >>> chance(2)
    'once in 4 flows of random payload'
    """
    exponent = max(bits, 0.0) * math.log10(2)
    if exponent < 6:
        number = 10**exponent
        digits = max(0, int(exponent) - 1)
        return f"once in {round(number / 10**digits) * 10**digits:,} flows of random payload"
    whole = int(exponent)
    mantissa = round(10 ** (exponent - whole))
    if mantissa == 10:
        mantissa, whole = 1, whole + 1
    return f"once in {mantissa} x 10^{whole} flows of random payload"


def why_tier(record: Mapping[str, Any]) -> str:
    """Say why a flow has its tier, by the law of tiers.

    Parameters
    ----------
    record : mapping
        With ``tier``, ``evidence_bits``, ``evidence``, ``ip_proto``.
    """
    bits, tier = record.get("evidence_bits") or 0.0, record["tier"]
    both = len({check["direction"] for check in record["evidence"] if check["packet"] > 0}) > 1
    if tier == "confirmed" and bits >= CONFIRMED_ONE_WAY_BITS:
        return f"confirmed, because it has {CONFIRMED_ONE_WAY_BITS} bits or more"
    if tier == "confirmed" and bits >= CONFIRMED_BITS and both:
        return f"confirmed, because it has {CONFIRMED_BITS} bits or more, from packets of both directions"
    if tier == "confirmed":
        return (
            f"confirmed, because IP protocol {record['ip_proto']} is assigned to this protocol alone and the header's"
            " checks hold"
        )
    if tier == "probable":
        needed = CONFIRMED_ONE_WAY_BITS if not both else CONFIRMED_BITS
        ways = "both directions" if both else "one direction"
        return f"probable, because it has {PROBABLE_BITS} bits or more; with {ways} {needed} would confirm it"
    if tier == "possible":
        return f"possible: a hint, with fewer than {PROBABLE_BITS} bits, or by a name or address"
    return f"none: no fingerprint has {POSSIBLE_BITS} bits or more, which does not mean that it is no VPN"


def why_lost(bits: float, record: Mapping[str, Any]) -> str:
    """Say why another protocol's evidence lost: the best tier wins, then the most bits.

    Parameters
    ----------
    bits : float
        Of the loser; its checks are not kept.
    record : mapping
        The verdict.
    """
    tier, winner = record["tier"], record.get("evidence_bits") or 0.0
    most = best_tier(bits)
    if RANKS.index(most) < RANKS.index(tier):
        return f"no more than {most} with {bits:.1f} bits, and {tier} wins"
    if bits <= winner:
        return f"fewer bits: {bits:.1f} against {winner:.1f}"
    return f"more bits, but a lower tier than {tier}: {bits:.1f} bits of one direction, or without an assigned number"


def best_tier(bits: float) -> str:
    """Give the best tier that so many bits can reach, both directions taking part.

    Examples
    --------
    >>> best_tier(40), best_tier(64)
    ('probable', 'confirmed')
    """
    steps = ((CONFIRMED_BITS, "confirmed"), (PROBABLE_BITS, "probable"), (POSSIBLE_BITS, "possible"))
    return next((tier for least, tier in steps if bits >= least), "none")

"""Takes counts. Gives shares with their intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass

Z_95 = 1.959963984540054

Interval = tuple[float, float]


def wilson(right: int, of: int, z: float = Z_95) -> Interval | None:
    """Give Wilson's score interval of a share.

    Parameters
    ----------
    right, of : int
        Successes and trials.
    z : float
        Quantile of the normal distribution; by default that of 95 %.

    Returns
    -------
    (float, float) or None
        Lower and upper bound, within [0, 1]; None without trials.

    References
    ----------
    E. B. Wilson, Probable inference, the law of succession, and statistical inference, 1927.

    Examples
    --------
    >>> [round(bound, 4) for bound in wilson(9, 10)]
    [0.5958, 0.9821]
    """
    if of <= 0:
        return None
    share = right / of
    square = z * z
    centre = (share + square / (2 * of)) / (1 + square / of)
    half = z / (1 + square / of) * math.sqrt(share * (1 - share) / of + square / (4 * of * of))
    return (0.0 if right == 0 else centre - half, 1.0 if right == of else centre + half)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A share with its interval.

    Parameters
    ----------
    right, of : int
        Successes and trials.
    """

    right: int
    of: int

    @property
    def value(self) -> float | None:
        """The share; None without trials."""
        return self.right / self.of if self.of else None

    @property
    def interval(self) -> Interval | None:
        """Wilson's interval of 95 %."""
        return wilson(self.right, self.of)

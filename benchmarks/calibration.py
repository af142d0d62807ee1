"""A fixed piece of work that no stage has a part in: what a stage takes is told as a multiple of it.

What stages do, in small and for ever the same: hashing (CPython hashes octets with SipHash), copying in order, sorting,
and gathering from places that no cache holds. On a machine that is slower at these a stage is slower too, so the ratio
hardly changes from machine to machine.
"""

from __future__ import annotations

import time

import numpy as np

__all__ = ["Calibration"]

_WORDS = 1 << 20
_SORTED = _WORDS // 8
_COPIES = 4


class Calibration:
    """The work, and what each of its rounds took."""

    def __init__(self) -> None:
        random = np.random.Generator(np.random.PCG64(1))
        self._words = random.integers(0, 1 << 63, _WORDS, dtype=np.int64)
        self._order = random.permutation(_WORDS)
        self._octets = self._words.tobytes()
        self.seconds: list[float] = []

    def round(self) -> int:
        """Do it once; give a number that depends on all of it."""
        begun = time.process_time()
        result = hash(bytes(bytearray(self._octets)))
        for _ in range(_COPIES):
            copy = self._words.copy()
        copy[:_SORTED].sort()
        result ^= int(copy[0]) ^ int(self._words[self._order].sum())
        self.seconds.append(time.process_time() - begun)
        return result

    def ratio(self, seconds: list[float]) -> float:
        """Give the least of some rounds of other work as a multiple of the least of these."""
        return min(seconds) / min(self.seconds)

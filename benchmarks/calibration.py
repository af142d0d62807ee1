"""A fixed piece of work that no stage has a part in: what a stage takes is told as a multiple of it.

What stages do, in small and for ever the same: hashing (CPython hashes octets with SipHash), copying in order, sorting,
and gathering, of as much as a core's own cache holds: what the kernel takes for fresh pages is no part of it. On a
machine that is slower at these a stage is slower too, so the ratio hardly changes from machine to machine.
"""

from __future__ import annotations

import time

import numpy as np

__all__ = ["Calibration"]

_WORDS = 1 << 16
_TIMES = 16
_SORTED = _WORDS // 8
_COPIES = 4


class Calibration:
    """The work, and what each of its rounds took."""

    def __init__(self) -> None:
        random = np.random.Generator(np.random.PCG64(1))
        self._words = random.integers(0, 1 << 63, _WORDS, dtype=np.int64)
        self._order = random.permutation(_WORDS)
        self._octets = self._words.tobytes()
        self._copy = np.empty_like(self._words)
        self.seconds: list[float] = []

    def round(self) -> int:
        """Do it once; give a number that depends on all of it."""
        begun = time.process_time()
        result = 0
        for _ in range(_TIMES):
            result ^= hash(bytes(bytearray(self._octets)))
            for _ in range(_COPIES):
                np.copyto(self._copy, self._words)
            self._copy[:_SORTED].sort()
            result ^= int(self._copy[0]) ^ int(np.take(self._words, self._order).sum())
        self.seconds.append(time.process_time() - begun)
        return result

    def ratio(self, seconds: list[float]) -> float:
        """Give the least of some rounds of other work as a multiple of the least of these."""
        return min(seconds) / min(self.seconds)

"""Two heads on which every fingerprint is tried when it is defined: one of a single octet, one of two whole payloads.

The heads lie in memory as the core's do, so what is tried is what will run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

import numpy as np

from flowclass.udf.layout import RECORDS

Payload: TypeAlias = tuple[int, int, bytes]
"""Direction, time in ns, octets."""
HEADS: tuple[tuple[str, tuple[Payload, ...]], ...] = (
    ("of one payload of 1 octet", ((0, 0, b"\x01"),)),
    ("of two payloads of 64 octets", ((0, 0, bytes(range(64))), (1, 1_000_000, bytes(64)))),
)


def failed_on(call: Callable[[int, int], int]) -> tuple[str, tuple[Payload, ...]] | None:
    """Call on both heads.

    Parameters
    ----------
    call : callable
        Addresses of a head and of evidence in; 1, 0, or -1 where it failed.

    Returns
    -------
    tuple, optional
        The first head on which it failed, in words and as payloads.
    """
    for what, payloads in HEADS:
        with records(payloads) as (head, evidence):
            if call(head, evidence) not in (0, 1):
                return what, payloads
    return None


@contextmanager
def records(payloads: tuple[Payload, ...]) -> Iterator[tuple[int, int]]:
    """Give the addresses of a head of these payloads, and of empty evidence, for as long as the context lasts."""
    sides = [np.frombuffer(b"".join(octets for way, _, octets in payloads if way == side), np.uint8) for side in (0, 1)]
    entries = np.zeros(len(payloads), RECORDS["entry"].dtype)
    used = [0, 0]
    for place, (way, time, octets) in enumerate(payloads):
        entries[place] = (time, len(octets), place + 1, used[way], len(octets), 0, way)
        used[way] += len(octets)
    head = np.zeros(1, RECORDS["head"].dtype)
    head["octets_fwd"], head["octets_rev"] = (side.ctypes.data for side in sides)
    head["size_fwd"], head["size_rev"] = used
    head["entries"] = entries.ctypes.data
    head["entry_count"] = len(payloads)
    head["ip_proto"] = 17
    evidence = np.zeros(RECORDS["evidence"].size, np.uint8)
    yield head.ctypes.data, evidence.ctypes.data
    del sides, entries, head, evidence

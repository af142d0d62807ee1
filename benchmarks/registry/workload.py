"""Prefixes as registrants have them, and addresses to look up: the same for a seed."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Table", "make_addresses", "make_table"]

# Lengths of registrants' prefixes and their shares: many single addresses and small networks.
_LENGTHS = {
    4: {32: 0.45, 30: 0.10, 29: 0.10, 28: 0.08, 24: 0.20, 22: 0.05, 20: 0.02},
    6: {128: 0.10, 64: 0.25, 56: 0.15, 48: 0.40, 32: 0.10},
}
_PROVIDERS = 30_000  # IPv6: so many /32 from which the longer ones are given out
_ZIPF = 1.0


@dataclass(frozen=True, slots=True)
class Table:
    """Distinct prefixes of one version.

    Parameters
    ----------
    version : int
        4 or 6.
    networks : list of str
        The prefixes.
    first, length : ndarray
        First addresses as ``(n, 16) uint8`` (IPv4: the last four octets), and lengths.
    """

    version: int
    networks: list[str]
    first: NDArray[np.uint8]
    length: NDArray[np.int64]


def make_table(version: int, count: int, seed: int) -> Table:
    """Make `count` distinct prefixes."""
    random = np.random.default_rng((seed, version, count))
    shares = _LENGTHS[version]
    providers = random.integers(0, 256, (_PROVIDERS, 4), dtype=np.uint8)
    providers[:, 0] = random.choice([0x20, 0x24, 0x26, 0x28, 0x2A], _PROVIDERS)
    providers[:, 1] &= 0x1F
    found: dict[tuple[bytes, int], None] = {}
    while len(found) < count:
        octets = random.integers(0, 256, (count, 16), dtype=np.uint8)
        if version == 4:
            octets[:, :12] = 0
            octets[:, 12] = random.integers(1, 224, count)
        else:
            octets[:, :4] = providers[random.integers(0, _PROVIDERS, count)]
        lengths = random.choice(list(shares), count, p=list(shares.values()))
        octets &= ~_host_bits(lengths, version)
        found.update(dict.fromkeys(zip(map(bytes, octets), lengths.tolist(), strict=True)))
    keys = list(found)[:count]
    first = np.frombuffer(b"".join(key for key, _ in keys), dtype=np.uint8).reshape(-1, 16)
    texts = [f"{ipaddress.ip_address(key[-4:] if version == 4 else key)}/{length}" for key, length in keys]
    return Table(version, texts, first, np.array([length for _, length in keys]))


def make_addresses(table: Table, kind: str, count: int, seed: int) -> NDArray[Any]:
    """Make a column: ``uniform`` over the whole space of the table, or ``zipf``, in prefixes of uneven popularity."""
    random = np.random.default_rng((seed, count, kind == "zipf"))
    octets = random.integers(0, 256, (count, 16), dtype=np.uint8)
    if kind == "zipf":
        # The inverse of Zipf's distribution function with exponent 1; which prefix is popular is chance.
        ranks = (len(table.networks) ** random.random(count)).astype(np.int64) - 1
        chosen = random.permutation(len(table.networks))[ranks]
        host = _host_bits(table.length[chosen], table.version)
        octets = table.first[chosen] | (octets & host)
    elif table.version == 6:
        octets[:, 0] = octets[:, 0] & 0x1F | 0x20  # 2000::/3 is what is given out
    if table.version == 4:
        return np.ascontiguousarray(octets[:, 12:]).view(">u4").ravel().astype(np.uint32)
    return octets


def _host_bits(lengths: NDArray[np.int64], version: int) -> NDArray[np.uint8]:
    kept = lengths + (96 if version == 4 else 0)
    in_octet = np.clip(kept[:, None] - 8 * np.arange(16), 0, 8)
    bits: NDArray[np.uint8] = (0xFF >> in_octet).astype(np.uint8)
    return bits

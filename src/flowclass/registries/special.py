"""Address space that nobody is registered in: private, shared, documentation and other reserved prefixes.

From the IANA special-purpose address registries (RFC 6890), each with the RFC that reserves it.
"""

from __future__ import annotations

import bisect
import ipaddress
from typing import NamedTuple

from flowclass.registries.prefixes import Network, bounds


class _Block(NamedTuple):
    first: int
    last: int
    text: str
    use: str


_USES = (
    ("0.0.0.0/8", "this network, RFC 791"),
    ("10.0.0.0/8", "private use, RFC 1918"),
    ("100.64.0.0/10", "shared by carriers' customers, RFC 6598"),
    ("127.0.0.0/8", "loopback, RFC 1122"),
    ("169.254.0.0/16", "link-local, RFC 3927"),
    ("172.16.0.0/12", "private use, RFC 1918"),
    ("192.0.0.0/24", "protocol assignments, RFC 6890"),
    ("192.0.2.0/24", "documentation, RFC 5737"),
    ("192.88.99.0/24", "6to4 relays, withdrawn, RFC 7526"),
    ("192.168.0.0/16", "private use, RFC 1918"),
    ("198.18.0.0/15", "benchmarks, RFC 2544"),
    ("198.51.100.0/24", "documentation, RFC 5737"),
    ("203.0.113.0/24", "documentation, RFC 5737"),
    ("224.0.0.0/4", "multicast, RFC 5771"),
    ("240.0.0.0/4", "reserved, RFC 1112"),
    ("::/3", "not global unicast, RFC 4291"),
    ("::/128", "unspecified, RFC 4291"),
    ("::1/128", "loopback, RFC 4291"),
    ("64:ff9b::/96", "translated IPv4, RFC 6052"),
    ("64:ff9b:1::/48", "translated IPv4, local use, RFC 8215"),
    ("100::/64", "discard, RFC 6666"),
    ("2001::/32", "Teredo, RFC 4380"),
    ("2001:2::/48", "benchmarks, RFC 5180"),
    ("2001:10::/28", "ORCHID, withdrawn, RFC 4843"),
    ("2001:20::/28", "ORCHIDv2, RFC 7343"),
    ("2001:db8::/32", "documentation, RFC 3849"),
    ("2002::/16", "6to4, RFC 3056"),
    ("3fff::/20", "documentation, RFC 9637"),
    ("4000::/2", "not global unicast, RFC 4291"),
    ("8000::/1", "not global unicast, RFC 4291"),
    ("fc00::/7", "unique local, RFC 4193"),
    ("fe80::/10", "link-local, RFC 4291"),
    ("ff00::/8", "multicast, RFC 4291"),
)


def _blocks(version: int) -> list[_Block]:
    networks = [(ipaddress.ip_network(text), use) for text, use in _USES]
    ours = sorted((pair for pair in networks if pair[0].version == version), key=lambda pair: pair[0].prefixlen)
    blocks = [_Block(*bounds(net), str(net), use) for net, use in ours]
    return sorted(blocks, key=lambda block: (block.first, -block.last))


_BLOCKS = {version: _blocks(version) for version in (4, 6)}
_FIRSTS = {version: [block.first for block in blocks] for version, blocks in _BLOCKS.items()}


def reserved(prefix: Network) -> str | None:
    """Say which reserved block a prefix lies in or covers.

    Parameters
    ----------
    prefix : IPv4Network or IPv6Network
        Any.

    Returns
    -------
    str or None
        For people: the block, what it is for and the RFC. None where the prefix touches none.

    Examples
    --------
    >>> reserved(ipaddress.ip_network("10.1.0.0/16"))
    'it lies in 10.0.0.0/8 (private use, RFC 1918)'
    >>> reserved(ipaddress.ip_network("192.0.0.0/16"))
    'it holds 192.0.0.0/24 (protocol assignments, RFC 6890)'
    """
    first, last = bounds(prefix)
    blocks = _BLOCKS[prefix.version]
    place = bisect.bisect_right(_FIRSTS[prefix.version], first)
    for block in reversed(blocks[:place]):
        if block.first <= first and last <= block.last:
            return f"it lies in {block.text} ({block.use})"
    inside = bisect.bisect_left(_FIRSTS[prefix.version], first)
    if inside < len(blocks) and blocks[inside].first <= last:
        return f"it holds {blocks[inside].text} ({blocks[inside].use})"
    return None

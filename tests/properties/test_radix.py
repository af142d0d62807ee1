"""The radix tree and its covering sets equal a scan with the standard library's ipaddress."""

from __future__ import annotations

import ipaddress

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flowclass import _core

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

MAPPED = int(ipaddress.IPv6Address("::ffff:0:0"))


def registry_of(networks: list[Network]) -> _core.Registry:
    count = len(networks)
    return _core.Registry.build(
        registration_id=[f"R{index:04}" for index in range(count)],
        category=["organization"] * count,
        status=["approved"] * count,
        prefix=[str(network) for network in networks],
        protocols=[[] for _ in networks],
        valid_from=[_core.OPEN_START] * count,
        valid_until=[_core.OPEN_END] * count,
        submitted_at=[_core.NOT_KNOWN] * count,
        approved_at=[_core.NOT_KNOWN] * count,
        scope=[],
    )


def network(version: int, value: int, length: int) -> Network:
    kind = ipaddress.IPv4Network if version == 4 else ipaddress.IPv6Network
    width = 32 if version == 4 else 128
    return kind((value >> (width - length) << (width - length), length))


@st.composite
def nested_networks(draw: st.DrawFn) -> list[Network]:
    """Prefixes of both versions; most grow out of an earlier one, so that they nest and share long paths."""
    found: list[Network] = []
    for _ in range(draw(st.integers(0, 30))):
        version = draw(st.sampled_from((4, 6)))
        width = 32 if version == 4 else 128
        value = draw(st.integers(0, 2**width - 1))
        near = [int(other.network_address) for other in found if other.version == version]
        if version == 6:
            near.append(MAPPED)
        if near and draw(st.booleans()):
            kept = draw(st.integers(0, width))
            base = draw(st.sampled_from(near))
            value = (base >> (width - kept) << (width - kept)) | (value & ((1 << (width - kept)) - 1))
        found.append(network(version, value, draw(st.integers(0, width))))
    return found


def edges(networks: list[Network]) -> list[Address]:
    """The ends of every prefix, their neighbours, and the IPv4-mapped forms of IPv4 ones: where answers can differ."""
    found: set[Address] = set()
    for one in networks:
        kind = ipaddress.IPv4Address if one.version == 4 else ipaddress.IPv6Address
        for end in (int(one.network_address), int(one.broadcast_address)):
            for value in (end - 1, end, end + 1):
                if 0 <= value < 2**one.max_prefixlen:
                    found.add(kind(value))
                    if one.version == 4:
                        found.add(ipaddress.IPv6Address(MAPPED | value))
    return sorted(found, key=lambda address: (address.version, int(address)))


def scan(networks: list[Network], address: Address) -> list[int]:
    covering = [index for index, one in enumerate(networks) if one.version == address.version and address in one]
    return sorted(covering, key=lambda index: (-networks[index].prefixlen, index))


@settings(max_examples=150, deadline=None)
@given(nested_networks(), st.lists(st.ip_addresses(), max_size=20))
@example([ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")], [])
@example([ipaddress.ip_network("255.255.255.255/32"), ipaddress.ip_network("0.0.0.0/32")], [])
@example([ipaddress.ip_network("::ffff:0:0/96"), ipaddress.ip_network("192.0.2.0/24")], [])
def test_tree_equals_scan(networks: list[Network], random: list[Address]) -> None:
    registry = registry_of(networks)
    for address in [*edges(networks), *random]:
        assert registry.covering(str(address)) == scan(networks, address)


@settings(max_examples=50, deadline=None)
@given(nested_networks(), st.lists(st.ip_addresses(v=4), min_size=1), st.lists(st.ip_addresses(v=6), min_size=1))
def test_bulk_equals_scan(networks: list[Network], four: list[Address], six: list[Address]) -> None:
    registry = registry_of(networks)
    four = four + [address for address in edges(networks) if address.version == 4]
    six = six + [address for address in edges(networks) if address.version == 6]
    found_four = registry.find_v4(np.array([int(address) for address in four], dtype=np.uint32))
    found_six = registry.find_v6(np.frombuffer(b"".join(a.packed for a in six), dtype=np.uint8).reshape(-1, 16))
    for address, found in zip(four + six, [*found_four, *found_six], strict=True):
        assert registry.entries(int(found)) == scan(networks, address)


def test_bulk_of_nothing() -> None:
    registry = registry_of([])
    assert registry.find_v4(np.empty(0, dtype=np.uint32)).shape == (0,)
    assert registry.find_v6(np.empty((0, 16), dtype=np.uint8)).shape == (0,)

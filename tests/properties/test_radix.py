"""The radix tree and its covering sets equal a scan with the standard library's ipaddress."""

from __future__ import annotations

import ipaddress

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flowclass import Registry, _core
from flowclass.errors import ConfigError
from flowclass.registries.row import RegistryRow

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


def rows_of(networks: list[Network]) -> Registry:
    return Registry(
        [
            RegistryRow(
                line=index + 2,
                registration_id=f"R{index:04}",
                category="organization",
                status="approved",
                prefixes=(one,),
            )
            for index, one in enumerate(networks)
        ]
    )


def ids(registry: Registry, found: np.ndarray) -> list[list[str]]:
    return [[entry.registration_id for entry in registry.covering(one)] for one in found]


@settings(max_examples=60, deadline=None)
@given(
    nested_networks(), st.lists(st.ip_addresses(v=4), min_size=1), st.lists(st.ip_addresses(v=6), min_size=1), st.data()
)
@example(
    [ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")],
    [ipaddress.ip_address("0.0.0.0")],
    [ipaddress.ip_address("::")],
    None,
)
def test_every_column_equals_scan(
    networks: list[Network], four: list[Address], six: list[Address], data: st.DataObject | None
) -> None:
    registry = rows_of(networks)
    four = four + [address for address in edges(networks) if address.version == 4]
    six = six + [address for address in edges(networks) if address.version == 6]
    numbers = np.array([int(address) for address in four], dtype=np.uint32)
    octets = np.frombuffer(b"".join(a.packed for a in six), dtype=np.uint8).reshape(-1, 16)
    for addresses, plain, arrow in (
        (four, numbers, pa.array(numbers)),
        (six, octets, pa.array([address.packed for address in six], type=pa.binary(16))),
    ):
        expected = [[f"R{index:04}" for index in scan(networks, address)] for address in addresses]
        cut = data.draw(st.integers(0, len(addresses))) if data is not None else 1
        assert ids(registry, registry.find(plain)) == expected
        assert ids(registry, registry.find(plain[::-1])) == expected[::-1]
        assert ids(registry, registry.find(plain[cut:])) == expected[cut:]
        assert ids(registry, registry.find(arrow)) == expected
        assert ids(registry, registry.find(arrow.slice(cut))) == expected[cut:]
        chunks = pa.chunked_array([arrow.slice(0, cut), arrow.slice(cut)])
        assert ids(registry, registry.find(chunks)) == expected
        none = pa.nulls(1, arrow.type)
        assert ids(registry, registry.find(pa.concat_arrays([none, arrow, none]))) == [[], *expected, []]


@pytest.mark.parametrize(
    "empty",
    [
        np.empty(0, dtype=np.uint32),
        np.empty((0, 16), dtype=np.uint8),
        pa.array([], type=pa.uint32()),
        pa.array([], type=pa.binary(16)),
        pa.chunked_array([], type=pa.uint32()),
    ],
)
def test_empty_columns(empty: object) -> None:
    found = rows_of([ipaddress.ip_network("0.0.0.0/0")]).find(empty)
    assert (found.shape, found.dtype) == ((0,), np.uint32)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros(3, dtype=np.int64),
        np.zeros((3, 4), dtype=np.uint8),
        np.zeros(16, dtype=np.uint8),
        pa.array([1], type=pa.int64()),
        pa.array([b"1234"], type=pa.binary(4)),
        pa.array(["192.0.2.1"]),
        ["192.0.2.1"],
    ],
)
def test_other_columns_are_refused(wrong: object) -> None:
    with pytest.raises(ConfigError, match="uint32 of IPv4 addresses"):
        rows_of([]).find(wrong)


def test_native_look_up_converts_nothing() -> None:
    with pytest.raises(TypeError):
        registry_of([]).find_v4(np.zeros(3, dtype=np.int64))

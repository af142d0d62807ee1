"""Community ID v1: the specification's own values, its rules, and a second computation."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path
from typing import Any

import pytest
from community_id import community_id as computed_again
from hypothesis import given
from hypothesis import strategies as st

from flowclass import _core

GOLDEN = json.loads(Path(__file__).with_name("community_id.json").read_text())
PAIRS = [(int(proto), type_, answer) for proto, pairs in GOLDEN["counterparts"].items() for type_, answer in pairs]
ENDS = {1: ("10.1.2.3", "10.0.0.9"), 58: ("2001:db8::2", "2001:db8::1")}
ADDRESSES = st.one_of(
    st.tuples(st.ip_addresses(v=4), st.ip_addresses(v=4)), st.tuples(st.ip_addresses(v=6), st.ip_addresses(v=6))
)
PORTS = st.integers(0, 0xFFFF)


@pytest.mark.parametrize("vector", GOLDEN["vectors"], ids=lambda vector: vector["name"])
def test_values_of_the_specification(vector: dict[str, Any]) -> None:
    args = [vector[name] for name in ("src", "dst", "ip_proto", "src_port", "dst_port", "seed")]
    assert _core.community_id(*args) == vector["id"]
    assert computed_again(*args[:5], seed=vector["seed"]) == vector["id"]


@pytest.mark.parametrize(("proto", "type_", "answer"), PAIRS)
def test_icmp_question_and_answer_share_an_id(proto: int, type_: int, answer: int) -> None:
    one, other = ENDS[proto]
    question = _core.community_id(one, other, proto, type_, 0)
    assert question == _core.community_id(other, one, proto, answer, 0)
    assert question == _core.community_id(one, other, proto, type_, 77), "the code is not part of it"
    assert question != _core.community_id(other, one, proto, type_, 0)


@pytest.mark.parametrize("proto", [1, 58])
def test_icmp_types_without_an_answer_keep_their_direction(proto: int) -> None:
    paired = {number for listed, *pair in PAIRS if listed == proto for number in pair}
    one, other = ENDS[proto]
    for type_ in set(range(256)) - paired:
        forth = _core.community_id(one, other, proto, type_, 3)
        assert forth == computed_again(one, other, proto, type_, 3)
        assert forth != _core.community_id(other, one, proto, type_, 3)
        assert forth != _core.community_id(one, other, proto, type_, 4), "the code stands for the port"


@pytest.mark.parametrize("proto", [0, 2, 4, 41, 46, 47, 50, 51, 89, 112, 136, 255])
def test_protocols_without_ports_leave_them_out(proto: int) -> None:
    plain = _core.community_id("192.0.2.1", "198.51.100.1", proto, None, None)
    assert plain == _core.community_id("198.51.100.1", "192.0.2.1", proto, None, None)
    assert plain == _core.community_id("192.0.2.1", "198.51.100.1", proto, 7, 9)
    assert plain != _core.community_id("192.0.2.1", "198.51.100.1", 17, 0, 0)


@given(ends=ADDRESSES, proto=st.integers(0, 255), src_port=PORTS, dst_port=PORTS, seed=PORTS)
def test_computed_again(
    ends: tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, ...], proto: int, src_port: int, dst_port: int, seed: int
) -> None:
    if proto in (1, 58):
        src_port, dst_port = src_port & 0xFF, dst_port & 0xFF
    src, dst = map(str, ends)
    expected = computed_again(src, dst, proto, src_port, dst_port, seed=seed)
    assert _core.community_id(src, dst, proto, src_port, dst_port, seed) == expected
    if proto not in (1, 58):
        assert _core.community_id(dst, src, proto, dst_port, src_port, seed) == expected

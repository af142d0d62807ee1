"""What is warned of, and how `registry check` says it; overlaps against brute force."""

from __future__ import annotations

import ipaddress
import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from conftest import Command
from hypothesis import given
from hypothesis import strategies as st

from flowclass.errors import ConfigError
from flowclass.registries.kinds import KINDS, Limits
from flowclass.registries.overlap import Claim, overlaps
from flowclass.registries.prefixes import parse_prefixes
from flowclass.registries.special import reserved
from flowclass.registries.timestamps import parse_timestamp
from flowclass.registry import Registry

HEADER = "registration_id,category,status,prefix,valid_from,valid_until"


def warned(tmp_path: Path, *rows: str, limits: Limits | None = None) -> list[tuple[int, str]]:
    path = tmp_path / "r.csv"
    path.write_text("\n".join([HEADER, *rows]))
    return [(problem.line, problem.kind) for problem in Registry.load(path, limits=limits).warnings]


@st.composite
def claims(draw: st.DrawFn) -> list[Claim]:
    found = []
    for line in range(1, draw(st.integers(1, 14)) + 1):
        length = draw(st.integers(0, 4))
        if draw(st.booleans()):
            value = draw(st.integers(0, 15)) >> (4 - length) << (4 - length) << 28
            prefix: ipaddress.IPv4Network | ipaddress.IPv6Network = ipaddress.IPv4Network((value, length))
        else:
            value = draw(st.integers(0, 15)) >> (4 - length) << (4 - length) << 124
            prefix = ipaddress.IPv6Network((value, length))
        begin = draw(st.none() | st.integers(0, 5))
        end = draw(st.none() | st.integers(1 if begin is None else begin + 1, 7))
        found.append(Claim(draw(st.sampled_from("ABC")), prefix, begin, end, line))
    return found


def _meet(one: Claim, other: Claim) -> bool:
    return max(one.span[0], other.span[0]) < min(one.span[1], other.span[1])


def _covers(one: Claim, other: Claim) -> bool:
    return one.prefix.version == other.prefix.version and other.prefix.subnet_of(one.prefix)  # type: ignore[arg-type]


@given(claims())
def test_overlaps_equal_brute_force(given_claims: list[Claim]) -> None:
    found = list(overlaps(given_claims))
    expected = {
        claim.line
        for claim in given_claims
        for other in given_claims
        if claim.registration_id != other.registration_id and _covers(other, claim) and _meet(claim, other)
    }
    assert {claim.line for claim, _ in found} == expected
    assert len(found) == len(expected)
    for claim, other in found:
        assert claim.registration_id != other.registration_id
        assert _covers(other, claim)
        assert _meet(claim, other)


def test_overlaps_of_many_equal_and_nested_prefixes_are_not_quadratic() -> None:
    same = ipaddress.ip_network("8.8.8.0/24")
    many = [Claim(f"R{number}", same, number, number + 1, number + 1) for number in range(30_000)]
    assert list(overlaps(many)) == []
    nested = [Claim("R", ipaddress.IPv6Network((0, number % 129)), None, None, number + 1) for number in range(30_000)]
    assert list(overlaps(nested)) == []


def test_overlaps_in_a_registry(tmp_path: Path) -> None:
    assert warned(
        tmp_path,
        "A,organization,approved,8.8.0.0/20,2024-01-01,2025-01-01",
        "B,organization,approved,8.8.1.1,2025-01-01,",
        "C,organization,revoked,8.8.1.2,,",
        "A,organization,approved,8.8.1.0/24,,",
        "D,freelancer,pending,8.8.2.1-8.8.2.6,2024-06-01,",
    ) == [(3, "overlap"), (6, "no_submitted_at"), (6, "overlap")]


@pytest.mark.parametrize(
    ("prefix", "rfc"),
    [
        ("10.0.0.0/8", "RFC 1918"),
        ("172.31.255.255/32", "RFC 1918"),
        ("172.32.0.0/16", None),
        ("100.127.0.0/16", "RFC 6598"),
        ("169.254.1.1/32", "RFC 3927"),
        ("203.0.113.7/32", "RFC 5737"),
        ("224.0.0.1/32", "RFC 5771"),
        ("255.255.255.255/32", "RFC 1112"),
        ("8.8.8.8/32", None),
        ("192.0.0.0/8", "RFC 6890"),
        ("fd00::/48", "RFC 4193"),
        ("fe80::1/128", "RFC 4291"),
        ("2001:db8:1::/48", "RFC 3849"),
        ("2002::/16", "RFC 3056"),
        ("2001:67c::/32", None),
        ("2a00::/12", None),
        ("::1/128", "RFC 4291"),
    ],
)
def test_reserved_space(prefix: str, rfc: str | None) -> None:
    found = reserved(ipaddress.ip_network(prefix))
    assert found is None if rfc is None else found is not None and rfc in found


@given(st.integers(0, 2**32 - 1))
def test_what_the_standard_library_calls_private_is_reserved(value: int) -> None:
    address = ipaddress.IPv4Address(value)
    if address.is_private or address.is_multicast or address.is_reserved:
        assert reserved(ipaddress.ip_network(address)) is not None


def test_wide_prefixes(tmp_path: Path) -> None:
    rows = ("A,organization,approved,8.0.0.0/15,,", "A,organization,approved,2a00::/31,,")
    assert warned(tmp_path, *rows) == [(2, "wide"), (3, "wide")]
    assert warned(tmp_path, *rows, limits=Limits(widest_ipv4=15, widest_ipv6=31)) == []
    for wrong in ({"widest_ipv4": 33}, {"widest_ipv6": -1}, {"widest_ipv4": True}):
        with pytest.raises(ConfigError, match="is not permitted; give a prefix length from 0 to"):
            Limits(**wrong)


def test_check_groups_and_tells_all_when_asked(
    tmp_path: Path, flowclass_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "r.csv"
    rows = [f"A,organization,approved,8.8.{number}.7/24,," for number in range(40)]
    rows += [f"B,organization,approved,10.{number}.0.0/15,," for number in range(0, 40, 2)]
    path.write_text("\n".join([HEADER, *rows]))
    short = flowclass_command("registry", "check", path)
    assert short.code == 5
    lines = short.out.splitlines()
    assert [line.split()[:3] for line in lines[:3]] == [
        ["error", "host_bits", "40"],
        ["warning", "reserved", "20"],
        ["warning", "wide", "20"],
    ]
    assert len(lines) == 7
    assert "40 errors" in short.err
    assert len(flowclass_command("registry", "check", path, "-v").out.splitlines()) == 83
    content = json.loads(flowclass_command("registry", "check", path, "--json", "--widest-ipv4", "15").out)
    assert (content["valid"], len(content["problems"])) == (False, 60)
    assert content["counts"][0] == {"severity": "error", "kind": "host_bits", "count": 40}
    assert {problem["kind"] for problem in content["problems"]} <= set(KINDS)
    first = content["problems"][0]
    assert (first["line"], first["column"], first["value"]) == (2, "prefix", "8.8.0.7/24")
    monkeypatch.setenv("FLOWCLASS_WIDEST_IPV4", "15")
    assert " wide " not in flowclass_command("registry", "check", path).out
    assert flowclass_command("registry", "check", path, "--widest-ipv4", "33").code == 2


def test_check_gives_json_of_what_cannot_be_read(tmp_path: Path, flowclass_command: Command) -> None:
    ended = flowclass_command("registry", "check", tmp_path / "none.csv", "--json")
    content = json.loads(ended.out)
    assert (ended.code, content["valid"], content["problems"]) == (5, False, [])
    assert "cannot be read" in content["refused"]


@given(
    st.lists(
        st.sampled_from(["0", "1", "9", "00", "01", "10", "255", "256", "300", " ", "+1", "", "x", "0x1", "¹"]),
        min_size=1,
        max_size=6,
    )
)
def test_the_same_addresses_as_the_standard_library_takes(parts: list[str]) -> None:
    text = ".".join(parts)
    try:
        wanted = (ipaddress.IPv4Network((int(ipaddress.IPv4Address(text)), 32)),)
    except ValueError:
        with pytest.raises(ValueError, match=r"is not an IPv4 or IPv6 address|it is missing"):
            parse_prefixes(text)
    else:
        assert parse_prefixes(text) == wanted


@given(st.datetimes(datetime(1700, 1, 1), datetime(2250, 1, 1)), st.sampled_from(["", "Z", "+00:00", "-00:00"]))
def test_instants_equal_the_standard_library(moment: datetime, zone: str) -> None:
    text = moment.isoformat() + zone
    elapsed = moment - datetime(1970, 1, 1)
    assert parse_timestamp(text) == (elapsed // timedelta(microseconds=1)) * 1000


@pytest.mark.parametrize(
    "text", ["2026-02-29", "2026-13-01", "2026-01-01T24:00", "2026-01-01T00:60", "1500-01-01", "2400-01-01"]
)
def test_instants_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"no such date or time|outside the years"):
        parse_timestamp(text)

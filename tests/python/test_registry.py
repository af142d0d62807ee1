"""Registries and policies from files: every defect of every row, look-ups, versions, and what is refused."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flowclass.errors import ConfigError, RegistryError
from flowclass.policy import Policy
from flowclass.registries import csv as csv_format
from flowclass.registries.row import parse_prefixes
from flowclass.registries.timestamps import parse_timestamp
from flowclass.registry import Registry

HEADER = "registration_id,category,status,prefix,protocols,valid_from,valid_until,submitted_at,approved_at,note_ref"
KNOWN = frozenset({"wireguard", "openvpn", "ike"})


def load(tmp_path: Path, *rows: str, header: str = HEADER, **options: object) -> Registry:
    path = tmp_path / "registry.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return Registry.load(path, known_protocols=KNOWN, **options)


GOOD = "ORG-1,organization: bank,approved,192.0.2.0/24,wireguard;ike,2024-01-01,2025-01-01,2023-12-01,2023-12-02,f-1"


def test_load_and_lookup(tmp_path: Path) -> None:
    registry = load(
        tmp_path,
        GOOD,
        "FRL-2,freelancer,approved,192.0.2.7,,2022-01-01,2023-01-01,,,",
        "FRL-3,freelancer,revoked,::/0,,,,,,",
    )
    assert len(registry) == 3
    found, foreign, six = registry.lookup(["192.0.2.7", "198.51.100.1", "2001:DB8::1"], at="2024-06-01")
    assert (found.match, found.registration_id, found.matched_prefix) == ("registered", "ORG-1", "192.0.2.0/24")
    assert [(covering.match, covering.decided) for covering in found.covering] == [
        ("expired", False),
        ("registered", True),
    ]
    assert (foreign.match, foreign.registration_id, foreign.covering) == ("unregistered", None, ())
    assert (six.address, six.match, six.matched_prefix) == ("2001:db8::1", "inactive", "::/0")


def test_lookup_instants_and_protocols(tmp_path: Path) -> None:
    registry = load(tmp_path, GOOD)
    for at, match in (
        ("2023-12-31T23:59:59.999999999Z", "not_yet"),
        ("2024-01-01", "registered"),
        (datetime(2024, 12, 31, 23, 59, 59, tzinfo=UTC), "registered"),
        (parse_timestamp("2025-01-01"), "expired"),
    ):
        assert registry.lookup(["192.0.2.1"], at=at)[0].match == match
    assert registry.lookup(["192.0.2.1"], at="2024-06-01", protocol="openvpn")[0].match == "protocol_not_permitted"
    assert registry.lookup(["192.0.2.1"])[0].match == "expired"
    with pytest.raises(ConfigError, match=r"'192\.0\.2' is not an IPv4 or IPv6 address"):
        registry.lookup(["192.0.2"])
    with pytest.raises(ConfigError, match="is not an instant"):
        registry.lookup(["192.0.2.1"], at="yesterday")


DEFECTS = [
    ("A,organization,approved,192.0.2.1/24,,,,,,", "prefix", "host bits are set; the network is 192.0.2.0/24"),
    ("A,organization,approved,192.0.2.9-192.0.2.1,,,,,,", "prefix", "the range is reversed"),
    ("A,organization,approved,192.0.2.9-::1,,,,,,", "prefix", "different IP versions"),
    ("A,organization,approved,192.0.2.0/33,,,,,,", "prefix", "'33' is not a number from 0 to 32"),
    ("A,organization,approved,192.0.2.0/255.255.255.0,,,,,,", "prefix", "is not a number from 0 to 32"),
    ("A,organization,approved,192.0.2.00,,,,,,", "prefix", "is not an IPv4 or IPv6 address"),
    ("A,organization,approved,fe80::1%eth0,,,,,,", "prefix", "has a zone"),
    ("A,organization,approved,,,,,,,", "prefix", "it is missing"),
    ("A,organization,aproved,192.0.2.1,,,,,,", "status", "the nearest known one is 'approved'"),
    ("A,company,approved,192.0.2.1,,,,,,", "category", "'organization' or 'freelancer'"),
    (",organization,approved,192.0.2.1,,,,,,", "registration_id", "it is missing"),
    ("A,organization,approved,192.0.2.1,wire%guard,,,,,", "protocols", "is no protocol id"),
    ("A,organization,approved,192.0.2.1,,2024-02-01,2024-01-01,,,", "valid_until", "is not after valid_from"),
    ("A,organization,approved,192.0.2.1,,2024-01-01,2024-01-01,,,", "valid_until", "is not after valid_from"),
    ("A,organization,approved,192.0.2.1,,,,2024-02-01,2024-01-01,", "approved_at", "is not after submitted_at"),
    ("A,organization,approved,192.0.2.1,,2024-02-30,,,,", "valid_from", "no such date or time"),
    ("A,organization,approved,192.0.2.1,,01/02/2024,,,,", "valid_from", "not an ISO 8601 date"),
    ("A,organization,approved,192.0.2.1,,,9999-12-31,,,", "valid_until", "leave it empty for an open end"),
    ("A,organization,approved,192.0.2.1", "", "it has 4 fields where the header has 10"),
    ('A,organization,approved,"192.0.2.1"x,,,,,,', "", "not CSV"),
]


@pytest.mark.parametrize(("row", "column", "reason"), DEFECTS)
def test_each_defect(tmp_path: Path, row: str, column: str, reason: str) -> None:
    with pytest.raises(RegistryError) as caught:
        load(tmp_path, GOOD, row)
    (problem,) = [problem for problem in caught.value.problems if problem.severity == "error"]
    assert (problem.file, problem.line) == (str(tmp_path / "registry.csv"), 3)
    assert problem.column == column
    assert reason in problem.reason
    assert problem.severity == "error"
    assert reason in str(caught.value)


def test_all_defects_of_all_rows_at_once(tmp_path: Path) -> None:
    with pytest.raises(RegistryError) as caught:
        load(tmp_path, *[row for row, _, _ in DEFECTS], "A,x,y,z,,never,,,,")
    lines = [problem.line for problem in caught.value.problems]
    assert sorted(set(lines)) == list(range(2, len(DEFECTS) + 3))
    assert lines == sorted(lines)
    assert [problem.column for problem in caught.value.problems if problem.line == len(DEFECTS) + 2] == [
        "category",
        "status",
        "prefix",
        "valid_from",
    ]
    assert "and 4 more" in str(caught.value)


def test_duplicates(tmp_path: Path) -> None:
    renewed = GOOD.replace("2024-01-01", "2025-01-01").replace("2025-01-01,2025-01-01", "2025-01-01,2026-01-01")
    assert len(load(tmp_path, GOOD, renewed)) == 2
    with pytest.raises(RegistryError, match="same registration and dates in line 2"):
        load(tmp_path, GOOD, GOOD.replace("approved", "revoked"))


def test_warnings_refuse_nothing(tmp_path: Path) -> None:
    registry = load(
        tmp_path,
        "A,organization,pending,192.0.2.1,,,,,,",
        "B,organization,approved,::ffff:192.0.2.1,,,,,,",
        "C,organization,approved,192.0.2.3,wireguart,,,,,",
    )
    assert [(problem.line, problem.column, problem.severity, problem.kind) for problem in registry.warnings] == [
        (2, "submitted_at", "warning", "no_submitted_at"),
        (2, "prefix", "warning", "reserved"),
        (3, "prefix", "warning", "ipv4_mapped"),
        (4, "protocols", "warning", "unknown_protocol"),
        (4, "prefix", "warning", "reserved"),
    ]
    assert "the nearest known one is 'wireguard'" in registry.warnings[3].reason
    assert registry.lookup(["::ffff:192.0.2.1"], at=0)[0].registration_id == "B"
    assert registry.lookup(["192.0.2.1"], at=0)[0].registration_id == "A"


def test_headers(tmp_path: Path) -> None:
    short = load(tmp_path, "approved,192.0.2.1,freelancer,F-1", header="status,prefix,category,registration_id")
    assert short.lookup(["192.0.2.1"], at=0)[0].match == "registered"
    for header, reason in (
        (HEADER.replace("prefix", "prefx"), "the nearest known one is 'prefix'"),
        (HEADER + ",status", "named twice"),
        ("registration_id,status,prefix", "the column is missing"),
    ):
        with pytest.raises(RegistryError) as caught:
            load(tmp_path, GOOD, header=header)
        assert any(reason in problem.reason for problem in caught.value.problems)


def test_files_that_are_no_registry(tmp_path: Path) -> None:
    path = tmp_path / "registry.csv"
    with pytest.raises(RegistryError, match="cannot be read: No such file"):
        Registry.load(path)
    path.write_bytes(b"")
    with pytest.raises(RegistryError, match="empty; the first line names the columns"):
        Registry.load(path)
    path.write_bytes(HEADER.encode() + b"\nA,organization,approved,192.0.2.1,,,,,,\xff\n")
    with pytest.raises(RegistryError, match="not UTF-8") as caught:
        Registry.load(path)
    assert caught.value.problems[0].line == 2
    path.write_bytes(bytes(range(256)) * 10)
    with pytest.raises(RegistryError):
        Registry.load(path)
    path.write_text(HEADER + '\nA,organization,approved,"192.0.2.1,,,,,,\n')
    with pytest.raises(RegistryError, match="not CSV"):
        Registry.load(path)
    other = tmp_path / "registry.row"
    other.write_text("no registry")
    with pytest.raises(RegistryError, match=r"no registry format has the ending '\.row'"):
        Registry.load(other)
    path.write_bytes(b"\xef\xbb\xbf" + HEADER.encode() + b"\r\n" + GOOD.encode() + b"\r\n\r\n")
    assert len(Registry.load(path, known_protocols=KNOWN)) == 1


def test_version_is_of_the_content(tmp_path: Path) -> None:
    other = GOOD.replace("ORG-1", "ORG-2")
    version = load(tmp_path, GOOD, other).version
    assert load(tmp_path, other, GOOD).version == version
    assert load(tmp_path, GOOD.replace("f-1", "f-2"), other).version == version
    assert load(tmp_path, GOOD).version != version
    assert load(tmp_path, GOOD, other, scope=["10.0.0.0/8"]).version != version
    assert len(version) == 64


def test_note_ref_stays_in_its_row() -> None:
    rows, problems = csv_format.read((HEADER + "\n" + GOOD).encode(), name="x")
    assert [problem.kind for problem in problems] == ["reserved"]
    assert rows[0].note_ref == "f-1"
    registry = Registry(rows)
    shown = repr(rows) + repr(registry.entries) + repr(registry.lookup(["192.0.2.1"], at=0))
    assert "f-1" not in shown


def test_ranges_become_prefixes(tmp_path: Path) -> None:
    assert [str(prefix) for prefix in parse_prefixes("192.0.2.1 - 192.0.2.6")] == [
        "192.0.2.1/32",
        "192.0.2.2/31",
        "192.0.2.4/31",
        "192.0.2.6/32",
    ]
    registry = load(tmp_path, GOOD.replace("192.0.2.0/24", "192.0.2.1-192.0.2.6"))
    assert len(registry) == 4
    matches = [found.match for found in registry.lookup([f"192.0.2.{host}" for host in range(8)], at="2024-06-01")]
    assert matches == ["unregistered", *["registered"] * 6, "unregistered"]


def test_scope(tmp_path: Path) -> None:
    registry = load(tmp_path, GOOD, scope=["10.0.0.0/8", "2001:db8::/32"])
    moment = parse_timestamp("2024-06-01")
    assert registry.native.match_flow("192.0.2.1", "8.8.8.8", moment, "ike") == ("out_of_scope", None, "none")
    assert registry.native.match_flow("192.0.2.1", "10.8.8.8", moment, "ike") == ("registered", 0, "src")
    assert not registry.lookup(["192.0.2.1"], at=moment)[0].in_scope
    with pytest.raises(RegistryError, match="host bits are set"):
        load(tmp_path, GOOD, scope=["10.0.0.1/8"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01", 0),
        ("1970-01-01T00:00:01", 1_000_000_000),
        ("1970-01-01 00:01Z", 60_000_000_000),
        ("1970-01-01T03:30:00+03:30", 0),
        ("1969-12-31T19:00:00-05:00", 0),
        ("1969-12-31T23:59:59.999999999Z", -1),
        ("2024-02-29T12:00:00.5Z", 1_709_208_000_500_000_000),
    ],
)
def test_timestamps(text: str, expected: int) -> None:
    assert parse_timestamp(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "20240101",
        "2024-W01-1",
        "2024-1-1",
        "2024-01-01T24:00",
        "2024-01-01T",
        "2024-01-01Z",
        "١٩٧٠-01-01",
        "1600-01-01",
    ],
)
def test_timestamps_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"ISO 8601|no such|outside"):
        parse_timestamp(text)


POLICY = b"""
classes = ["vpn", "covert"]
default_outcome = "review"
[tiers]
violation = "probable"
[pending]
window_hours = 1.5
[[phase]]
name = "trial"
from = 2024-11-20
until = 2024-11-22T12:00:00+02:00
outcome = "violation_trial"
"""


def test_policy_from_toml(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_bytes(POLICY)
    policy = Policy.load(path)
    assert policy.sha256 == hashlib.sha256(POLICY).hexdigest()
    assert policy.options.classes == ("vpn", "covert")
    assert policy.options.violation_tier == "probable"
    assert policy.options.violation_trial_tier == "confirmed"
    (phase,) = policy.options.phases
    assert (phase.start, phase.end) == (parse_timestamp("2024-11-20"), parse_timestamp("2024-11-22T10:00:00Z"))
    submitted = parse_timestamp("2024-11-20")
    window = 5_400_000_000_000
    assert policy.native.judge("vpn", "confirmed", "pending", submitted, submitted + window - 1)[0] == "allow_grace"
    assert policy.native.judge("vpn", "confirmed", "pending", submitted, submitted + window)[0] == "violation_trial"
    assert policy.native.counts("covert")
    assert not policy.native.counts("app")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("clases = ['vpn']", "key 'clases' is not known; the nearest known one is 'classes'"),
        (
            "[tiers]\nviolatoin = 'confirmed'",
            r"\[tiers\]: key 'violatoin' is not known; the nearest known one is 'violation'",
        ),
        ("[pending]\nhours = 3", "the nearest known one is 'window_hours'"),
        ("[pending]\nwindow_hours = -1", "give 0 to 87600"),
        ("[pending]\nwindow_hours = nan", "give 0 to 87600"),
        ("[pending]\nwindow_hours = true", "give a number"),
        ("[pending]\ngrace = 1", "give true or false"),
        ("tiers = 3", "give a table"),
        ("classes = []", "give one or more of"),
        ("classes = ['unknown']", "give one of vpn"),
        ("classes = [{}]", "give one of vpn"),
        ("default_outcome = 'allow'", "give one of allow_grace"),
        ("[tiers]\nviolation = 'none'", "give one of possible"),
        ("phase = [3]", "phase 1: it is not a table"),
        ("[[phase]]\nname = 'a'", "phase 1: the key 'from' is missing"),
        ("[[phase]]\nname = 'a'\nfrom = '2024-11-01'\noutcome = 'review'", "a date or date-time without quotes"),
        ("[[phase]]\nname = 'a'\nfrom = 9999-11-01\noutcome = 'review'", "the years 1678 to 2261"),
        (
            "[[phase]]\nname = 'a'\nfrom = 2024-11-02\nuntil = 2024-11-02\noutcome = 'review'",
            "'until' is not after 'from'",
        ),
        ("[[phase]]\nname = 'a'\nfrom = 2024-11-02\noutcome = 'block'", "give one of allow_grace"),
        ("[[phase]]\nname = ''\nfrom = 2024-11-02\noutcome = 'review'", "give a printable name"),
        (
            "[[phase]]\nname = 'a'\nfrom = 2024-11-02\noutcome = 'review'\n"
            "[[phase]]\nname = 'b'\nfrom = 2024-11-02\noutcome = 'violation'",
            "cover the same time",
        ),
        (
            "[[phase]]\nname = 'a'\nfrom = 2024-11-02\noutcome = 'review'\n"
            "[[phase]]\nname = 'a'\nfrom = 2024-11-03\noutcome = 'violation'",
            "two phases have the name 'a'",
        ),
        ("phase = ]", "not TOML: .*line 1"),
    ],
)
def test_policy_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=reason) as caught:
        Policy.load(path)
    assert str(caught.value).startswith(str(path))


def test_policy_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        Policy.load(tmp_path)
    with pytest.raises(ConfigError, match="not UTF-8"):
        Policy.parse(b"\xff")

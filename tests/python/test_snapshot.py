"""Snapshots: equal to what they were built from, refused when anything of them does not hold; and what changed."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import struct
from pathlib import Path

import pytest
from conftest import ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowclass import _core, snapshot
from flowclass.cli.main import run
from flowclass.errors import OutputError, RegistryError
from flowclass.registry import Registry, RegistryEntry
from flowclass.registry_diff import compare
from flowclass.snapshot import SnapshotSource

SAMPLE = ROOT / "datasets" / "registry" / "sample.csv"
HEADER, SECTION, SECTIONS = 80, 24, 23
SOURCE = SnapshotSource(name="list.csv", sha256="ab" * 32)
HOSTILE = (1, 3, 0xFF, 2**16, 2**30 - 1, 2**31, 2**32 - 1)


def entry(prefix: str, registration_id: str = "ORG-1", status: str = "approved", **facts: object) -> RegistryEntry:
    usual: dict[str, object] = {
        "category": "organization", "protocols": (), "valid_from": None, "valid_until": None, "submitted_at": None,
        "approved_at": None,
    }  # fmt: skip
    return RegistryEntry(prefix=prefix, registration_id=registration_id, status=status, **{**usual, **facts})


def small() -> Registry:
    return Registry.of_entries(
        [
            entry("192.0.2.0/24", protocols=("ike", "wireguard"), valid_from=1, valid_until=2**62),
            entry("192.0.2.7/32", "FRL-é", "pending", category="freelancer: Übersetzung", submitted_at=5),
            *(entry(f"198.51.{third}.0/24", f"ORG-{third}") for third in range(0, 60, 2)),
            entry("2001:db8::/32", "ORG-3", "revoked"),
            entry("2001:db8:0:1::/64", "ORG-3"),
        ]
    )


@pytest.fixture(scope="module")
def octets(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("snapshot") / "small.fcr"
    small().save(path, built_at=1_700_000_000_000_000_000, sources=[SOURCE])
    return path.read_bytes()


def sealed(body: bytes | bytearray) -> bytes:
    """Give a body its right hash, so that what is inside is looked at."""
    return bytes(body) + hashlib.sha256(body).digest()


def aligned(octets: bytes) -> memoryview:
    """Give octets at an address that a map has too."""
    return memoryview(octets + bytes(-len(octets) % 8)).cast("B")[: len(octets)]


@st.composite
def entries(draw: st.DrawFn) -> list[RegistryEntry]:
    found = []
    moment = st.none() | st.integers(-(2**62), 2**62)
    for _ in range(draw(st.integers(0, 12))):
        version = draw(st.sampled_from((4, 6)))
        width = 32 if version == 4 else 128
        length = draw(st.integers(0, width))
        bits = draw(st.integers(0, 2**length - 1)) << (width - length)
        kind = ipaddress.IPv4Network if version == 4 else ipaddress.IPv6Network
        valid_from, valid_until = draw(moment), draw(moment)
        if valid_from is not None and valid_until is not None and valid_from >= valid_until:
            valid_until = None
        found.append(
            entry(
                str(kind((bits, length))),
                draw(st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)),
                draw(st.sampled_from(("pending", "approved", "rejected", "suspended", "revoked"))),
                protocols=tuple(sorted(draw(st.sets(st.sampled_from(("ike", "openvpn", "wireguard")))))),
                valid_from=valid_from,
                valid_until=valid_until,
                submitted_at=draw(moment),
                approved_at=draw(moment),
            )
        )
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entries(), st.lists(st.sampled_from(("10.0.0.0/8", "2001:db8::/32", "::ffff:1.2.3.0/120")), unique=True))
def test_round_trip(tmp_path: Path, listed: list[RegistryEntry], scope: list[str]) -> None:
    built = Registry.of_entries(listed, scope=scope)
    path = tmp_path / "r.fcr"
    built.save(path, built_at=7, sources=[SOURCE])
    loaded = Registry.load(path)
    assert (loaded.entries, loaded.scope, loaded.version) == (built.entries, built.scope, built.version)
    assert Registry.of_entries(loaded.entries, scope=loaded.scope).version == built.version
    assert loaded.snapshot is not None
    assert (loaded.snapshot.built_at, loaded.snapshot.sources) == (7, (SOURCE,))
    networks = [ipaddress.ip_network(one.prefix) for one in listed]
    probes = [network[end] for network in networks for end in (0, -1)]
    probes += [ipaddress.ip_address("10.1.2.3"), ipaddress.ip_address("2001:db8::1")]
    for protocol in ("", "ike"):
        assert loaded.lookup(probes, at=0, protocol=protocol) == built.lookup(probes, at=0, protocol=protocol)
    before = path.read_bytes()
    loaded.save(path, built_at=7, sources=[SOURCE])
    assert path.read_bytes() == before
    assert loaded.lookup(probes, at=0) == built.lookup(probes, at=0), "the replaced file is still mapped"


def test_every_octet_counts(octets: bytes, tmp_path: Path) -> None:
    path = tmp_path / "r.fcr"
    path.write_bytes(octets)
    assert Registry.load(path).entries == small().entries
    # Every octet but those of the tree's first level, which are many and alike: of these one in 512.
    root, words = struct.unpack_from("<QQ", octets, HEADER + SECTION * 20 + 8)
    nodes = root + max(0, 4 * words - 1024)
    for place in (place for place in range(len(octets)) if not root <= place < nodes or place % 512 == 0):
        flipped = bytearray(octets)
        flipped[place] ^= 1 << place % 8
        with pytest.raises(RegistryError, match=r"r\.fcr: the registry snapshot is refused and nothing of it used"):
            snapshot._verified(path, memoryview(flipped))
        if place % 256 == 0:
            path.write_bytes(flipped)
            with pytest.raises(RegistryError, match="nothing of it used"):
                Registry.load(path)


def test_cut_at_every_length(octets: bytes, tmp_path: Path) -> None:
    view = aligned(octets)
    for length in range(len(octets)):
        if length % 8 and 8192 < length < len(octets) - 1024:
            continue
        assert _core.Registry.snapshot_defect(view[:length]) is not None
    for length in (*range(0, HEADER + SECTION * SECTIONS + 64, 7), len(octets) - 33, len(octets) - 32, len(octets) - 1):
        with pytest.raises(ValueError, match=r"."):
            _core.Registry.open(view[:length])
        path = tmp_path / "r.fcr"
        path.write_bytes(octets[:length])
        with pytest.raises(RegistryError, match="refused and nothing of it used"):
            Registry.load(path)
    (tmp_path / "long.fcr").write_bytes(octets + b"\0")
    with pytest.raises(RegistryError, match=f"it has {len(octets) + 1} octets, its header says {len(octets)}"):
        Registry.load(tmp_path / "long.fcr")


@pytest.mark.parametrize(
    ("place", "value", "why"),
    [
        (0, b"PK", "does not begin as a registry snapshot does"),
        (8, b"\2", r"format is version 2\.\d+, this program reads 1\."),
        (12, b"\xee", r"format is version 1\.238"),
        (24, b"\xff\xff\xff\xff", "number of sections or entries|different lengths"),
        (72, b"\x18", "number of sections"),
    ],
)
def test_header(octets: bytes, tmp_path: Path, place: int, value: bytes, why: str) -> None:
    body = bytearray(octets[:-32])
    body[place : place + len(value)] = value
    path = tmp_path / "r.fcr"
    path.write_bytes(sealed(body))
    with pytest.raises(RegistryError, match=why):
        Registry.load(path)


def test_hostile_sections(octets: bytes, tmp_path: Path) -> None:
    """Numbers, element sizes, offsets and counts that lead outside or onto each other, with a right hash."""
    path = tmp_path / "r.fcr"
    for section in range(SECTIONS):
        at = HEADER + SECTION * section
        for field, form, values in (
            (0, "<I", (0, section + 2)),
            (4, "<I", (0, 3, 2**32 - 1)),
            (8, "<Q", (0, HEADER, 2**63, 2**64 - 64, len(octets) - 31)),
            (16, "<Q", (2**32, 2**61, 2**64 - 1, len(octets))),
        ):
            for value in values:
                body = bytearray(octets[:-32])
                struct.pack_into(form, body, at + field, value)
                with pytest.raises(ValueError, match=r"."):
                    _core.Registry.open(aligned(bytes(body) + bytes(32)))
    path.write_bytes(sealed(body))
    with pytest.raises(RegistryError, match="section 23 does not lie within the file"):
        Registry.load(path)


@pytest.mark.parametrize("number", [1, 3, 4, 5, 6, 7, 14, 15, 16, 17, 19, 20, 21])
def test_hostile_numbers_inside(octets: bytes, number: int) -> None:
    """No element of a section that names something may name what is not there; what passes answers from within."""
    size, offset, count = struct.unpack_from("<IQQ", octets, HEADER + SECTION * (number - 1) + 4)
    words = range(count * size // 4)
    refused = 0
    for word in (*words[:60], *words[60:][-60:]):
        for value in HOSTILE:
            body = bytearray(octets)
            struct.pack_into("<I", body, offset + 4 * word, value)
            try:
                registry, *_ = _core.Registry.open(aligned(bytes(body)))
            except ValueError:
                refused += 1
                continue
            for address in ("192.0.2.7", "198.51.2.1", "198.51.59.255", "2001:db8:0:1::1", "::"):
                assert all(index < len(registry) for index in registry.covering(address))
                registry.match_address(address, 0, "ike")
            assert all(registry.entry(index)[0] is not None for index in range(len(registry)))
    assert refused > 0


def test_other_files(tmp_path: Path) -> None:
    for name, content in (("empty.fcr", b""), ("text.fcr", b"registration_id,category\n")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(RegistryError, match=rf"{name}: the registry snapshot is refused"):
            Registry.load(tmp_path / name)
    (tmp_path / "folder.fcr").mkdir()
    os.mkfifo(tmp_path / "pipe.fcr")
    for name in ("folder.fcr", "pipe.fcr", "none.fcr"):
        with pytest.raises(RegistryError, match=name):
            Registry.load(tmp_path / name)


def test_recognised_by_content_and_has_its_own_scope(octets: bytes, tmp_path: Path) -> None:
    (tmp_path / "anything").write_bytes(octets)
    assert Registry.load(tmp_path / "anything").version == small().version
    with pytest.raises(RegistryError, match="a snapshot has its own scope"):
        Registry.load(tmp_path / "anything", scope=["10.0.0.0/8"])


def test_appears_complete_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        small().save(tmp_path / "none" / "r.fcr", built_at=0)
    with pytest.raises(RegistryError, match="more than 4096 octets"):
        small().save(tmp_path / "r.fcr", built_at=0, sources=[SnapshotSource(name="n" * 5000, sha256="00" * 32)])
    assert list(tmp_path.iterdir()) == []


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scope, out = tmp_path / "scope.txt", tmp_path / "r.fcr"
    scope.write_text("# ours\n203.0.113.0/24\n\n2001:db8::/32  # and this\n")
    build = ["registry", "build", str(SAMPLE), "-o", str(out), "--scope", str(scope), "--built-at", "2026-11-24"]
    assert run([*build, "--json"]) == 0
    built = json.loads(capsys.readouterr().out)
    first = out.read_bytes()
    assert run(build) == 0
    assert out.read_bytes() == first, "the same sources give the same octets"
    capsys.readouterr()
    assert run(["registry", "show", str(out), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["registry_version"] == built["registry_version"] == Registry.load(out).version
    assert shown["snapshot"]["sources"] == [
        {"name": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for path in (SAMPLE, scope)
    ]
    assert shown["scope"] == ["2001:db8::/32", "203.0.113.0/24"]
    assert run(["registry", "show", str(out)]) == 0
    assert "built at      2026-11-24T00:00:00Z" in capsys.readouterr().out
    assert run(["registry", "lookup", "203.0.113.51", "--registry", str(out), "--at", "2026-11-23T20:50:00Z"]) == 0
    assert "registered by ORG-2026-0019" in capsys.readouterr().out
    assert run(["registry", "build", str(SAMPLE), str(SAMPLE), "-o", str(out)]) == 5
    assert "stands in" in capsys.readouterr().err
    assert out.read_bytes() == first, "the old one is kept"
    out.write_bytes(first[:-1])
    assert run(["registry", "show", str(out)]) == 5
    assert "nothing of it used" in capsys.readouterr().err


def test_changed_registry(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = Registry.of_entries([entry("10.0.0.0/24"), entry("10.0.1.0/24", "B"), entry("10.0.0.5/32", "C")])
    new = Registry.of_entries(
        [entry("10.0.0.0/24", status="revoked"), entry("10.0.1.128/25", "B"), entry("2001:db8::/127", "D"),
         entry("10.0.0.5/32", "C")], scope=["10.0.0.0/8"],
    )  # fmt: skip
    found = compare(old, new)
    assert [one.prefix for one in found.gained] == ["10.0.1.128/25", "2001:db8::/127"]
    assert [one.prefix for one in found.lost] == ["10.0.1.0/24"]
    assert [(change.old.prefix, change.fields) for change in found.changed] == [("10.0.0.0/24", ("status",))]
    four, six = found.listed
    assert (four.gained, four.lost, four.addresses_lost) == ((), ("10.0.1.0/25",), 128)
    assert (six.gained, six.addresses_gained) == (("2001:db8::/127",), 2)
    assert found.approved[0].addresses_lost == 128 + 255
    assert found.scope_gained == ("10.0.0.0/8",)
    old.save(tmp_path / "old.fcr", built_at=0)
    new.save(tmp_path / "new.fcr", built_at=0)
    assert run(["registry", "diff", str(tmp_path / "old.fcr"), str(tmp_path / "new.fcr"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["space"]["approved"][0]["addresses_lost"] == "383"
    assert told["changed"][0]["fields"] == ["status"]
    assert run(["registry", "diff", str(tmp_path / "old.fcr"), str(tmp_path / "new.fcr")]) == 0
    assert "~ 10.0.0.0/24 ORG-1: status approved -> revoked" in capsys.readouterr().out


@st.composite
def narrow(draw: st.DrawFn) -> list[RegistryEntry]:
    """Prefixes among the last 64 IPv4 addresses."""
    found = []
    for _ in range(draw(st.integers(0, 6))):
        length = draw(st.integers(26, 32))
        last = draw(st.integers(0, 2 ** (length - 26) - 1)) << (32 - length)
        found.append(entry(str(ipaddress.IPv4Network((0xFFFFFFC0 | last, length)))))
    return found


@settings(max_examples=100, deadline=None)
@given(narrow(), narrow())
def test_space_equals_sets_of_addresses(old: list[RegistryEntry], new: list[RegistryEntry]) -> None:
    found = compare(Registry.of_entries(old), Registry.of_entries(new)).listed[0]

    def addresses(prefixes: list[str]) -> set[int]:
        return {int(address) for prefix in prefixes for address in ipaddress.ip_network(prefix)}

    before, after = addresses([one.prefix for one in old]), addresses([one.prefix for one in new])
    assert addresses(list(found.gained)) == after - before
    assert addresses(list(found.lost)) == before - after
    assert (found.addresses_gained, found.addresses_lost) == (len(after - before), len(before - after))

"""The C ABI from Python by ctypes: the same rows, counters, verdicts and judgements as through the package."""

from __future__ import annotations

import ctypes as c
import ipaddress
import json
import random
from collections.abc import Iterator
from pathlib import Path

import capi
import pyarrow as pa
import pytest
from conftest import ROOT, _missing

import flowclass
from flowclass import _core
from flowclass.engine import Engine
from flowclass.policy import Policy
from flowclass.registry import Registry
from flowclass.schema import arrow_schema
from flowclass.vectors.read import Case, read_cases
from flowclass.version import __version__

VECTORS = sorted((ROOT / "tests" / "vectors" / "fingerprint").glob("*.toml"))
CLASSES = ("unknown", "vpn", "overlay", "proxy", "covert", "app")
TIERS = ("none", "possible", "probable", "confirmed")
OUTCOMES = ("not_applicable", "allow", "allow_grace", "review", "violation_trial", "violation")
# What says how much memory was in use, not what was found.
MEMORY = ("table_bytes", "head_bytes", "evidence_bytes")


@pytest.fixture(scope="module")
def library() -> capi.Library:
    path = capi.library_path()
    if not path.exists():
        _missing("capi", f"no {path}: `make test-native` builds it")
    return capi.Library(path)


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.load(ROOT / "datasets" / "registry" / "sample.csv")


@pytest.fixture(scope="module")
def snapshot(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("capi") / "sample.fcr"
    registry.save(path, built_at=1_700_000_000_000_000_000)
    return path


@pytest.fixture
def opened(library: capi.Library, snapshot: Path) -> Iterator[c.c_void_p]:
    handle = library.open("registry", str(snapshot).encode(), c.c_uint32(0))
    yield handle
    library.close("registry", handle)


def address(text: str) -> capi.Address:
    found = ipaddress.ip_address(text)
    return capi.Address(found.version, (c.c_uint8 * 16)(*found.packed))


def text(word: str) -> capi.Text:
    octets = word.encode()
    holder = c.create_string_buffer(octets)
    out = capi.Text(c.addressof(holder), len(octets))
    out.holder = holder  # it lives as long
    return out


def compiled(library: capi.Library, policy: Policy) -> c.c_void_p:
    """Give the policy of a file in the form that C takes."""
    options = capi.PolicyOptions(struct_size=c.sizeof(capi.PolicyOptions))
    library.call("policy_options_init", c.byref(options))
    given = policy.options
    options.classes = sum(1 << CLASSES.index(name) for name in given.classes)
    options.default_outcome = OUTCOMES.index(given.default_outcome)
    options.violation_tier = TIERS.index(given.violation_tier)
    options.violation_trial_tier = TIERS.index(given.violation_trial_tier)
    options.review_tier = TIERS.index(given.review_tier)
    options.pending_grace = given.pending_grace
    options.pending_window_ns = round(given.pending_window_hours * 3600 * 10**9)
    names = [text(phase.name) for phase in given.phases]
    options.phases = (capi.Phase * len(names))(
        *(
            capi.Phase(name, phase.start, 2**63 - 1 if phase.end is None else phase.end, OUTCOMES.index(phase.outcome))
            for name, phase in zip(names, given.phases, strict=True)
        )
    )
    options.phase_count = len(names)
    assert not given.exemptions
    return library.open("policy", c.byref(options))


def through_python(engine: Engine, octets: bytes, name: str) -> pa.Table:
    engine.begin_source(name)
    engine.push(octets)
    engine.end_source()
    return pa.Table.from_batches(engine.poll() + engine.finish(), arrow_schema(features=True))


def same(table: pa.Table, reference: pa.Table) -> None:
    assert table.schema.names == reference.schema.names
    for name in table.schema.names:
        assert table.schema.field(name).type == reference.schema.field(name).type, name
        if name == "policy_version":  # policies are no files there
            assert table.column(name).null_count == table.num_rows
            continue
        assert table.column(name).to_pylist() == reference.column(name).to_pylist(), name


def test_version(library: capi.Library) -> None:
    assert library.word("version") == __version__
    assert library.word("schema_version") == _core.SCHEMA_VERSION


def test_same_rows_and_counters_as_through_python(
    library: capi.Library, captures: Path, opened: c.c_void_p, registry: Registry
) -> None:
    policy = Policy.load(ROOT / "datasets" / "registry" / "policy.toml")
    handle = compiled(library, policy)
    options = flowclass.EngineOptions(features=True)
    rows = 0
    judged: set[str] = set()
    files = sorted(path for path in captures.iterdir() if ".pcap" in path.name)
    assert len(files) > 100
    for number, path in enumerate(files):
        reference = Engine(options, registry=registry, policy=policy)
        expected = through_python(reference, path.read_bytes(), path.name)
        engine = library.engine(registry=opened, policy=handle, flags=7 | 16, threads=1 + number % 2)
        library.push_file(engine, path.read_bytes(), path.name, chunk=(1 << 20, 4096, 333)[number % 3])
        library.call("finish", engine)
        counters = json.loads(library.counters(engine))
        table = library.table(engine)
        library.close("engine", engine)
        same(table, expected)
        told = json.loads(json.dumps(reference.counters()))
        assert told.pop("user_faults") == {}  # of functions that C has none of
        for name in MEMORY:
            assert (counters.pop(name) > 0) == (told.pop(name) > 0)
        if number % 2:  # two threads have their own tables each
            assert counters.pop("peak_flows") <= 2 * told.pop("peak_flows")
        assert counters == told, path
        rows += table.num_rows
        judged.update(table.column("policy_outcome").to_pylist())
    library.close("policy", handle)
    assert rows > 500
    assert {"violation", "violation_trial", "not_applicable"} <= judged


def test_other_judges(library: capi.Library, captures: Path, opened: c.c_void_p, registry: Registry) -> None:
    """What has ended keeps its judges; what ends later is judged by the others, or by none."""
    policy = Policy.load(ROOT / "datasets" / "registry" / "policy.toml")
    handle = compiled(library, policy)
    octets = (captures / "openvpn-udp-1194-plain.pcap").read_bytes()
    engine, reference = library.engine(flags=7 | 16), Engine(flowclass.EngineOptions(features=True))
    for judges, other in (((None, None), (None, None)), ((opened, handle), (registry, policy))):
        library.call("set_judges", engine, *judges)
        reference.set_judges(*other)
        library.push_file(engine, octets, "a", 4096)
        reference.begin_source("a")
        reference.push(octets)
        reference.end_source()
        far = c.c_int64(2**62 if judges[0] else 1_796_000_000 * 10**9)
        library.call("advance", engine, far)
        reference.advance(far.value)
    library.call("finish", engine)
    table = library.table(engine)
    with pytest.raises(RuntimeError):
        library.call("set_judges", engine, None, None)  # it is finished
    library.close("engine", engine)
    again = library.engine()
    with pytest.raises(RuntimeError):
        library.call("set_judges", again, None, handle)
    library.close("engine", again)
    library.close("policy", handle)
    same(table, pa.Table.from_batches(reference.poll() + reference.finish(), arrow_schema(features=True)))
    assert table.column("registry_version").to_pylist() == [None, registry.version[:12]]
    assert table.column("policy_outcome").null_count == 1


def test_packets(library: capi.Library, captures: Path) -> None:
    """The frames of a little-endian pcap file pushed one by one are the flows of the file."""
    octets = (captures / "ikev2-psk-nat.pcap").read_bytes()
    engine = library.engine(flags=7 | 16)
    library.call("begin_source", engine, b"ring", c.c_size_t(4))
    at, number = 24, 0
    link_type = int.from_bytes(octets[20:24], "little")
    unit = {0xA1B2C3D4: 1000, 0xA1B23C4D: 1}[int.from_bytes(octets[:4], "little")]
    while at < len(octets):
        seconds, part, captured, length = (int.from_bytes(octets[at + i : at + i + 4], "little") for i in (0, 4, 8, 12))
        frame = octets[at + 16 : at + 16 + captured]
        number += 1
        packet = capi.Packet(seconds * 10**9 + part * unit, frame, captured, length)
        library.call("push_packets", engine, link_type, c.byref(packet), c.c_size_t(1), c.c_uint64(number))
        at += 16 + captured
    library.call("finish", engine)
    table = library.table(engine)
    library.close("engine", engine)
    assert number > 10
    same(table, through_python(Engine(flowclass.EngineOptions(features=True)), octets, "ring"))


def test_stream_outlives_engine_and_is_freed_unread(library: capi.Library, captures: Path) -> None:
    for _ in range(3):
        engine = library.engine()
        library.push_file(engine, (captures / "dns-udp.pcap").read_bytes(), "x", 1 << 20)
        library.call("finish", engine)
        stream = capi.ArrowArrayStream()
        library.call("poll_stream", engine, c.byref(stream))
        library.close("engine", engine)
        reader = pa.RecordBatchReader._import_from_c(c.addressof(stream))
        del reader


def describe(library: capi.Library, found: capi.Match) -> dict[str, object]:
    """Give what _core.match_payloads gives, without what only it has."""
    out: dict[str, object] = {
        "tier": library.word("tier_name", found.tier),
        "checks": [
            {
                "rule": str(check.rule), "packet": check.packet, "time": check.time, "offset": check.offset,
                "length": check.length, "direction": check.direction, "bits": check.bits,
            }
            for check in found.checks[: found.check_count]
        ],
        "alternatives": [str(other.protocol) for other in found.alternatives[: found.alternative_count]],
        "server_name": found.server_name.decode() or None,
        "alpn": found.alpn.decode() or None,
        "ja4": found.ja4.decode() or None,
    }  # fmt: skip
    if str(found.protocol):
        out |= {
            "protocol": str(found.protocol), "variant": str(found.variant) or None, "bits": found.bits,
            "initiator": {-1: 0, 0: 1, 1: 2}[found.initiator],
        }  # fmt: skip
    return out


def payloads_of(case: Case) -> list[capi.Payload]:
    rows, now, sequence = [], case.time_ns, [0, 0]
    for packet in case.packets:
        now += packet.gap_ns
        side = packet.direction
        rows.append(capi.Payload(now, packet.octets, len(packet.octets), packet.length, sequence[side], side))
        sequence[side] += packet.length
    return rows


@pytest.mark.parametrize("path", VECTORS, ids=[path.stem for path in VECTORS])
def test_match_head(library: capi.Library, path: Path) -> None:
    matcher = library.open("matcher")
    for case in read_cases(path):
        payloads = payloads_of(case)
        if not all(payload.wire_length >= max(payload.captured, 1) for payload in payloads):
            continue  # no packet is like that, and C says so
        head = capi.Head(ip_proto=case.ip_proto, src_port=case.src_port, dst_port=case.dst_port)
        head.syn_seen[:] = (case.from_start, case.from_start)
        expected = case.match()
        expected["alternatives"] = [other["protocol"] for other in expected["alternatives"]]
        del expected["faults"]  # of users' functions, of which C has none
        assert describe(library, library.match(matcher, head, payloads)) == expected, case.name
    library.close("matcher", matcher)


def test_registry_in_bulk(library: capi.Library, opened: c.c_void_p, registry: Registry) -> None:
    numbers = random.Random(7)
    near = [entry.prefix.split("/")[0] for entry in registry.entries]
    far = [str(ipaddress.ip_address(numbers.getrandbits(32))) for _ in range(50)]
    rows = [
        (numbers.choice(near + far), numbers.choice(near + far), numbers.randrange(1_500, 2_000) * 10**15, protocol)
        for protocol in ("", "ike", "wireguard", "openvpn")
        for _ in range(250)
    ]
    rows = [row for row in rows if (":" in row[0]) == (":" in row[1])]
    words = [text(protocol) for *_, protocol in rows]
    queries = (capi.Query * len(rows))(
        *(
            capi.Query(address(src), address(dst), time, word)
            for (src, dst, time, _), word in zip(rows, words, strict=True)
        )
    )
    answers = (capi.Answer * len(rows))()
    library.call("registry_match", opened, queries, c.c_size_t(len(rows)), answers)
    found = [
        (
            library.word("registry_match_name", answer.match),
            None if answer.entry == 2**32 - 1 else answer.entry,
            library.word("end_name", answer.end),
        )
        for answer in answers
    ]
    assert found == [registry.native.match_flow(*row) for row in rows]
    assert len({match for match, *_ in found}) > 3


def test_damaged_snapshot_is_refused(library: capi.Library, snapshot: Path, tmp_path: Path) -> None:
    octets = bytearray(snapshot.read_bytes())
    octets[-100] ^= 1
    damaged = tmp_path / "damaged.fcr"
    damaged.write_bytes(octets)
    with pytest.raises(RuntimeError, match="SHA-256"):
        library.open("registry", str(damaged).encode(), c.c_uint32(0))

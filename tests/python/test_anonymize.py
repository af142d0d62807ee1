"""Anonymised runs: the reference's vectors, prefixes kept, no address left anywhere, and what is refused."""

from __future__ import annotations

import json
import os
import pickle
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from capture_files import exchange, pcap
from community_id import community_id
from conftest import Command
from hypothesis import given
from hypothesis import strategies as st

import flowclass
from flowclass import ConfigError, CryptoPan, EngineOptions, SchemaError, _core
from flowclass.anonymize import ADDRESSES, DROPPED, EMPTIED, FLOW_IDS, fingerprint_in
from flowclass.schema import arrow_schema

# From the sample trace of the reference implementation (2005); the last two of it are computed.
REFERENCE = bytes.fromhex("1522178d33a4cf80130a5b1649907d10d8988f837979652762574c2d2a842202")
SECOND = b"32-char-str-for-AES-key-and-pad."
VECTORS = {
    "128.11.68.132": "135.242.180.132",
    "129.118.74.4": "134.136.186.123",
    "130.132.252.244": "133.68.164.234",
    "141.223.7.43": "141.167.8.160",
    "24.5.0.80": "100.9.15.210",
    "24.13.62.231": "100.2.192.247",
    "208.234.120.210": "227.154.67.17",
    "209.238.72.3": "226.6.119.243",
    "10.0.0.1": "117.15.0.1",
    "0.0.0.0": "120.255.240.1",
}
CHANGED = {*ADDRESSES, *FLOW_IDS, *EMPTIED, *DROPPED, "community_id", "source_file"}
KEPT = {
    "time_start", "time_end", "duration_ns", "src_port", "dst_port", "ip_proto", "vlan_id", "inner_vlan_id", "encap",
    "packets_fwd", "packets_rev", "bytes_fwd", "bytes_rev", "payload_bytes_fwd", "payload_bytes_rev",
    "truncated_packets", "tcp_flags_fwd", "tcp_flags_rev", "conn_state", "end_reason", "segment", "direction_basis",
    "observed_directions", "protocol", "protocol_class", "variant", "tier", "evidence_bits", "evidence",
    "alternatives", "alpn", "ja4", "registry_match", "registration_id", "matched_end", "policy_outcome",
    "policy_phase", "policy_reason", "registry_version", "policy_version", "packet_first", "packet_last",
}  # fmt: skip
PAN = CryptoPan(REFERENCE)
HIDDEN = EngineOptions(anonymize=PAN)


@pytest.fixture(scope="module")
def judged(captures: Path) -> dict[str, Path]:
    """Give registry and policy that fit our captures."""
    folder = captures.parent / "registry"
    return {"registry": folder / "sample.csv", "policy": folder / "policy.toml"}


@pytest.fixture(scope="module")
def plain(captures: Path, judged: dict[str, Path]) -> pa.Table:
    return flowclass.classify(captures, **judged).to_pyarrow()


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_bytes(REFERENCE)
    path.chmod(0o600)
    return path


def addresses_of(table: pa.Table) -> set[str]:
    return {address for name in ADDRESSES for address in table.column(name).to_pylist()}


def shared_bits(one: str, other: str) -> int:
    left, right = ip_address(one), ip_address(other)
    return left.max_prefixlen - (int(left) ^ int(right)).bit_length()


@pytest.mark.parametrize(("address", "expected"), VECTORS.items())
def test_vectors_of_the_reference(address: str, expected: str) -> None:
    assert PAN.address(address) == expected


def test_vectors_of_the_second_key() -> None:
    pan = CryptoPan(SECOND)
    assert pan.address("192.0.2.1") == "192.0.125.244"
    assert pan.address("2001:db8::1") == "27fe:8bc7:fee:1e:1e1f:f0fe:f0e1:83fd"


V4 = st.integers(0, 2**32 - 1)
V6 = st.integers(0, 2**128 - 1)


@given(V4, V4, st.integers(0, 32))
def test_ipv4_prefixes_are_kept(one: int, other: int, share: int) -> None:
    mixed = one >> (32 - share) << (32 - share) | other & ((1 << (32 - share)) - 1)
    left, right = str(IPv4Address(one)), str(IPv4Address(mixed))
    assert shared_bits(str(PAN.address(left)), str(PAN.address(right))) == shared_bits(left, right)


@given(V6, V6, st.integers(0, 128))
def test_ipv6_prefixes_are_kept(one: int, other: int, share: int) -> None:
    mixed = one >> (128 - share) << (128 - share) | other & ((1 << (128 - share)) - 1)
    left, right = str(IPv6Address(one)), str(IPv6Address(mixed))
    assert shared_bits(str(PAN.address(left)), str(PAN.address(right))) == shared_bits(left, right)


def test_every_column_is_decided_on() -> None:
    """A new column must be put here: it is kept, or it gives an address away."""
    assert set(arrow_schema(heads=True).names) == CHANGED | KEPT
    assert not CHANGED & KEPT


@pytest.mark.parametrize("threads", [1, 3])
def test_the_other_columns_stay(plain: pa.Table, captures: Path, judged: dict[str, Path], threads: int) -> None:
    hidden = flowclass.classify(captures, **judged, threads=threads, options=HIDDEN).to_pyarrow()
    assert hidden.schema == plain.schema
    for name in KEPT:
        assert hidden.column(name).to_pylist() == plain.column(name).to_pylist(), name
    for name in ADDRESSES:
        expected = [PAN.address(address) for address in plain.column(name).to_pylist()]
        assert hidden.column(name).to_pylist() == expected
        assert any(":" in address for address in expected)
    for name in EMPTIED:
        assert plain.column(name).null_count < plain.num_rows
        assert hidden.column(name).null_count == hidden.num_rows
    assert hidden.column("source_file").to_pylist()[0] == "source-1"


def test_community_id_is_of_the_anonymised_addresses(plain: pa.Table, captures: Path) -> None:
    hidden = flowclass.classify(captures, options=HIDDEN).to_pyarrow()
    counted = 0
    for row in hidden.to_pylist():
        if row["ip_proto"] in (6, 17):
            ends = (row["src_ip"], row["dst_ip"], row["ip_proto"], row["src_port"], row["dst_port"])
            assert row["community_id"] == community_id(*ends)
            counted += 1
    assert counted > 100
    assert not set(hidden.column("community_id").to_pylist()) & set(plain.column("community_id").to_pylist())


def test_flow_ids_are_keyed_and_lead_to_each_other(plain: pa.Table, captures: Path) -> None:
    def named(pan: CryptoPan) -> list[dict[str, Any]]:
        table = flowclass.classify(captures, options=EngineOptions(anonymize=pan)).to_pyarrow()
        rows: list[dict[str, Any]] = table.select(list(FLOW_IDS)).to_pylist()
        return rows

    one, again, other = named(PAN), named(CryptoPan(REFERENCE)), named(CryptoPan(SECOND))
    assert one == again
    ids, ids_of_other = ({row["flow_id"] for row in rows} for rows in (one, other))
    known = set(plain.column("flow_id").to_pylist())
    assert len(ids) == len(known)
    assert not ids & ids_of_other
    assert not ids & known
    linked = {row["linked_flow_id"] for row in one} - {None}
    assert linked
    assert linked <= ids
    mapping = dict(zip(plain.column("flow_id").to_pylist(), (row["flow_id"] for row in one), strict=True))
    for name in ("parent_flow_id", "linked_flow_id"):
        expected = [mapping.get(value) for value in plain.column(name).to_pylist()]
        assert [row[name] for row in one] == expected


def test_finished_records_are_anonymised_as_a_run_is(captures: Path) -> None:
    for capture in ("openvpn-udp-1194-plain.pcap", "https-tls13-ipv6.pcap", "icmp.pcap"):
        expected = flowclass.classify(captures / capture, options=HIDDEN).to_pyarrow()
        records = flowclass.classify(captures / capture, options=EngineOptions(heads=True)).to_pyarrow()
        made = pa.Table.from_batches(PAN.records(records.to_batches(max_chunksize=2)))
        assert made.schema == expected.schema
        for name in expected.schema.names:
            values = expected.column(name).to_pylist()
            if name == "community_id":
                kinds = expected.column("ip_proto").to_pylist()
                values = [None if kind in (1, 58) else value for kind, value in zip(kinds, values, strict=True)]
            assert made.column(name).to_pylist() == values, (capture, name)


def test_match_anonymises_too(captures: Path) -> None:
    capture = captures / "openvpn-udp-1194-plain.pcap"
    kept = flowclass.classify(capture, options=EngineOptions(heads=True)).to_pyarrow()
    again = flowclass.match(kept, anonymize=PAN).read_all()
    expected = flowclass.classify(capture, options=HIDDEN).to_pyarrow()
    assert again.schema == arrow_schema()
    assert again.to_pylist() == expected.to_pylist()


@pytest.mark.parametrize("form", ["parquet", "arrow", "jsonl", "csv"])
def test_no_address_in_any_octet_written(
    form: str, plain: pa.Table, captures: Path, key_file: Path, flowclass_command: Command
) -> None:
    """Not as text, not in network order; nor the names of hosts, files and flows; nor the key."""
    judged, tmp_path = captures.parent / "registry", key_file.parent
    folder = tmp_path / "sources-198.51.100.20"
    folder.mkdir()
    for capture in captures.glob("*.pcap*"):
        (folder / capture.name).symlink_to(capture)
    out = tmp_path / f"flows.{form}"
    options = ["--registry", judged / "sample.csv", "--policy", judged / "policy.toml", "-o", out]
    ended = flowclass_command("classify", folder, *options, "--anonymize", "cryptopan", "--key-file", key_file)
    assert ended.code == 0, ended.err
    assert f"key {PAN.fingerprint}" in ended.err
    written = out.read_bytes()
    if form == "parquet":  # pages are compressed: their values, and the statistics beside them
        metadata = pq.read_metadata(out)
        columns = [metadata.row_group(0).column(place) for place in range(metadata.num_columns)]
        limits = [(one.statistics.min, one.statistics.max) for one in columns if one.is_stats_set]
        written += json.dumps(pq.read_table(out).to_pylist(), default=str).encode() + str(limits).encode()
    found = addresses_of(plain) - {"::"}  # nobody's address, and two colons are in many a text
    assert len(found) > 20

    for address in found:
        assert address.encode() not in written, address
        if ":" in address:
            assert ip_address(address).packed not in written, address
    gone = {name for column in (*FLOW_IDS, *EMPTIED, "community_id") for name in plain.column(column).to_pylist()}
    for name in gone - {None}:
        assert name.encode() not in written, name
    assert b"198.51.100.20" not in written
    assert b".pcap" not in written
    assert REFERENCE not in written
    assert REFERENCE.hex().encode() not in written.lower()


def test_a_file_says_how_it_was_anonymised(
    captures: Path, key_file: Path, tmp_path: Path, flowclass_command: Command
) -> None:
    out = tmp_path / "flows.parquet"
    options = ["--anonymize", "cryptopan", "--key-file", key_file]
    ended = flowclass_command("classify", captures / "ntp.pcap", "-o", out, "--json", *options)
    assert json.loads(ended.out)["anonymized"] == {"method": "cryptopan", "key": PAN.fingerprint}
    metadata = pq.read_schema(out).metadata
    assert metadata[b"flowclass.anonymized"] == b"cryptopan"
    assert fingerprint_in(metadata) == PAN.fingerprint != CryptoPan(SECOND).fingerprint
    flow = pq.read_table(out).column("flow_id").to_pylist()[0]
    told = flowclass_command("explain", flow, "--in", out)
    assert told.code == 0
    assert f"the addresses are anonymised (Crypto-PAn, key {PAN.fingerprint}): the packets cannot be found" in told.out
    asked = flowclass_command("explain", flow, "--in", out, "--pcap", captures / "ntp.pcap", "--no-tshark")
    assert asked.code == 3
    assert "cannot be found in a capture" in asked.out
    assert "give the capture with --pcap" not in told.out + asked.out
    refused = flowclass_command("match", out)
    assert refused.code == 4
    assert f"anonymised already (key {PAN.fingerprint})" in refused.err


def test_match_on_the_command_line(captures: Path, key_file: Path, tmp_path: Path, flowclass_command: Command) -> None:
    kept, out = tmp_path / "heads-10.9.8.7.parquet", tmp_path / "again.parquet"
    assert flowclass_command("classify", captures / "ntp.pcap", "--heads", "-o", kept).code == 0
    options = ["--anonymize", "cryptopan", "--key-file", key_file]
    assert flowclass_command("match", kept, "-o", out, *options).code == 0
    table = pq.read_table(out)
    assert "head" not in table.schema.names
    assert addresses_of(table) == {PAN.address(address) for address in addresses_of(pq.read_table(kept))}
    assert fingerprint_in(table.schema.metadata) == PAN.fingerprint
    assert b"10.9.8.7" not in out.read_bytes()


@pytest.mark.parametrize("content", [REFERENCE, REFERENCE.hex().encode(), REFERENCE.hex().upper().encode() + b"\r\n"])
def test_key_files(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(0o600)
    read = CryptoPan.load(path)
    assert read.fingerprint == PAN.fingerprint
    assert read.address("24.5.0.80") == "100.9.15.210"
    assert read.caution == ""


def test_a_key_that_others_can_read_is_warned_about(captures: Path, key_file: Path, flowclass_command: Command) -> None:
    for mode in (0o640, 0o604):
        key_file.chmod(mode)
        assert "others can read the key" in CryptoPan.load(key_file).caution
    options = ["--anonymize", "cryptopan", "--key-file", key_file]
    loud = flowclass_command("classify", captures / "ntp.pcap", *options)
    assert loud.code == 0
    assert "warning: " in loud.err
    assert "chmod 600" in loud.err
    assert "warning: " not in flowclass_command("classify", captures / "ntp.pcap", "-q", *options).err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it has 0 octets"),
        (SECOND + b"\n", "write them without a line end"),
        (b"z" * 64, "it has 64 octets, and a key is 32 octets or 64 hexadecimal digits"),
        (b"a" * 5000, "more than 1024"),
    ],
)
def test_what_is_no_key(content: bytes, said: str, captures: Path, tmp_path: Path, flowclass_command: Command) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    options = ["--anonymize", "cryptopan", "--key-file", path]
    ended = flowclass_command("classify", captures / "ntp.pcap", *options)
    assert ended.code == 5
    assert said in ended.err
    assert ended.out == ""
    assert SECOND.decode() not in ended.err


def test_what_is_refused_with_it(captures: Path, key_file: Path, flowclass_command: Command, tmp_path: Path) -> None:
    def refused(*options: Any, code: int) -> str:
        ended = flowclass_command("classify", captures / "ntp.pcap", *options)
        assert ended.code == code
        assert ended.out == ""
        return ended.err

    assert "add --key-file FILE" in refused("--anonymize", "cryptopan", code=2)
    assert "add --anonymize cryptopan" in refused("--key-file", key_file, code=2)
    both = ["--anonymize", "cryptopan", "--key-file"]
    assert "--heads keeps payload" in refused(*both, key_file, "--heads", code=2)
    assert "cannot be read: no such file" in refused(*both, tmp_path / "none", code=5)
    with pytest.raises(ConfigError, match="heads hold payload"):
        EngineOptions(anonymize=PAN, heads=True)
    with pytest.raises(ConfigError, match=r"give flowclass\.CryptoPan"):
        EngineOptions(anonymize=REFERENCE)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="has 32 octets"):
        CryptoPan(REFERENCE[:31])
    table = flowclass.classify(captures / "ntp.pcap").to_pyarrow().drop_columns(["flow_id"])
    with pytest.raises(SchemaError, match="no column flow_id"):
        list(PAN.records(table.to_batches()))


def test_without_libcrypto_it_is_refused(
    captures: Path, key_file: Path, flowclass_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_core, "crypto_library", lambda: "")
    options = ["--anonymize", "cryptopan", "--key-file", key_file]
    ended = flowclass_command("classify", captures / "ntp.pcap", *options)
    assert ended.code == 5
    assert "needs AES of libcrypto" in ended.err
    assert ended.out == ""


def test_the_key_is_not_shown() -> None:
    shown = repr(PAN) + str(PAN) + repr(HIDDEN)
    assert PAN.fingerprint in shown
    assert REFERENCE.hex() not in shown
    assert repr(REFERENCE)[2:-1] not in shown
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(PAN)


def test_a_setting_of_the_environment_alone_hides_nothing_silently(
    captures: Path, key_file: Path, flowclass_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWCLASS_KEY_FILE", os.fspath(key_file))
    assert flowclass_command("classify", captures / "ntp.pcap").code == 2
    monkeypatch.setenv("FLOWCLASS_ANONYMIZE", "cryptopan")
    ended = flowclass_command("classify", captures / "ntp.pcap", "--format", "jsonl")
    assert ended.code == 0
    seen = {json.loads(line)["src_ip"] for line in ended.out.splitlines()}
    assert not seen & addresses_of(flowclass.classify(captures / "ntp.pcap").to_pyarrow())


def test_several_sources_are_numbered(tmp_path: Path) -> None:
    for name, client in (("10.0.0.1.pcap", "10.0.0.1"), ("10.0.0.3.pcap", "10.0.0.3")):
        (tmp_path / name).write_bytes(pcap(exchange(client=client)))
    for files in ("stream", "each"):
        table = flowclass.classify(tmp_path, files=files, options=HIDDEN).to_pyarrow()  # type: ignore[arg-type]
        assert sorted(pc.unique(table.column("source_file").cast(pa.string())).to_pylist()) == ["source-1", "source-2"]

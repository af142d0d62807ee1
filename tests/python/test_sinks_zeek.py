"""Zeek's conn.log: header, columns and types as Zeek documents them; values and hostile texts come back."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from capture_files import exchange, pcap
from conftest import Command
from flow_rows import ROW, SCHEMA, START, batch_of
from hypothesis import given
from hypothesis import strategies as st

import flowclass
from flowclass.sinks import open_sink
from flowclass.sinks.zeek_columns import OWN, columns

# https://docs.zeek.org/en/v8.2.0/scripts/base/protocols/conn/main.zeek.html, Conn::Info, in its order; then the fields
# of policy/protocols/conn/community-id-logging.zeek and policy/protocols/conn/vlan-logging.zeek.
DOCUMENTED = [
    ("ts", "time"), ("uid", "string"), ("id.orig_h", "addr"), ("id.orig_p", "port"), ("id.resp_h", "addr"),
    ("id.resp_p", "port"), ("proto", "enum"), ("service", "string"), ("duration", "interval"), ("orig_bytes", "count"),
    ("resp_bytes", "count"), ("conn_state", "string"), ("local_orig", "bool"), ("local_resp", "bool"),
    ("missed_bytes", "count"), ("history", "string"), ("orig_pkts", "count"), ("orig_ip_bytes", "count"),
    ("resp_pkts", "count"), ("resp_ip_bytes", "count"), ("tunnel_parents", "set[string]"), ("ip_proto", "count"),
    ("community_id", "string"), ("vlan", "int"), ("inner_vlan", "int"),
]  # fmt: skip
# https://docs.zeek.org/en/v8.2.0/log-formats.html and the header of its examples.
HEAD = ["#separator \\x09", "#set_separator\t,", "#empty_field\t(empty)", "#unset_field\t-", "#path\tconn"]
PROTOS = {"tcp", "udp", "icmp", "unknown_transport"}
STATES = {"S0", "S1", "SF", "REJ", "S2", "S3", "RSTO", "RSTR", "RSTOS0", "RSTRH", "SH", "SHR", "OTH"}
VALUES = {
    "time": re.compile(r"\d+\.\d{6}"), "interval": re.compile(r"\d+\.\d{6}"), "count": re.compile(r"\d+"),
    "int": re.compile(r"-?\d+"), "port": re.compile(r"\d{1,5}"), "addr": re.compile(r"[0-9a-f.:]+"),
    "bool": re.compile(r"[TF]"), "double": re.compile(r"\d+(\.\d+)?"), "enum": re.compile(r"\w+"),
}  # fmt: skip


def _written(*batches: pa.RecordBatch) -> str:
    file = BytesIO()
    sink = open_sink("zeek", file, SCHEMA, {"flowclass.version": "1"})
    for batch in batches:
        sink.write(batch)
    sink.finish({"flowclass.balance": "{}"})
    return file.getvalue().decode()


def _read(text: str) -> list[dict[str, str]]:
    """Read a log as a reader of Zeek's does: by its header."""
    lines = text.split("\n")
    assert lines.pop() == ""
    assert lines[:5] == HEAD
    named = {line.split("\t")[0]: line.split("\t")[1:] for line in lines if line.startswith("#")}
    assert len(named["#fields"]) == len(named["#types"]) == len(set(named["#fields"]))
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    read = [dict(zip(named["#fields"], row, strict=True)) for row in rows]
    for row in read:
        for name, kind in zip(named["#fields"], named["#types"], strict=True):
            if row[name] != "-" and kind in VALUES:
                assert VALUES[kind].fullmatch(row[name]), (name, kind, row[name])
    return read


def _unescaped(text: str) -> str | None:
    """Take Zeek's escapes back."""
    if text == "-":
        return None
    if text == "(empty)":
        return ""
    octets = re.sub(rb"\\x([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), text.encode())
    return octets.decode()


def test_the_header_is_zeeks() -> None:
    lines = _written(batch_of({})).split("\n")
    assert lines[5] == "#open\t2024-11-19-07-06-40"
    fields, types = lines[6].split("\t"), lines[7].split("\t")
    assert (fields[0], types[0]) == ("#fields", "#types")
    pairs = list(zip(fields[1:], types[1:], strict=True))
    assert pairs[: len(DOCUMENTED)] == DOCUMENTED
    assert [name for name, _ in pairs[len(DOCUMENTED) :]] == [f"flowclass.{name}" for name in OWN]
    assert set(OWN) <= set(SCHEMA.names)
    assert lines[-2] == "#close\t2024-11-19-07-06-41"


def test_no_rows_are_a_log_too() -> None:
    text = _written()
    assert "#fields\tts\tuid" in text
    assert "#open" not in text  # there was no packet, so there is no time
    assert _read(text) == []


def test_a_record_as_a_line() -> None:
    [row] = _read(_written(batch_of({"vlan_id": 5, "parent_flow_id": "ab"})))
    zeeks = {name: row[name] for name, _ in DOCUMENTED}
    assert zeeks == {
        "ts": "1732000000.123456", "uid": ROW["flow_id"], "id.orig_h": "192.0.2.1", "id.orig_p": "40000",
        "id.resp_h": "198.51.100.7", "id.resp_p": "443", "proto": "tcp", "service": "ssl", "duration": "1.500000",
        "orig_bytes": "300", "resp_bytes": "200", "conn_state": "SF", "local_orig": "-", "local_resp": "-",
        "missed_bytes": "-", "history": "-", "orig_pkts": "7", "orig_ip_bytes": "700", "resp_pkts": "5",
        "resp_ip_bytes": "500", "tunnel_parents": "ab", "ip_proto": "6", "community_id": ROW["community_id"],
        "vlan": "5", "inner_vlan": "-",
    }  # fmt: skip
    assert row["flowclass.evidence"] == "tls.hello:1:0:5:fwd:31.5"
    assert row["flowclass.alternatives"] == "(empty)"
    assert row["flowclass.evidence_bits"] == "61.5"
    assert row["flowclass.policy_outcome"] == "-"


@pytest.mark.parametrize(
    ("facts", "proto", "service", "state", "history"),
    [
        ({"tcp_flags_fwd": 2, "packets_rev": 0, "payload_bytes_fwd": 0, "payload_bytes_rev": 0, "conn_state": "S0",
          "tier": "none", "protocol": "unknown"}, "tcp", "-", "S0", "S"),
        ({"tcp_flags_fwd": 2, "tcp_flags_rev": 0x14, "payload_bytes_fwd": 0, "payload_bytes_rev": 0,
          "conn_state": "REJ", "tier": "none", "protocol": "unknown"}, "tcp", "-", "REJ", "Sr"),
        ({"protocol": "wireguard", "ip_proto": 17, "conn_state": None, "direction_basis": "first_packet"},
         "udp", "wireguard", "SF", "Dd"),
        ({"protocol": "wireguard", "ip_proto": 17, "conn_state": None, "direction_basis": "handshake"},
         "udp", "wireguard", "SF", "-"),  # who was first is not known
        ({"protocol": "dns", "tier": "possible", "ip_proto": 17, "conn_state": None, "packets_rev": 0,
          "payload_bytes_rev": 0}, "udp", "-", "S0", "D"),
        ({"protocol": "kerberos", "ip_proto": 17, "conn_state": None}, "udp", "krb", "SF", "-"),
        ({"protocol": "kerberos"}, "tcp", "krb_tcp", "SF", "-"),
        ({"protocol": "icmp", "ip_proto": 58, "src_port": None, "dst_port": None, "conn_state": None},
         "icmp", "icmp", "OTH", "-"),
        ({"protocol": "esp", "ip_proto": 50, "src_port": None, "dst_port": None, "conn_state": None},
         "unknown_transport", "esp", "OTH", "-"),
    ],
)  # fmt: skip
def test_what_zeek_computes(facts: dict[str, Any], proto: str, service: str, state: str, history: str) -> None:
    [row] = _read(_written(batch_of(facts)))
    assert (row["proto"], row["service"], row["conn_state"], row["history"]) == (proto, service, state, history)
    if facts.get("src_port", 1) is None:
        assert (row["id.orig_p"], row["id.resp_p"]) == ("0", "0")  # a port is never unset


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "-"), ("", "(empty)"), ("-", "\\x2d"), ("(empty)", "\\x28empty)"), ("--", "--"), ("a\tb", "a\\x09b"),
        ("a\nb", "a\\x0ab"), ("a\\x09b", "a\\x5cx09b"), ("\x1b[31m", "\\x1b[31m"), ("\x7f", "\\x7f"),
        ("\x85", "\\xc2\\x85"), ("ä\ufffd", "ä\ufffd"), ("#fields", "#fields"),
    ],
)  # fmt: skip
def test_texts_as_zeek_writes_them(text: str | None, said: str) -> None:
    [row] = _read(_written(batch_of({"server_name": text, "source_file": text})))
    assert row["flowclass.server_name"] == row["flowclass.source_file"] == said
    assert _unescaped(said) == text


@given(texts=st.lists(st.none() | st.text(max_size=20), min_size=1, max_size=5), time=st.integers(0, 2**63 - 1))
def test_values_come_back(texts: list[str | None], time: int) -> None:
    read = _read(_written(batch_of(*({"server_name": text, "alpn": text, "time_start": time} for text in texts))))
    assert [_unescaped(row["flowclass.server_name"]) for row in read] == texts
    assert [_unescaped(row["flowclass.alpn"]) for row in read] == texts
    assert {row["ts"] for row in read} == {f"{time // 10**9}.{time // 1000 % 10**6:06}"}


@given(rule=st.text(max_size=8), other=st.text(max_size=8))
def test_elements_do_not_run_together(rule: str, other: str) -> None:
    check = ROW["evidence"][0]
    two = [check | {"rule": rule}, check | {"rule": other}]
    [row] = _read(_written(batch_of({"evidence": two})))
    elements = row["flowclass.evidence"].split(",")
    assert [_unescaped(element) for element in elements] == [f"{name}:1:0:5:fwd:31.5" for name in (rule, other)]


def test_batches_do_not_matter() -> None:
    rows = [{"packet_first": number, "time_end": START + number} for number in range(50)]
    whole = batch_of(*rows)
    assert _written(whole) == _written(*(whole.slice(at, 7) for at in range(0, 50, 7)))


def test_captures_give_documented_values(captures: Path) -> None:
    seen = 0
    for pattern in ("dns-*.pcap", "openvpn-*.pcap", "icmp*.pcap", "gre*.pcap", "https-*.pcap"):
        for capture in sorted(captures.glob(pattern))[:3]:
            table = flowclass.classify(capture).to_pyarrow()
            for row, record in zip(_read(_written(*table.to_batches())), table.to_pylist(), strict=True):
                assert row["proto"] in PROTOS
                assert row["conn_state"] in STATES
                assert row["uid"] == record["flow_id"]
                assert len(row["flowclass.evidence"].split(",")) == max(len(record["evidence"]), 1)
                if row["proto"] == "tcp":
                    assert row["conn_state"] == record["conn_state"]
                seen += 1
    assert seen > 20


def test_hostile_nulls() -> None:
    made = columns(batch_of(dict.fromkeys(SCHEMA.names)))
    assert {name: column.to_pylist() for name, column in made.items() if column.null_count} == {}
    assert made["ts"].to_pylist() == ["-"]


def test_command(tmp_path: Path, flowclass_command: Command) -> None:
    name = b"a\xff\t\n-.pcap"
    (tmp_path / "in").mkdir()
    with open(bytes(tmp_path / "in") + b"/" + name, "wb") as file:
        file.write(pcap(exchange()))
    made = flowclass_command(tmp_path / "in", "--format", "zeek", "-q")
    assert made.code == 0, made.err
    [row, *_] = _read(made.out)
    assert row["flowclass.source_file"].endswith("a\ufffd\\x09\\x0a-.pcap")
    assert flowclass_command(tmp_path / "in", "-o", f"{tmp_path}/out/", "--format", "zeek", "-q").code == 0
    assert (tmp_path / "out" / "conn.log").read_text() == made.out
    assert flowclass_command(tmp_path / "in", "-o", tmp_path / "flows.zeek", "-q").code == 0
    assert (tmp_path / "flows.zeek").read_text() == made.out

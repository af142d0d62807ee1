"""EVE: the fields that Suricata documents, with their types; exact times and texts; one object a line."""

from __future__ import annotations

import json
import re
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from capture_files import exchange, pcap
from conftest import Command
from flow_rows import ROW, SCHEMA, batch_of
from hypothesis import given
from hypothesis import strategies as st

import flowclass
from flowclass.sinks import open_sink
from flowclass.sinks.eve import events

# https://docs.suricata.io/en/latest/output/eve/eve-json-format.html: "Common Section" and "Event type: flow", with the
# types of etc/schema.json of Suricata 8.
COMMON = {
    "timestamp": str, "flow_id": int, "pcap_cnt": int, "event_type": str, "vlan": list, "src_ip": str, "src_port": int,
    "dest_ip": str, "dest_port": int, "proto": str, "ip_v": int, "app_proto": str, "community_id": str,
    "pcap_filename": str, "flow": dict, "tcp": dict,
}  # fmt: skip
FLOW = {
    "pkts_toserver": int, "pkts_toclient": int, "bytes_toserver": int, "bytes_toclient": int, "start": str, "end": str,
    "age": int, "state": str, "reason": str, "alerted": bool,
}  # fmt: skip
TCP = {
    "tcp_flags": str, "tcp_flags_ts": str, "tcp_flags_tc": str, "syn": bool, "fin": bool, "rst": bool, "psh": bool,
    "ack": bool, "urg": bool, "ecn": bool, "cwr": bool, "state": str,
}  # fmt: skip
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+0000")
STATES = {"new", "established", "closed", "bypassed"}
REASONS = {"timeout", "forced", "shutdown"}


def _checked(event: dict[str, Any]) -> None:
    """Hold an event against what is documented."""
    assert event["event_type"] == "flow"
    own = event.pop("flowclass")
    assert {"flow_id", "protocol", "tier", "evidence", "outcome"} <= set(own)
    for said, documented in ((event, COMMON), (event["flow"], FLOW), (event.get("tcp", {}), TCP)):
        for name, value in said.items():
            assert type(value) is documented[name], (name, value)
    for text in (event["timestamp"], event["flow"]["start"], event["flow"]["end"]):
        assert TIME.fullmatch(text)
    assert 0 <= event["flow_id"] < 2**51
    assert event["flow"]["state"] in STATES
    assert event["flow"]["reason"] in REASONS


def test_a_record_as_an_event() -> None:
    [event] = events(batch_of({"vlan_id": 5, "inner_vlan_id": 6, "policy_outcome": "violation", "conn_state": "SF"}))
    own = event["flowclass"]
    assert event == {
        "timestamp": "2024-11-19T07:06:41.623457+0000", "flow_id": 0x0123456789ABC >> 1, "pcap_cnt": 1,
        "event_type": "flow", "vlan": [5, 6], "src_ip": "192.0.2.1", "src_port": 40000, "dest_ip": "198.51.100.7",
        "dest_port": 443, "proto": "TCP", "ip_v": 4, "app_proto": "tls",
        "flow": {"pkts_toserver": 7, "pkts_toclient": 5, "bytes_toserver": 700, "bytes_toclient": 500,
                 "start": "2024-11-19T07:06:40.123456+0000", "end": "2024-11-19T07:06:41.623457+0000", "age": 1,
                 "state": "closed", "reason": "timeout", "alerted": True},
        "community_id": ROW["community_id"],
        "tcp": {"tcp_flags": "1b", "tcp_flags_ts": "1b", "tcp_flags_tc": "1a", "syn": True, "fin": True, "psh": True,
                "ack": True, "state": "closed"},
        "pcap_filename": "a.pcap", "flowclass": own,
    }  # fmt: skip
    assert own["time_start"] == "2024-11-19T07:06:40.123456789Z"  # whole, where EVE has microseconds
    assert own["flow_id"] == ROW["flow_id"]
    assert [check["rule"] for check in own["evidence"]] == ["tls.hello"]
    _checked(event)


@pytest.mark.parametrize(
    ("row", "app_proto"),
    [
        ({}, "tls"),
        ({"protocol": "kerberos"}, "krb5"),
        ({"protocol": "wireguard", "protocol_class": "vpn", "tier": "probable"}, "wireguard"),
        ({"protocol": "wireguard", "protocol_class": "vpn", "tier": "possible"}, "failed"),  # a guess accuses nobody
        ({"protocol": "unknown", "tier": "none"}, "failed"),
        ({"protocol": "unknown", "tier": "none", "payload_bytes_fwd": 0, "payload_bytes_rev": 0}, None),
    ],
)
def test_only_what_is_sure_is_app_proto(row: dict[str, Any], app_proto: str | None) -> None:
    [event] = events(batch_of(row))
    assert event.get("app_proto") == app_proto
    assert event["flowclass"]["protocol"] == row.get("protocol", "tls")


@pytest.mark.parametrize(
    ("row", "state", "reason"),
    [
        ({"conn_state": "S1", "end_reason": "idle"}, "established", "timeout"),
        ({"conn_state": "S0", "end_reason": "active", "observed_directions": 1}, "new", "timeout"),
        ({"conn_state": "RSTO", "end_reason": "rst"}, "closed", "timeout"),
        ({"conn_state": "S1", "end_reason": "evicted"}, "established", "forced"),
        ({"ip_proto": 17, "conn_state": None, "end_reason": "eof"}, "established", "shutdown"),
    ],
)
def test_states_and_reasons(row: dict[str, Any], state: str, reason: str) -> None:
    [event] = events(batch_of(row))
    assert (event["flow"]["state"], event["flow"]["reason"]) == (state, reason)
    assert ("tcp" in event) == (row.get("ip_proto", 6) == 6)
    _checked(event)


@pytest.mark.parametrize(
    ("number", "name"), [(1, "ICMP"), (58, "IPv6-ICMP"), (50, "ESP"), (47, "GRE"), (253, "253"), (3, "003")]
)
def test_protocols_without_ports(number: int, name: str) -> None:
    row = {"ip_proto": number, "src_port": None, "dst_port": None, "src_ip": "2001:db8::1", "conn_state": None}
    [event] = events(batch_of(row))
    assert (event["proto"], event["ip_v"]) == (name, 6)
    assert not {"src_port", "dest_port", "tcp"} & set(event)
    _checked(event)


@given(text=st.text(max_size=40), time=st.integers(0, 2**63 - 1), count=st.integers(0, 2**64 - 1))
def test_values_come_back(text: str, time: int, count: int) -> None:
    row = {
        "source_file": text,
        "server_name": text,
        "time_start": time,
        "time_end": time,
        "duration_ns": 0,
        "bytes_fwd": count,
    }
    file = BytesIO()
    sink = open_sink("eve", file, SCHEMA, {})
    sink.write(batch_of(row, row))
    sink.finish()
    lines = file.getvalue().split(b"\n")
    assert len(lines) == 3
    assert lines[2] == b""  # whatever the texts hold, there is one object a line
    event = json.loads(lines[0])
    assert event == json.loads(lines[1])
    assert event["pcap_filename"] == event["flowclass"]["server_name"] == text
    assert event["flow"]["bytes_toserver"] == count
    micro = f"{time // 1000 % 1_000_000:06}"
    assert event["flow"]["start"].endswith(f".{micro}+0000")
    assert event["flowclass"]["time_start"].endswith(f".{time % 10**9:09}Z")
    _checked(event)


def test_hostile_nulls() -> None:
    """A file that somebody made by hand may have nulls anywhere; a line is written all the same."""
    nulls = batch_of(dict.fromkeys(SCHEMA.names))
    [event] = events(nulls)
    assert event["event_type"] == "flow"
    assert "timestamp" not in event
    assert json.dumps(event)


def test_captures_give_documented_events(captures: Path) -> None:
    seen = 0
    for pattern in ("dns-*.pcap", "openvpn-*.pcap", "icmp*.pcap", "gre*.pcap"):
        for capture in sorted(captures.glob(pattern))[:3]:
            for batch in flowclass.classify(capture).to_pyarrow().to_batches():
                for event in events(batch):
                    _checked(json.loads(json.dumps(event)))
                    seen += 1
    assert seen > 20


def test_command(tmp_path: Path, flowclass_command: Command) -> None:
    name = b"a\xff\t\n\x1b[31m.pcap"
    (tmp_path / "in").mkdir()
    with open(bytes(tmp_path / "in") + b"/" + name, "wb") as file:
        file.write(pcap(exchange()))
    made = flowclass_command(tmp_path / "in", "--format", "eve", "-q")
    assert made.code == 0, made.err
    lines = made.out.splitlines()
    assert [json.loads(line)["event_type"] for line in lines] == ["flow"] * len(lines)
    assert json.loads(lines[0])["pcap_filename"].endswith("a\ufffd\t\n\x1b[31m.pcap")
    assert not re.search(r"[\x00-\x1f]", lines[0])
    assert flowclass_command(tmp_path / "in", "-o", f"{tmp_path}/out/", "--format", "eve", "-q").code == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["eve.json"]
    assert (tmp_path / "out" / "eve.json").read_text() == made.out


def test_match_writes_it(tmp_path: Path, flowclass_command: Command, captures: Path) -> None:
    capture = next(captures.glob("openvpn-*.pcap"))
    assert flowclass_command(capture, "--heads", "-o", tmp_path / "run.parquet").code == 0
    direct = flowclass_command(capture, "--format", "eve", "-q").out
    matched = flowclass_command("match", tmp_path / "run.parquet", "--format", "eve", "-q")
    assert matched.code == 0, matched.err
    assert matched.out == direct

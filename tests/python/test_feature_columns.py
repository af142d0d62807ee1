"""Feature columns from outside: command, configuration, schema, documents; and each known mistake of CICFlowMeter."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from capture_files import START_NS, exchange, pcap, udp_frame
from conftest import ROOT, Command

import flowclass
from flowclass.engine import Engine
from flowclass.schema import arrow_schema, feature_fields, features_markdown, fields

SECOND = 1_000_000_000
NAMES = [column["name"] for column in feature_fields()]
FEATURES = flowclass.EngineOptions(features=True)


def rows(packets: list[tuple[int, bytes]], options: flowclass.EngineOptions = FEATURES) -> list[dict[str, Any]]:
    source = flowclass.Packets(packets, link_type=1)
    return flowclass.classify(source, options=options).to_pyarrow().to_pylist()


def one(packets: list[tuple[int, bytes]]) -> dict[str, Any]:
    (row,) = rows(packets)
    return row


def udp(at: int, size: int = 10, *, back: bool = False, host: str = "10.0.0.2") -> tuple[int, bytes]:
    ends = ("10.0.0.1", 40000, host, 7777)
    return (START_NS + at, udp_frame(*(ends[2:] + ends[:2] if back else ends), bytes(size)))


def tcp(at: int, flags: int, window: int, *, back: bool = False) -> tuple[int, bytes]:
    frame = udp(0, back=back)[1]
    ports = (80, 4000) if back else (4000, 80)
    header = struct.pack(">HHIIBBHHH", *ports, 1, 1, 0x50, flags, window, 0, 0)
    ip = frame[14:16] + struct.pack(">H", 20 + len(header)) + frame[18:23] + b"\x06" + frame[24:34]
    return (START_NS + at, frame[:14] + ip + header)


def test_they_are_there_only_when_asked_for() -> None:
    plain = one_row = rows(list(exchange()), flowclass.EngineOptions())[0]
    assert not set(NAMES) & set(plain)
    with_them = one(list(exchange()))
    assert [name for name in with_them if name in NAMES] == NAMES
    assert {name: with_them[name] for name in plain} == one_row


def test_the_schema_has_them_before_the_head() -> None:
    names = arrow_schema(heads=True, features=True).names
    assert names[-1] == "head"
    assert names[-1 - len(NAMES) : -1] == NAMES
    assert [column["name"] for column in fields(heads=True, features=True)] == names
    batch = next(iter(flowclass.classify(pcap(exchange()), options=FEATURES)))
    assert batch.schema.equals(arrow_schema(features=True))
    batch.validate(full=True)


def test_the_page_has_the_table_of_the_code() -> None:
    """Write it anew with: python -c "from flowclass.schema import features_markdown; print(features_markdown())"."""
    assert features_markdown() in (ROOT / "docs" / "features.md").read_text()


@pytest.mark.parametrize("form", ["parquet", "arrow", "csv", "jsonl"])
def test_every_format_holds_them(form: str, tmp_path: Path, flowclass_command: Command) -> None:
    capture = tmp_path / "a.pcap"
    capture.write_bytes(pcap(exchange()))
    output = tmp_path / f"flows.{form}"
    assert flowclass_command(capture, "--features", "-o", output, "--format", form).code == 0
    if form == "parquet":
        row = pq.read_table(output).to_pylist()[0]
    elif form == "jsonl":
        row = json.loads(output.read_text().splitlines()[0])
    else:
        assert b"pkt_len_mean_bi" in output.read_bytes()
        return
    assert row["splt_dir"] == [1, -1, 1, -1]
    assert row["pkt_len_mean_bi"] == 49.5
    assert row["idle_ns_mean"] is None


def test_a_configuration_file_turns_them_on(
    tmp_path: Path, flowclass_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture = tmp_path / "a.pcap"
    capture.write_bytes(pcap(exchange()))
    (tmp_path / "flowclass.toml").write_text("features = true\n")
    monkeypatch.chdir(tmp_path)
    assert '"pkt_len_mean_bi":49.5' in flowclass_command("classify", capture).out.replace(" ", "")


def test_flows_that_leave_a_full_table_take_their_sums_along() -> None:
    engine = Engine(flowclass.EngineOptions(features=True, memcap=1 << 20))
    engine.begin_source("")
    batches = []
    for number in range(5000):
        engine.push_packets(1, [udp(number * 10_000_000, 20 + number % 7, host=f"10.1.{number >> 8}.{number & 255}")])
        batches += engine.poll()
    found = [row for batch in batches + engine.finish() for row in batch.to_pylist()]
    assert len(found) == 5000
    assert engine.counters()["evicted"] > 1000
    assert engine.counters()["features_refused"] == 0
    for row in found:
        assert row["splt_len"] == [row["bytes_fwd"]]
        assert row["pkt_len_min_fwd"] == row["pkt_len_max_bi"] == row["bytes_fwd"]


def test_without_memory_there_are_no_sums_and_it_is_counted() -> None:
    """More flows at one instant than the table and what waits to be written can hold."""
    engine = Engine(flowclass.EngineOptions(features=True, memcap=1 << 20))
    engine.begin_source("")
    engine.push_packets(1, [udp(number, host=f"10.1.{number >> 8}.{number & 255}") for number in range(5000)])
    found = [row for batch in engine.finish() for row in batch.to_pylist()]
    refused = [row for row in found if row["pkt_len_min_fwd"] is None]
    assert 0 < len(refused) == engine.counters()["features_refused"] < 5000
    for row in refused:
        assert all(row[name] in (None, []) for name in NAMES)


def test_a_length_is_the_packets_and_none_counts_twice() -> None:
    row = one([udp(0, 0), udp(1, 72), udp(2, 172)])
    assert row["splt_len"] == [28, 100, 200]
    assert row["pkt_len_mean_bi"] == row["pkt_len_mean_fwd"] == 328 / 3


def test_a_length_is_the_one_on_the_wire(tmp_path: Path) -> None:
    frame = udp(0, 1000)[1]
    record = struct.pack("<IIII", START_NS // SECOND, 0, 60, len(frame)) + frame[:60]
    data = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 60, 1) + record
    (row,) = flowclass.classify(data, options=FEATURES).to_pyarrow().to_pylist()
    assert row["pkt_len_max_fwd"] == row["bytes_fwd"] == 1028


def test_a_late_packet_gives_no_negative_gap() -> None:
    row = one([udp(0), udp(5000), udp(3000), udp(9000)])
    assert row["splt_iat_ns"] == [0, 5000, 0, 4000]
    assert (row["iat_ns_min_bi"], row["iat_ns_mean_bi"], row["iat_ns_max_bi"]) == (0, 3000.0, 5000)


def test_the_first_window_is_the_first() -> None:
    row = one([tcp(0, 2, 100), tcp(1, 18, 7000, back=True), tcp(2, 16, 200), tcp(3, 16, 9, back=True)])
    assert (row["tcp_window_first_fwd"], row["tcp_window_first_rev"]) == (100, 7000)
    assert (row["tcp_window_min_rev"], row["tcp_window_max_rev"]) == (9, 7000)
    assert (row["tcp_syn_packets_fwd"], row["tcp_syn_packets_rev"], row["tcp_ack_packets_rev"]) == (1, 1, 2)
    assert row["tcp_fin_packets_fwd"] == 0


def test_every_active_period_counts_and_idle_time_was_seen() -> None:
    row = one([udp(0), udp(SECOND), udp(7 * SECOND), udp(20 * SECOND), udp(22 * SECOND)])
    assert row["active_periods"] == 3
    assert (row["active_ns_min"], row["active_ns_mean"], row["active_ns_max"]) == (0, SECOND, 2 * SECOND)
    assert (row["idle_ns_min"], row["idle_ns_mean"], row["idle_ns_max"]) == (6 * SECOND, 9.5 * SECOND, 13 * SECOND)


def test_two_ports_of_one_host_are_two_directions() -> None:
    there = udp_frame("10.0.0.1", 1000, "10.0.0.1", 2000, bytes(10))
    back = udp_frame("10.0.0.1", 2000, "10.0.0.1", 1000, bytes(30))
    row = one([(START_NS, there), (START_NS + 1, back), (START_NS + 2, there)])
    assert (row["packets_fwd"], row["packets_rev"], row["splt_dir"]) == (2, 1, [1, -1, 1])
    assert (row["pkt_len_max_fwd"], row["pkt_len_max_rev"]) == (38, 58)


def test_what_is_not_there_is_null() -> None:
    row = one([udp(0)])
    there = {name for name in NAMES if row[name] is not None}
    lengths = {f"pkt_len_{what}_{way}" for what in ("min", "mean", "max") for way in ("fwd", "bi")}
    head = {f"head_octets_{way}" for way in ("fwd", "rev", "bi")} | {"head_entropy_fwd", "head_entropy_bi"}
    periods = {"active_periods", "active_ns_min", "active_ns_mean", "active_ns_max"}
    assert there == lengths | head | periods | {"splt_len", "splt_dir", "splt_iat_ns"}
    for row in rows([udp(0), udp(0), udp(0, back=True)]):
        assert all(math.isfinite(row[name]) for name in NAMES if isinstance(row[name], float))


def test_the_standard_deviation_is_the_populations() -> None:
    row = one([udp(0, 0), udp(1, 100)])
    assert row["pkt_len_std_fwd"] == 50.0
    # Gaps of about a second that differ by 2 ns: sums of squares in float64 would say 0 or worse.
    row = one([udp(0), udp(SECOND), udp(2 * SECOND + 2)])
    assert row["iat_ns_std_fwd"] == 1.0


def test_anonymised_records_have_them_too() -> None:
    key = flowclass.CryptoPan(bytes(range(32)))
    options = flowclass.EngineOptions(features=True, anonymize=key)
    plain, hidden = rows(list(exchange()))[0], rows(list(exchange()), options)[0]
    assert hidden["src_ip"] != plain["src_ip"]
    assert [hidden[name] for name in NAMES] == [plain[name] for name in NAMES]

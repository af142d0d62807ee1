"""``explain``: the words, the losers, the octets, the second opinion, and what cannot be explained."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from capture_files import START_NS, pcap, udp_frame
from conftest import Command

from flowclass.explain import tshark, words
from flowclass.explain.story import explained

SERVER = "10.0.0.2"


@pytest.mark.parametrize(
    ("bits", "said"),
    [
        (0, "once in 1 flows"),
        (1, "once in 2 flows"),
        (8, "once in 260 flows"),
        (19.9, "once in 980,000 flows"),
        (32, "once in 4 x 10^9 flows"),
        (64, "once in 2 x 10^19 flows"),
        (96, "once in 8 x 10^28 flows"),
        (396, "once in 2 x 10^119 flows"),
        (3000, "once in 1 x 10^903 flows"),
    ],
)
def test_the_chance_in_words(bits: float, said: str) -> None:
    """Against 2^bits, counted in whole numbers."""
    assert words.chance(bits) == f"{said} of random payload"
    power = re.search(r"(\d) x 10\^(\d+)", said)
    if power:
        exact = 1 << int(bits)
        assert 0.5 < exact / (int(power[1]) * 10 ** int(power[2])) < 1.5


def record(**more: Any) -> dict[str, Any]:
    ends = {"src_ip": "10.0.0.1", "src_port": 1, "dst_ip": SERVER, "dst_port": 2, "ip_proto": 17}
    facts = {"flow_id": "f", "protocol": "wireguard", "tier": "probable", "evidence_bits": 50.0, "evidence": []}
    return {**ends, **facts, **more}


def checks(*directions: str) -> list[dict[str, Any]]:
    return [
        {"rule": "x", "packet": 1, "time": "", "time_ns": 0, "offset": 0, "length": 1, "direction": one, "bits": 10.0}
        for one in directions
    ]


@pytest.mark.parametrize(
    ("facts", "words_of_it"),
    [
        ({"tier": "confirmed", "evidence_bits": 120.0}, "96 bits or more"),
        ({"tier": "confirmed", "evidence_bits": 70.0, "evidence": checks("fwd", "rev")}, "64 bits or more, from"),
        ({"tier": "confirmed", "evidence_bits": 20.0, "ip_proto": 50}, "IP protocol 50 is assigned"),
        ({"tier": "probable", "evidence": checks("fwd")}, "with one direction 96 would confirm"),
        ({"tier": "probable", "evidence": checks("fwd", "rev")}, "with both directions 64 would confirm"),
        ({"tier": "possible"}, "a hint"),
        ({"tier": "none", "protocol": "unknown"}, "does not mean that it is no VPN"),
    ],
)
def test_why_the_tier(facts: dict[str, Any], words_of_it: str) -> None:
    assert words_of_it in words.why_tier(record(**facts))


@pytest.mark.parametrize(
    ("bits", "facts", "why"),
    [
        (20.0, {}, "no more than possible with 20.0 bits, and probable wins"),
        (40.0, {}, "fewer bits: 40.0 against 50.0"),
        (70.0, {"tier": "confirmed", "evidence_bits": 100.0}, "fewer bits: 70.0 against 100.0"),
        (80.0, {"tier": "confirmed", "evidence_bits": 64.0}, "more bits, but a lower tier than confirmed"),
    ],
)
def test_why_the_losers_lost(bits: float, facts: dict[str, Any], why: str) -> None:
    story = explained(record(alternatives=[{"protocol": "dns", "bits": bits}], **facts), [])
    (loser,) = story["alternatives"]
    assert loser["protocol"] == "dns"
    assert loser["why"].startswith(why)


def test_what_is_there_is_shown_and_nothing_else() -> None:
    there = explained(record(linked_flow_id="abc", server_name="vpn.example", ja4=None), [])
    assert there["linked_flow_id"] == "abc"
    assert there["server_name"] == "vpn.example"
    assert "alpn" not in there
    assert there["tshark"] is None


def test_a_check_of_the_linked_flow_has_no_octets(captures: Path, tmp_path: Path, flowclass_command: Command) -> None:
    """ESP in UDP that an IKE exchange on another port pair set up: one check is about that exchange."""
    for capture in sorted(captures.glob("ike*")):
        flowclass_command(capture, "-q", "-o", tmp_path / "flows.parquet")
        for row in pq.read_table(tmp_path / "flows.parquet", columns=["flow_id", "linked_flow_id"]).to_pylist():
            if row["linked_flow_id"] is None:
                continue
            args = ["explain", row["flow_id"], "--in", tmp_path / "flows.parquet", "--pcap", capture, "--no-tshark"]
            ended = flowclass_command(*args)
            assert ended.code == 0, ended.out
            assert f"linked    with the flow {row['linked_flow_id']}" in ended.out
            assert "it is no octet of this one" in ended.out
            (linked,) = [
                check
                for check in json.loads(flowclass_command(*args, "--json").out)["flows"][0]["evidence"]
                if check["packet"] == 0
            ]
            assert "frame" not in linked
            assert linked["rule"].startswith("link.")
            assert "between the same addresses" in linked["meaning"]
            return
    pytest.fail("no linked flow in our captures")


@pytest.fixture
def run(tmp_path: Path, flowclass_command: Command) -> Path:
    """Classify two WireGuard initiations of one flow, and a flow of noise."""
    initiation = b"\x01\0\0\0" + random.Random(7).randbytes(128) + bytes(16)
    frames = [
        (START_NS + 10**9 * n, udp_frame("10.0.0.1", port, SERVER, 443, payload))
        for n, (port, payload) in enumerate([(1001, initiation), (1001, initiation), (1002, b"\xab" * 40)])
    ]
    (tmp_path / "a.pcap").write_bytes(pcap(frames))
    (tmp_path / "cut.pcap").write_bytes(pcap(frames[:1]))
    (tmp_path / "other.pcap").write_bytes(pcap([(START_NS, udp_frame("10.9.9.9", 1, SERVER, 2, b"x"))]))
    assert flowclass_command(tmp_path / "a.pcap", "-q", "-o", tmp_path / "flows.parquet").code == 0
    return tmp_path


def flow(run: Path, protocol: str) -> str:
    rows = pq.read_table(run / "flows.parquet", columns=["flow_id", "protocol"]).to_pylist()
    return str(next(row["flow_id"] for row in rows if row["protocol"] == protocol))


def test_the_story(run: Path, flowclass_command: Command) -> None:
    args = ["explain", flow(run, "wireguard"), "--in", run / "flows.parquet", "--pcap", run / "a.pcap", "--no-tshark"]
    ended = flowclass_command(*args)
    assert ended.code == 0, ended.err
    first = ended.out.splitlines()[0]
    assert first.startswith("The flow 10.0.0.1:1001 -> 10.0.0.2:443 over UDP is wireguard: confirmed, with ")
    assert "sources   WireGuard paper" in ended.out
    assert "of random payload; bits bound chance alone" in ended.out
    assert "[01 00 00 00]" in ended.out
    assert "\x1b" not in ended.out
    story = json.loads(flowclass_command(*args, "--json").out)["flows"][0]
    assert f"{story['sentence']}." == first
    for check in story["evidence"]:
        assert check["meaning"] in ended.out
        assert all(row in ended.out for row in check["frame"]["dump"] if check["length"])
    assert story["chance"] in ended.out


def test_colour_stands_for_brackets(run: Path, flowclass_command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    args = ["explain", flow(run, "wireguard"), "--in", run / "flows.parquet", "--pcap", run / "a.pcap", "--no-tshark"]
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    shown = flowclass_command(*args).out
    assert "\x1b[1;30;46m01 00 00 00\x1b[0m" in shown
    assert "[01 00 00 00]" not in shown
    monkeypatch.setenv("NO_COLOR", "1")
    assert "[01 00 00 00]" in flowclass_command(*args).out


def test_an_unknown_flow_has_a_story_too(run: Path, flowclass_command: Command) -> None:
    ended = flowclass_command("explain", flow(run, "unknown"), "--in", run / "flows.parquet")
    assert ended.code == 0
    assert "is unknown: no fingerprint's evidence is enough" in ended.out
    assert "does not mean that it is no VPN" in ended.out
    assert "evidence  none" in ended.out


def test_nearest_ids(run: Path, flowclass_command: Command) -> None:
    right = flow(run, "wireguard")
    wrong = right[:-1] + ("0" if right[-1] != "0" else "1")
    ended = flowclass_command("explain", wrong, "--in", run / "flows.parquet")
    assert (ended.code, ended.out) == (4, "")
    assert f"holds no flow {wrong!r}; the nearest ids are {right}" in ended.err
    both = flowclass_command("explain", "", "--in", run / "flows.parquet")
    assert both.code == 4
    assert "2 flows begin with ''" in both.err


def test_the_folder_of_a_run(run: Path, flowclass_command: Command) -> None:
    assert flowclass_command("explain", flow(run, "wireguard"), "--in", run).code == 0


def test_frames_that_are_not_there(run: Path, flowclass_command: Command) -> None:
    args = ["explain", flow(run, "wireguard"), "--no-tshark", "--in", run / "flows.parquet", "--pcap"]
    ended = flowclass_command(*args, run / "other.pcap")
    assert ended.code == 4
    assert "no frame of the flow is in" in ended.err
    ended = flowclass_command(*args, run / "cut.pcap")
    assert ended.code == 3
    assert "its frame is not in the capture given" in ended.out
    assert "frame 1 of" in ended.out


def test_no_flow_records(tmp_path: Path, flowclass_command: Command) -> None:
    for write in (pq.write_table, _write_arrow):
        write(pa.table({"flow_id": ["a"]}), tmp_path / "flows")
        ended = flowclass_command("explain", "a", "--in", tmp_path / "flows")
        assert ended.code == 4
        assert "holds no flow records: column src_ip is missing" in ended.err
    (tmp_path / "flows").write_bytes(b"PAR1" + bytes(100))
    ended = flowclass_command("explain", "a", "--in", tmp_path / "flows")
    assert ended.code == 4
    assert "cannot be read" in ended.err


def _write_arrow(table: pa.Table, path: Path) -> None:
    with pa.ipc.new_file(path, table.schema) as file:
        file.write_table(table)


def test_without_tshark(run: Path, flowclass_command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    args = ["explain", flow(run, "wireguard"), "--in", run / "flows.parquet", "--pcap", run / "a.pcap"]
    monkeypatch.setattr(tshark.shutil, "which", lambda name: None)
    ended = flowclass_command(*args)
    assert ended.code == 0
    assert "no second opinion: tshark is not installed" in ended.out
    monkeypatch.undo()
    monkeypatch.setattr(tshark, "missing", lambda: "pyshark is not installed")
    assert json.loads(flowclass_command(*args, "--json").out)["flows"][0]["tshark"].endswith("pyshark is not installed")


@pytest.mark.tshark
@pytest.mark.usefixtures("tshark")
def test_what_tshark_reads(captures: Path, tmp_path: Path, flowclass_command: Command) -> None:
    """On port 51820 tshark knows WireGuard: its fields lie where our checks do."""
    pytest.importorskip("pyshark")
    capture = captures / "wireguard-udp-51820.pcap"
    if not capture.exists():
        capture = captures / "wireguard-udp-51820.pcapng"
    flowclass_command(capture, "-q", "-o", tmp_path / "flows.parquet")
    rows = pq.read_table(tmp_path / "flows.parquet", columns=["flow_id", "protocol"]).to_pylist()
    name = next(row["flow_id"] for row in rows if row["protocol"] == "wireguard")
    args = ["explain", name, "--in", tmp_path / "flows.parquet", "--pcap", capture]
    story = json.loads(flowclass_command(*args, "--json").out)["flows"][0]
    fields = {
        check["rule"]: {field["name"]: field for field in check["tshark"]["fields"]}
        for check in story["evidence"]
        if check["packet"] <= 2
    }
    assert fields["wireguard.initiation"]["wg.type"]["shown"] == "Type: Handshake Initiation (1)"
    echo = next(check for check in story["evidence"] if check["rule"] == "wireguard.index_echo")
    assert fields["wireguard.index_echo"]["wg.receiver"]["offset"] == echo["frame"]["offset"]
    assert fields["wireguard.index_echo"]["wg.receiver"]["length"] == echo["length"]
    shown = flowclass_command(*args).out
    assert "tshark reads eth, ip, udp, wg" in shown
    assert "Type: Handshake Initiation (1)  (wg.type at " in shown


@pytest.mark.tshark
@pytest.mark.usefixtures("tshark")
def test_tshark_that_cannot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyshark")
    (tmp_path / "noise").write_bytes(bytes(range(256)))
    answer = tshark.read_frames(str(tmp_path / "noise"), {1: b""})
    assert isinstance(answer, str)
    assert answer.startswith("tshark could not read it")
    monkeypatch.setattr(tshark, "MOST_SECONDS", 0.01)
    assert "did not answer" in str(tshark.read_frames(str(tmp_path / "noise"), {1: b""}))

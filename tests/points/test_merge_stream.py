"""``flowclass merge-stream`` with a real nats-server: two points send, one consumer joins; nothing comes twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from brokers import nats_server
from conftest import Command

SUBJECT = "flowclass.flows.v1"


@pytest.fixture
def nats_port(tmp_path: Path) -> Iterator[int]:
    with nats_server(tmp_path) as port:
        yield port


def _send(flowclass_command: Command, capture: Path, port: int, point: str) -> int:
    broker = f"nats://127.0.0.1:{port}"
    sent = flowclass_command(
        capture, "-o", f"{broker}/{SUBJECT}.{point}", "--verdicts", f"{broker}/flowclass.verdicts.v1.{point}", "--json"
    )
    assert sent.code == 0, sent.err
    flows: int = json.loads(sent.out)["flows"]
    return flows


def _merged(
    flowclass_command: Command, port: int, out: Path, *more: str
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    addresses = [f"nats://127.0.0.1:{port}/flowclass.{name}.>" for name in ("flows", "verdicts")]
    ended = flowclass_command("merge-stream", *addresses, "-o", out, "--end-after", "1s", "--json")
    assert ended.code == 0, ended.err
    return [json.loads(line) for line in out.read_text().splitlines()], json.loads(ended.out)


def test_two_points_of_one_flow(nats_port: int, captures: Path, tmp_path: Path, flowclass_command: Command) -> None:
    from capture_files import pcap, read_pcap

    capture = captures / "wireguard-udp-51820.pcap"
    frames, _ = read_pcap(capture)
    west = tmp_path / "west.pcap"  # begins later, and its clock is 300 ms ahead
    west.write_bytes(pcap([(time + 300_000_000, frame) for time, frame in frames[10:]]))
    flows = _send(flowclass_command, capture, nats_port, "east")
    _send(flowclass_command, west, nats_port, "west")
    rows, counts = _merged(flowclass_command, nats_port, tmp_path / "joined.jsonl")
    tunnel = [row for row in rows if row["protocol"] == "wireguard" and row["kind"] == "flow"]
    assert len(tunnel) == 1
    early = [row for row in rows if row["protocol"] == "wireguard" and row["kind"] == "verdict"]
    assert [row["community_id"] for row in early] == [tunnel[0]["community_id"]]
    assert {seen["point"] for seen in tunnel[0]["observed_by"]} == {f"{SUBJECT}.east", f"{SUBJECT}.west"}
    assert {seen["flow_id"] for seen in tunnel[0]["observed_by"]} > {tunnel[0]["flow_id"]}
    assert tunnel[0]["time_start"].startswith("2026-11-23T20:50:53.079619")  # the point that saw all of it
    assert counts["joined"] >= 1
    assert len(rows) >= flows


def test_what_was_written_does_not_come_again(
    nats_port: int, captures: Path, tmp_path: Path, flowclass_command: Command
) -> None:
    _send(flowclass_command, captures / "dns-udp.pcap", nats_port, "east")
    first, _ = _merged(flowclass_command, nats_port, tmp_path / "joined.jsonl")
    again, counts = _merged(flowclass_command, nats_port, tmp_path / "joined.jsonl")
    assert first
    assert again == first
    assert counts.get("records", 0) == 0


def test_arrow_messages(nats_port: int, captures: Path, tmp_path: Path, flowclass_command: Command) -> None:
    address = f"nats://127.0.0.1:{nats_port}/{SUBJECT}.east"
    assert flowclass_command(captures / "dns-udp.pcap", "-o", address, "--format", "arrow", "-q").code == 0
    rows, _ = _merged(flowclass_command, nats_port, tmp_path / "joined.jsonl")
    assert {row["protocol"] for row in rows if row["kind"] == "flow"} >= {"dns"}


def test_a_message_that_comes_again_while_its_flow_waits(
    nats_port: int, captures: Path, flowclass_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flowclass.points.nats import Consumer
    from flowclass.sinks.address import parse

    monkeypatch.setattr("flowclass.points.nats.ACK_WAIT_S", 0.2)
    flows = _send(flowclass_command, captures / "dns-udp.pcap", nats_port, "east")
    address = parse(f"nats://127.0.0.1:{nats_port}/{SUBJECT}.>", consumed=True)
    consumer = Consumer(address, group="test", most_pending=1000)
    held = consumer.take(1000, 5)
    assert len(held) == flows
    assert consumer.take(flows, 5) == []  # all of them again
    consumer.done([arrival.token for arrival in held])
    assert consumer.take(1, 0.6) == []  # they were acknowledged
    consumer.close()


def test_no_server(tmp_path: Path, flowclass_command: Command) -> None:
    pytest.importorskip("nats")
    ended = flowclass_command("merge-stream", "nats://127.0.0.1:1", "-o", tmp_path / "out.jsonl")
    assert ended.code == 4
    assert "start the server first" in ended.err


def test_an_address_that_gives_no_records(flowclass_command: Command) -> None:
    ended = flowclass_command("merge-stream", "tcp://127.0.0.1:9")
    assert ended.code == 5
    assert "nats:// and kafka:// only" in ended.err

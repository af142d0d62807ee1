"""``flowclass merge-stream`` from Kafka: the broker is that which its client has inside, and is not Apache Kafka."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from brokers import kafka_broker
from conftest import Command

from flowclass.errors import ConfigError
from flowclass.points.arrivals import Arrival
from flowclass.sinks.address import parse

FLOWS = "flowclass.flows.v1"
VERDICTS = "flowclass.verdicts.v1"


@pytest.fixture
def kafka(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, str]]:
    """Give the library and the broker. The latter keeps members that have left until their session is over."""
    settings = tmp_path / "kafka.settings"
    settings.write_text("session.timeout.ms=6000\nheartbeat.interval.ms=200\n")
    monkeypatch.setenv("FLOWCLASS_KAFKA_SETTINGS", str(settings))
    with kafka_broker() as found:
        yield found


def _send(flowclass_command: Command, capture: Path, broker: str, point: str, *more: str) -> int:
    flows, verdicts = f"kafka://{broker}/{FLOWS}.{point}", f"kafka://{broker}/{VERDICTS}.{point}"
    sent = flowclass_command(capture, "-o", flows, "--verdicts", verdicts, "--json", *more)
    assert sent.code == 0, sent.err
    count: int = json.loads(sent.out)["flows"]
    return count


def _merged(
    flowclass_command: Command, broker: str, out: Path, *more: str
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    addresses = f"kafka://{broker}/{FLOWS}.*", f"kafka://{broker}/{VERDICTS}.*"
    ended = flowclass_command("merge-stream", *addresses, "-o", out, "--end-after", "2s", "--json", *more)
    assert ended.code == 0, ended.err
    return [json.loads(line) for line in out.read_text().splitlines()], json.loads(ended.out)


def test_two_points_of_one_flow_and_a_restart(
    kafka: tuple[Any, str], captures: Path, tmp_path: Path, flowclass_command: Command
) -> None:
    from capture_files import pcap, read_pcap

    _, broker = kafka
    capture = captures / "wireguard-udp-51820.pcap"
    frames, _ = read_pcap(capture)
    west = tmp_path / "west.pcap"  # begins later, and its clock is 300 ms ahead
    west.write_bytes(pcap([(time_ns + 300_000_000, frame) for time_ns, frame in frames[10:]]))
    flows = _send(flowclass_command, capture, broker, "east")
    _send(flowclass_command, west, broker, "west")
    rows, counts = _merged(flowclass_command, broker, tmp_path / "joined.jsonl")
    tunnel = [row for row in rows if row["protocol"] == "wireguard" and row["kind"] == "flow"]
    assert len(tunnel) == 1
    assert {seen["point"] for seen in tunnel[0]["observed_by"]} == {f"{FLOWS}.east", f"{FLOWS}.west"}
    assert tunnel[0]["time_start"].startswith("2026-11-23T20:50:53.079619")  # the point that saw all of it
    early = [row for row in rows if row["protocol"] == "wireguard" and row["kind"] == "verdict"]
    assert [row["community_id"] for row in early] == [tunnel[0]["community_id"]]
    assert counts["joined"] >= 1
    assert counts.get("late", 0) == 0
    assert len(rows) >= flows

    more = _send(flowclass_command, captures / "dns-udp.pcap", broker, "east")
    after, counts = _merged(flowclass_command, broker, tmp_path / "joined.jsonl")
    assert after[: len(rows)] == rows
    assert counts["records"] == more  # what was written and committed does not come again
    assert len([row for row in after[len(rows) :] if row["kind"] == "flow"]) == more


def test_arrow_messages_and_bounded_state(
    kafka: tuple[Any, str], captures: Path, tmp_path: Path, flowclass_command: Command
) -> None:
    """With room for three records only, flows go out before their time, and none is lost."""
    _, broker = kafka
    flows = _send(flowclass_command, captures / "dns-udp.pcap", broker, "east", "--format", "arrow")
    rows, counts = _merged(flowclass_command, broker, tmp_path / "joined.jsonl", "--most", "3")
    assert len([row for row in rows if row["kind"] == "flow"]) == flows
    assert counts["hurried"] >= flows - 3 > 0


def _record(number: int) -> bytes:
    return json.dumps({"flow_id": str(number)}).encode()


def _produced(library: Any, broker: str, topic: str, partition: int, values: list[bytes]) -> None:
    producer = library.Producer({"bootstrap.servers": broker, "log_level": 0})
    for value in values:
        producer.produce(topic, value, partition=partition)
    assert producer.flush(30) == 0


def _consumer(broker: str, topic: str, group: str = "test") -> Any:
    from flowclass.points.kafka import Consumer

    return Consumer(parse(f"kafka://{broker}/{topic}", consumed=True), group=group, most_pending=1)


def _taken(consumer: Any, count: int) -> list[Arrival]:
    found: list[Arrival] = []
    until = time.monotonic() + 30
    while len(found) < count and time.monotonic() < until:
        found += consumer.take(100, 0.2)
    assert len(found) == count
    return found


def _committed(library: Any, broker: str, topic: str, partition: int = 0) -> int:
    reader = library.Consumer({"bootstrap.servers": broker, "group.id": "test", "log_level": 0})
    [place] = reader.committed([library.TopicPartition(topic, partition)], timeout=30)
    reader.close()
    offset: int = place.offset
    return offset


def test_offsets_are_committed_up_to_what_still_waits(kafka: tuple[Any, str]) -> None:
    library, broker = kafka
    _produced(library, broker, "mine", 0, [_record(0), b"no record", _record(2), b"[]", _record(4)])
    consumer = _consumer(broker, "mine")
    first, third, fifth = _taken(consumer, 3)
    assert consumer.unreadable == 2
    consumer.done([third.token, fifth.token])
    assert _committed(library, broker, "mine") == 0
    consumer.done([first.token])
    assert _committed(library, broker, "mine") == 5
    _produced(library, broker, "mine", 0, [_record(5), _record(6)])
    sixth, seventh = _taken(consumer, 2)
    consumer.done([seventh.token])
    consumer.close()
    assert _committed(library, broker, "mine") == 5

    again = _consumer(broker, "mine")  # after a crash what was not done with comes again
    assert [arrival.record for arrival in _taken(again, 2)] == [sixth.record, seventh.record]
    again.close()


def test_a_consumer_more_loses_nothing(kafka: tuple[Any, str]) -> None:
    """Partitions move to it; what the first one still has of them is not committed, and comes again to the second."""
    library, broker = kafka
    for partition in range(4):
        _produced(library, broker, "mine", partition, [_record(10 * partition + number) for number in range(3)])
    one = _consumer(broker, "mine")
    held = _taken(one, 12)
    other = _consumer(broker, "mine")
    again: list[Arrival] = []
    until = time.monotonic() + 30
    while len(again) < 6 and time.monotonic() < until:
        # What the first one holds is not given to it a second time.
        assert one.take(100, 0.1) == []
        again += other.take(100, 0.1)
    moved = {arrival.lane for arrival in again}
    assert len(moved) == 2
    assert {arrival.record["flow_id"] for arrival in again} == {
        arrival.record["flow_id"] for arrival in held if arrival.lane in moved
    }
    one.done([arrival.token for arrival in held])
    committed = {f"mine[{partition}]": _committed(library, broker, "mine", partition) for partition in range(4)}
    assert {lane for lane, offset in committed.items() if offset == 3} == set(committed) - moved
    assert all(committed[lane] < 3 for lane in moved)
    other.done([arrival.token for arrival in again])
    assert all(_committed(library, broker, "mine", partition) == 3 for partition in range(4))
    one.close()
    other.close()


def test_partitions_that_hold_records_are_expected(kafka: tuple[Any, str]) -> None:
    """So no flow is complete before the first record of each came, whatever order the broker gives them in."""
    library, broker = kafka
    _produced(library, broker, "points.east", 1, [_record(1)])
    _produced(library, broker, "points.west", 2, [_record(2)])
    _produced(library, broker, "pointsXnorth", 2, [_record(3)])  # a dot in a name is a dot
    consumer = _consumer(broker, "points.*")
    assert {arrival.point for arrival in _taken(consumer, 2)} == {"points.east", "points.west"}
    assert consumer.settled
    assert sorted(consumer.expected()) == ["points.east[1]", "points.west[2]"]
    assert consumer.expected() == []
    consumer.close()


def test_settings_that_the_client_refuses(
    kafka: tuple[Any, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, broker = kafka
    (tmp_path / "settings").write_text("no.such.setting=1\n")
    monkeypatch.setenv("FLOWCLASS_KAFKA_SETTINGS", str(tmp_path / "settings"))
    with pytest.raises(ConfigError, match=r"refuses its settings: .*no\.such\.setting"):
        _consumer(broker, "mine")


def test_no_broker(tmp_path: Path, flowclass_command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("confluent_kafka", reason="the client of Kafka is not installed")
    monkeypatch.setattr("flowclass.points.kafka.ANSWER_S", 0.5)
    ended = flowclass_command("merge-stream", "kafka://127.0.0.1:1/mine", "-o", tmp_path / "out.jsonl")
    assert ended.code == 4
    assert "no broker answers" in ended.err
    assert ended.err.rstrip().endswith("start it first")

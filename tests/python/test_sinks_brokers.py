"""NATS JetStream by a server of the test's own; Kafka by the broker that its client has inside for tests.

The latter speaks Kafka's protocol over a socket of this machine. It is not Apache Kafka.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from brokers import STREAM, ask_nats, kafka_broker, nats_server
from conftest import Command
from flow_rows import SCHEMA, batch_of, numbered

from flowclass.errors import ConfigError, OutputError
from flowclass.sinks.address import parse
from flowclass.sinks.messages import headers, messages
from flowclass.sinks.queued import QueuedSink

META = {"flowclass.schema": "1.3.0", "flowclass.rules_sha256": "ab", "flowclass.inputs": "[]"}


@pytest.fixture
def nats_port(tmp_path: Path) -> Iterator[int]:
    with nats_server(tmp_path) as port:
        yield port


def _kept(port: int) -> list[Any]:
    async def all_of(stream: Any) -> list[Any]:
        state = (await stream.stream_info(STREAM)).state
        return [await stream.get_msg(STREAM, number) for number in range(state.first_seq, state.last_seq + 1)]

    kept: list[Any] = ask_nats(port, all_of)
    return kept


def _nats_sink(port: int, form: str = "jsonl", subject: str = "flowclass.flows.v1") -> Any:
    from flowclass.sinks.nats import Sink

    return Sink(parse(f"nats://127.0.0.1:{port}/{subject}"), form, SCHEMA, META)


def test_nats_keeps_every_row_once(nats_port: int) -> None:
    for _ in range(2):  # the second time the server knows all of them
        sink = _nats_sink(nats_port)
        sink.write(numbered(700))
        sink.write(numbered(5, start=700))
        sink.finish({"flowclass.balance": "{}"})
        assert sink.complete_rows == 705
    kept = _kept(nats_port)
    assert [json.loads(one.data)["packet_first"] for one in kept] == list(range(705))
    assert {one.subject for one in kept} == {"flowclass.flows.v1"}
    assert kept[3].headers["Nats-Msg-Id"] == f"{3:024x}.0"
    assert kept[3].headers["flowclass-schema"] == "1.3.0"
    assert kept[3].headers["content-type"] == "application/json"
    assert "flowclass-inputs" not in kept[3].headers


def test_nats_arrow(nats_port: int) -> None:
    sink = _nats_sink(nats_port, "arrow")
    sink.write(numbered(50))
    sink.finish()
    [one] = _kept(nats_port)
    assert pa.ipc.open_stream(one.data).read_all().column("packet_first").to_pylist() == list(range(50))


def test_nats_by_the_command(nats_port: int, captures: Path, flowclass_command: Command) -> None:
    capture = next(captures.glob("openvpn-*.pcap"))
    lines = flowclass_command(capture, "--format", "eve", "-q").out.splitlines()
    made = flowclass_command(capture, "-o", f"nats://127.0.0.1:{nats_port}", "--format", "eve")
    assert made.code == 0, made.err
    assert sorted(one.data.decode() for one in _kept(nats_port)) == sorted(lines)
    assert f": {len(lines)} rows = {len(lines)} delivered + 0 dropped" in made.err


def test_nats_without_a_stream(nats_port: int) -> None:
    sink = _nats_sink(nats_port, subject="other")
    with pytest.raises(OutputError, match=r"does not acknowledge: .*; is the server up, and does a stream of it take"):
        sink.write(numbered(3))
    sink.abort()
    assert sink.complete_rows == 0


def test_nats_without_a_server(flowclass_command: Command, captures: Path) -> None:
    pytest.importorskip("nats", reason="the client of NATS is not installed")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    made = flowclass_command(next(captures.glob("dns-*.pcap")), "-o", f"nats://127.0.0.1:{port}")
    assert made.code == 6
    assert f"error: nats://127.0.0.1:{port}: cannot be connected to: " in made.err
    assert made.err.rstrip().endswith("start the server first")


def test_nats_drops_what_no_stream_takes(nats_port: int) -> None:
    sink = QueuedSink(lambda: _nats_sink(nats_port, subject="other"), drop=True)
    sink.write(numbered(30))
    sink.finish()
    told = sink.delivered
    assert (told.given, told.delivered, told.dropped) == (30, 0, 30)
    assert "does not acknowledge" in told.sentence


@pytest.fixture
def kafka() -> Iterator[tuple[Any, str]]:
    with kafka_broker() as found:
        yield found


def _consumed(library: Any, broker: str, topic: str, count: int) -> list[Any]:
    consumer = library.Consumer(
        {"bootstrap.servers": broker, "group.id": "test", "auto.offset.reset": "earliest", "log_level": 0}
    )
    consumer.subscribe([topic])
    found: list[Any] = []
    until = time.monotonic() + 60
    while len(found) < count and time.monotonic() < until:
        message = consumer.poll(0.5)
        if message is not None and message.error() is None:
            found.append(message)
    consumer.close()
    return found


def _kafka_sink(broker: str, form: str = "jsonl", topic: str = "flowclass.flows.v1") -> Any:
    from flowclass.sinks.kafka import Sink

    return Sink(parse(f"kafka://{broker}/{topic}"), form, SCHEMA, META)


def test_kafka_takes_every_row(kafka: tuple[Any, str]) -> None:
    library, broker = kafka
    sink = _kafka_sink(broker)
    sink.write(numbered(500))
    sink.write(batch_of({"packet_first": 500, "community_id": None}))
    sink.finish({"flowclass.balance": "{}"})
    assert sink.complete_rows == 501
    found = _consumed(library, broker, "flowclass.flows.v1", 501)
    assert sorted(json.loads(one.value())["packet_first"] for one in found) == list(range(501))
    keyed = [one for one in found if one.key() is not None]
    assert {one.key() for one in keyed} == {b"1:LQU9qZlK+B5F3KDmev6m5PMibrg="}
    assert len({one.partition() for one in keyed}) == 1  # one connection, one order
    numbers = [json.loads(one.value())["packet_first"] for one in keyed]
    assert numbers == sorted(numbers)
    assert dict(found[0].headers())["flowclass-rules_sha256"] == b"ab"


def test_kafka_by_the_command(kafka: tuple[Any, str], captures: Path, flowclass_command: Command) -> None:
    library, broker = kafka
    capture = next(captures.glob("openvpn-*.pcap"))
    lines = flowclass_command(capture, "-q", "--format", "jsonl").out.splitlines()
    made = flowclass_command(capture, "-o", f"kafka://{broker}/mine")
    assert made.code == 0, made.err
    found = _consumed(library, broker, "mine", len(lines))
    assert sorted(one.value().decode() for one in found) == sorted(lines)


def test_kafka_without_a_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("confluent_kafka", reason="the client of Kafka is not installed")
    monkeypatch.setattr("flowclass.sinks.kafka.CONNECT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(OutputError, match=r"no broker answers: .*; start it first"):
        _kafka_sink(f"127.0.0.1:{port}")


def test_kafka_that_refuses(kafka: tuple[Any, str]) -> None:
    """A message that the client itself does not let through ends the writing, and is not counted."""
    _, broker = kafka
    sink = _kafka_sink(broker)
    with pytest.raises(OutputError, match=r"cannot be written: .*; check the broker and the topic"):
        sink.write(batch_of({"server_name": "x" * 1_100_000}))
    sink.abort()
    assert sink.complete_rows == 0


def test_kafka_settings_of_a_file(kafka: tuple[Any, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, broker = kafka
    (tmp_path / "settings").write_text("# ours\nclient.id = me\nno.such.setting=1\n")
    monkeypatch.setenv("FLOWCLASS_KAFKA_SETTINGS", str(tmp_path / "settings"))
    with pytest.raises(ConfigError, match=r"refuses its settings: .*no\.such\.setting"):
        _kafka_sink(broker)
    (tmp_path / "settings").write_text("client.id = me\n\n")
    sink = _kafka_sink(broker)
    sink.write(numbered(1))
    assert sink.complete_rows == 1
    monkeypatch.setenv("FLOWCLASS_KAFKA_SETTINGS", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="cannot be read"):
        _kafka_sink(broker)


@pytest.mark.parametrize(("scheme", "module"), [("nats", "nats"), ("kafka", "confluent_kafka")])
def test_a_client_that_is_not_installed(
    scheme: str, module: str, captures: Path, flowclass_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    made = flowclass_command(next(captures.glob("dns-*.pcap")), "-o", f"{scheme}://127.0.0.1:1")
    assert made.code == 5
    assert f"is not installed: pip install 'flowclass[{scheme}]'" in made.err


def test_clients_are_imported_only_when_asked_for() -> None:
    code = "import sys, flowclass.sinks.nats, flowclass.sinks.kafka, flowclass.cli.output\n"
    code += "assert not {'nats', 'confluent_kafka'} & set(sys.modules)"
    path = ":".join(entry for entry in sys.path if entry)
    subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": path}, check=True)


def test_messages_of_many_rows_are_bounded() -> None:
    batch = batch_of(*({"packet_first": n, "server_name": f"{n:x}" * 50} for n in range(400)))
    made = list(messages(batch, "arrow", 14_000))
    assert len(made) > 2
    assert all(len(one.value) <= 14_000 for one in made)
    assert sum(one.rows for one in made) == 400
    tables = [pa.ipc.open_stream(one.value).read_all() for one in made]
    assert [n for table in tables for n in table.column("packet_first").to_pylist()] == list(range(400))
    [single] = messages(batch.slice(7, 1), "arrow", 10)  # a row that is larger is for the broker to refuse
    assert single.rows == 1
    assert list(messages(batch.slice(0, 0), "arrow", 10)) == []
    assert headers("eve", META)["content-type"] == "application/json"

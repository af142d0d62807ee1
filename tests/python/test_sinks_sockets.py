"""Records to sockets, pipes and descriptors of this machine; readers that end, and that sleep; full devices."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from capture_files import exchange, pcap
from conftest import Command
from flow_rows import SCHEMA, numbered

from flowclass.errors import ConfigError, OutputError
from flowclass.sinks.address import FORMS, parse
from flowclass.sinks.connection import Sink as ConnectionSink
from flowclass.sinks.queued import QueuedSink

LONG_S = 20.0


def _write_all(sink: QueuedSink, starts: range) -> None:
    for start in starts:
        sink.write(numbered(starts.step, start=start))


@contextmanager
def _listening(where: str | Path) -> Iterator[tuple[str, socket.socket]]:
    if where == "tcp":
        server = socket.create_server(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
    else:
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(where))
        server.listen()
        address = f"unix://{where}"
    server.settimeout(LONG_S)
    with server:
        yield address, server


def _reading(server: socket.socket, take: Callable[[socket.socket], Any]) -> tuple[threading.Thread, list[Any]]:
    found: list[Any] = []

    def run() -> None:
        peer, _ = server.accept()
        with peer:
            peer.settimeout(LONG_S)
            found.append(take(peer))

    thread = threading.Thread(target=run)
    thread.start()
    return thread, found


def _whole(peer: socket.socket) -> bytes:
    octets = b""
    while part := peer.recv(65536):
        octets += part
    return octets


def _table(peer: socket.socket) -> Any:
    with peer.makefile("rb") as file, pa.ipc.open_stream(file) as reader:
        return reader.read_all()


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_an_arrow_stream_to_a_socket(kind: str, tmp_path: Path, captures: Path, flowclass_command: Command) -> None:
    capture = next(captures.glob("openvpn-*.pcap"))
    assert flowclass_command(capture, "-o", tmp_path / "a.arrows", "-q").code == 0
    with _listening("tcp" if kind == "tcp" else tmp_path / "s") as (address, server):
        thread, found = _reading(server, _table)
        made = flowclass_command(capture, "-o", address)
        thread.join(LONG_S)
    assert made.code == 0, made.err
    assert found[0].to_pylist() == pa.ipc.open_stream(tmp_path / "a.arrows").read_all().to_pylist()
    rows = found[0].num_rows
    assert f"wrote     {address}: {rows} rows = {rows} delivered + 0 dropped" in made.err


@pytest.mark.parametrize("form", ["jsonl", "eve", "zeek", "csv"])
def test_other_formats_to_a_socket(form: str, tmp_path: Path, captures: Path, flowclass_command: Command) -> None:
    capture = next(captures.glob("openvpn-*.pcap"))
    assert flowclass_command(capture, "-o", tmp_path / "file", "--format", form, "-q").code == 0
    with _listening(tmp_path / "s") as (address, server):
        thread, found = _reading(server, _whole)
        made = flowclass_command(capture, "-o", address, "--format", form, "-q")
        thread.join(LONG_S)
    assert made.code == 0, made.err
    assert found[0] == (tmp_path / "file").read_bytes()


def test_arrow_batches_are_there_as_they_are_written(tmp_path: Path) -> None:
    """A reader sees a batch when it was written, not when there are many."""
    with _listening(tmp_path / "s") as (address, server):
        sink = ConnectionSink(parse(address), "arrow", SCHEMA, {"flowclass.version": "1"})
        peer, _ = server.accept()
        peer.settimeout(LONG_S)
        with peer, peer.makefile("rb") as file:
            sink.write(numbered(5))  # the schema comes with the first batch
            reader = pa.ipc.open_stream(file)
            assert reader.schema.metadata == {b"flowclass.version": b"1"}
            assert reader.read_next_batch().num_rows == 5
            for start in (5, 10):
                sink.write(numbered(5, start=start))
                assert reader.read_next_batch().column("packet_first").to_pylist() == list(range(start, start + 5))
            sink.finish()
            with pytest.raises(StopIteration):
                reader.read_next_batch()


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_reader_that_ends_is_exit_6(kind: str, tmp_path: Path, flowclass_command: Command) -> None:
    with _listening("tcp" if kind == "tcp" else tmp_path / "s") as (address, server):
        sink = QueuedSink(lambda: ConnectionSink(parse(address), "arrow", SCHEMA, {}), drop=False)
        thread, _ = _reading(server, lambda peer: peer.recv(100))
        with pytest.raises(OutputError, match=f"^{address}: cannot be written: .*; its reader ended before all was"):
            _write_all(sink, range(0, 100_000, 10))
        sink.abort()
        thread.join(LONG_S)
    (tmp_path / "a.pcap").write_bytes(pcap(exchange()))
    for drop in ((), ("--on-slow", "drop")):  # that nobody listened from the beginning is an error always
        made = flowclass_command(tmp_path / "a.pcap", "-o", address, *drop)
        assert made.code == 6
        assert f"error: {address}: cannot be connected to: " in made.err
        assert made.err.rstrip().endswith("start its reader first")


def test_a_reader_that_ends_is_dropped_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowclass.sinks.queued.RETRY_S", 0.0)
    with _listening(tmp_path / "s") as (address, server):
        sink = QueuedSink(lambda: ConnectionSink(parse(address), "jsonl", SCHEMA, {}), drop=True)
        peer, _ = server.accept()
        peer.close()
        start = 0
        while not sink.delivered.opened_again:
            sink.write(numbered(10, start=start))
            start += 10
        again, _ = server.accept()
        again.settimeout(LONG_S)
        ended = threading.Thread(target=sink.finish)
        ended.start()
        with again:
            lines = _whole(again).splitlines()
        ended.join(LONG_S)
    told = sink.delivered
    assert told.given == start == told.delivered + told.dropped
    assert told.delivered == len(lines)
    assert told.dropped >= 10
    assert "its reader ended" in told.sentence
    numbers = [json.loads(line)["packet_first"] for line in lines]
    assert numbers == list(range(start - len(numbers), start))


def test_a_reader_that_sleeps_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with _listening(tmp_path / "s") as (address, _):  # connected, never read
        make = lambda: ConnectionSink(parse(address), "jsonl", SCHEMA, {})  # noqa: E731
        sink = QueuedSink(make, drop=True, most_rows=500, patience_s=0.5)
        for start in range(0, 3000, 100):
            sink.write(numbered(100, start=start))
        sink.finish()
    told = sink.delivered
    assert told.given == 3000 == told.delivered + told.dropped
    assert told.dropped > 1000


def test_a_pipe_whose_reader_ends(tmp_path: Path) -> None:
    """Of a program: exit 6 with a sentence, or 3 and the count."""

    packets = pcap(exchange())
    (tmp_path / "a.pcap").write_bytes(packets)
    path = os.pathsep.join(entry for entry in sys.path if entry)
    for choice, code, said in (
        ("wait", 6, r"error: .*reader ended"),
        ("drop", 3, r"standard output: (\d+) rows = 0 delivered \+ \1 dropped"),
    ):
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run(
            [sys.executable, "-m", "flowclass", "a.pcap", "--format", "eve", "--on-slow", choice],
            cwd=tmp_path, stdout=write, stderr=subprocess.PIPE, text=True, check=False,
            env=os.environ | {"PYTHONPATH": path},
        )  # fmt: skip
        os.close(write)
        assert done.returncode == code, done.stderr
        assert re.search(said, done.stderr), done.stderr


@pytest.mark.parametrize("form", ["eve", "zeek", "arrow"])
def test_a_full_device(form: str, tmp_path: Path, flowclass_command: Command) -> None:
    (tmp_path / "a.pcap").write_bytes(pcap(exchange()))
    made = flowclass_command(tmp_path / "a.pcap", "-o", "/dev/full", "--format", form)
    assert made.code == 6
    assert "error: /dev/full: cannot be written: no space left on device; make room on the disk" in made.err


def test_a_file_descriptor(tmp_path: Path, flowclass_command: Command) -> None:
    (tmp_path / "a.pcap").write_bytes(pcap(exchange()))
    read, write = os.pipe()
    with os.fdopen(read, "rb") as file:
        made = flowclass_command(tmp_path / "a.pcap", "-o", f"/dev/fd/{write}", "--format", "arrow", "-q")
        os.close(write)
        assert made.code == 0, made.err
        assert pa.ipc.open_stream(file.read()).read_all().num_rows == 1


@pytest.mark.parametrize(
    "text",
    ["tcp://", "tcp://host", "tcp://host:0", "tcp://host:70000", "tcp://host:1/x", "tcp://a:1,b:2", "unix://relative",
     "nats://host/a b", "kafka://host,/x", "tcp://user@host:1", "kafka://host/a/b", "tcp://[::1:9"],
)  # fmt: skip
def test_addresses_that_are_none(text: str, tmp_path: Path, flowclass_command: Command) -> None:
    with pytest.raises(ConfigError, match=r"write|use"):
        parse(text)
    (tmp_path / "a.pcap").write_bytes(pcap(exchange()))
    made = flowclass_command(tmp_path / "a.pcap", "-o", text)
    assert made.code == 2
    assert "Error: " in made.err


def test_what_does_not_go_together(tmp_path: Path, flowclass_command: Command) -> None:
    (tmp_path / "a.pcap").write_bytes(pcap(exchange()))
    for wrong in (
        ("-o", "tcp://localhost:9", "--format", "parquet"),
        ("-o", "tcp://localhost:9", "--rotate", "1m"),
        ("-o", "nats://localhost", "--format", "zeek"),
        ("-o", tmp_path / "a.parquet", "--on-slow", "drop"),
    ):
        made = flowclass_command(tmp_path / "a.pcap", *wrong)
        assert made.code == 2, wrong
    assert {form for forms in FORMS.values() for form in forms} == {"arrow", "jsonl", "eve", "zeek", "csv"}

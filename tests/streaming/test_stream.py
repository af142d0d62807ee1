"""``flowclass.stream`` over what is no interface: paths, pipes, file objects, iterables; early ends."""

from __future__ import annotations

import asyncio
import gzip
import io
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from capture_files import exchange, pcap, pcapng

import flowclass

FRAMES = exchange(6)
EXPECTED = [3]


def packets(stream: flowclass.Stream) -> list[int]:
    return [count for batch in stream for count in batch.column("packets_fwd").to_pylist()]


def test_paths(tmp_path: Path) -> None:
    file = tmp_path / "a.pcap"
    file.write_bytes(pcap(FRAMES))
    for given in (file, str(file), [file], [str(file)], tmp_path):
        assert packets(flowclass.stream(given)) == EXPECTED
    with file.open("rb") as buffered, file.open("rb", buffering=0) as raw:
        assert packets(flowclass.stream(buffered)) == packets(flowclass.stream(raw)) == EXPECTED
    with pytest.raises(flowclass.SourceError, match="check the name"):
        flowclass.stream(tmp_path / "absent")


def test_octets_and_objects_without_a_descriptor() -> None:
    assert packets(flowclass.stream(pcapng(FRAMES))) == EXPECTED
    assert packets(flowclass.stream(io.BytesIO(gzip.compress(pcap(FRAMES))))) == EXPECTED


@pytest.mark.parametrize("store", [bytes, gzip.compress])
def test_pipes_cut_anywhere(store: Any) -> None:
    octets = store(pcap(FRAMES))
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb", buffering=0) as end:
            for at in range(len(octets)):
                end.write(octets[at : at + 1])

    thread = threading.Thread(target=write)
    thread.start()
    with os.fdopen(reading, "rb") as end:
        stream = flowclass.stream(end)
        assert packets(stream) == EXPECTED
    thread.join()
    assert [report.problem for report in stream.sources] == ["none"]


def test_rows_come_while_a_pipe_is_silent() -> None:
    reading, writing = os.pipe()
    late = exchange(1, start=FRAMES[0][0] + 3600_000_000_000, client="10.9.9.9")
    with os.fdopen(reading, "rb") as end, os.fdopen(writing, "wb", buffering=0) as source:
        source.write(pcap([*FRAMES, *late]))
        batches = iter(flowclass.stream(end))
        assert next(batches).column("packets_fwd").to_pylist() == EXPECTED, "the pipe is open and has no more"
        source.close()
        assert [batch.num_rows for batch in batches] == [1]


def test_a_pipe_that_is_silent_ends_when_its_time_is_over() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as end, os.fdopen(writing, "wb", buffering=0) as source:
        source.write(pcap(FRAMES))
        began = time.monotonic()
        assert packets(flowclass.stream(end, live=flowclass.LiveOptions(duration_s=0.3))) == EXPECTED
        assert 0.3 <= time.monotonic() - began < 10


def test_iterables_are_taken_as_they_are_asked_for() -> None:
    taken = 0

    def endless() -> Iterator[tuple[int, bytes]]:
        nonlocal taken
        for number in range(1 << 40):
            taken += 1
            yield FRAMES[0][0] + number * 200_000_000_000, FRAMES[0][1]

    options = flowclass.EngineOptions(batch_rows=100)
    batches = iter(flowclass.stream(endless(), options=options))
    assert next(batches).num_rows == 100
    assert taken < 1000, "nobody reads ahead of who asks"
    batches.close()


def test_what_an_iterable_may_not_give() -> None:
    stream = flowclass.stream(iter([1, 2]))
    with pytest.raises(TypeError, match="an iterable gives int where"):
        list(stream)


def test_a_stream_is_read_once() -> None:
    stream = flowclass.stream(iter(FRAMES))
    assert packets(stream) == EXPECTED
    with pytest.raises(flowclass.SourceError, match="read once"):
        iter(stream)


def test_async_iteration_and_its_end_by_another_thread() -> None:
    def slow() -> Iterator[tuple[int, bytes]]:
        for number in range(1 << 40):
            yield FRAMES[0][0] + number * 200_000_000_000, FRAMES[0][1]

    async def some() -> int:
        stream = flowclass.stream(slow(), options=flowclass.EngineOptions(batch_rows=10))
        count = 0
        async for batch in stream:
            count += batch.num_rows
            if count >= 50:
                stream.close()
        return count

    assert 50 <= asyncio.run(some()) < 1000


def test_a_name_that_is_a_file_and_an_interface_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lo").write_bytes(pcap(FRAMES))
    with pytest.raises(flowclass.SourceError, match=r"write \./lo for the file"):
        flowclass.stream("lo")
    assert packets(flowclass.stream("./lo")) == EXPECTED

"""Cutting changes nothing: the same packets give the same records.

For any number of workers, any size of chunks, one file or many, pcap or pcapng, compressed or not. Only the columns
that say where a packet was found may differ.
"""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from capture_files import Frames, exchange, pcap, pcapng, read_pcap
from conftest import Command

import flowclass
from flowclass.engine import Engine
from flowclass.schema import arrow_schema

PROVENANCE = ["source_file", "packet_first", "packet_last"]
GROUPS = ("wireguard", "openvpn-udp", "openvpn-tcp", "ike", "tls", "dns", "http", "quic", "ssh")


def _table(batches: Iterable[pa.RecordBatch]) -> pa.Table:
    listed = list(batches)
    return pa.Table.from_batches(listed, arrow_schema()).drop_columns(PROVENANCE).combine_chunks()


def _pushed(chunks: Iterable[bytes], *, threads: int = 1, options: flowclass.EngineOptions | None = None) -> pa.Table:
    engine = Engine(options or flowclass.EngineOptions(), threads=threads)
    engine.begin_source("")
    batches = []
    for chunk in chunks:
        engine.push(chunk)
        batches += engine.poll()
    engine.end_source()
    return _table(batches + engine.finish())


def _chunks(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def _same(left: pa.Table, right: pa.Table) -> None:
    assert left.num_rows == right.num_rows
    for name in left.schema.names:
        assert left.column(name).to_pylist() == right.column(name).to_pylist(), name


@pytest.fixture(scope="module")
def mixed(captures: Path) -> Frames:
    """Give the frames of one small capture of each kind of traffic, as if seen together."""
    frames: list[tuple[int, bytes]] = []
    start = 1_732_000_000_000_000_000
    chosen = [next(iter(sorted(captures.glob(f"{group}*.pcap"))), None) for group in GROUPS]
    for path in dict.fromkeys(path for path in chosen if path is not None):
        found, link_type = read_pcap(path)
        assert link_type == 1
        frames += [(start + time - found[0][0], frame) for time, frame in found]
    assert len(frames) > 300
    return sorted(frames, key=lambda pair: pair[0])


@pytest.fixture(scope="module")
def expected(mixed: Frames) -> pa.Table:
    table = _pushed([pcap(mixed)])
    assert table.num_rows > 5
    return table


@pytest.mark.parametrize("size", [1, 2, 3, 7, 16, 61, 1500, 4096, 65537])
@pytest.mark.parametrize("container", [pcap, pcapng])
def test_chunks(size: int, container: object, mixed: Frames, expected: pa.Table) -> None:
    data = container(mixed)  # type: ignore[operator]
    _same(_pushed(_chunks(data, size)), expected)


def test_chunks_cut_at_every_byte() -> None:
    for data in (pcap(exchange()), pcapng(exchange()), pcap(exchange(), big_endian=True, nanoseconds=False)):
        whole = _pushed([data])
        assert whole.num_rows == 1
        for cut in range(len(data) + 1):
            _same(_pushed([data[:cut], data[cut:]]), whole)


@pytest.mark.parametrize("threads", [2, 3, 8])
@pytest.mark.parametrize("batch_rows", [65536, 3])
def test_threads(threads: int, batch_rows: int, mixed: Frames, expected: pa.Table) -> None:
    options = flowclass.EngineOptions(batch_rows=batch_rows)
    _same(_pushed(_chunks(pcap(mixed), 10_000), threads=threads, options=options), expected)


@pytest.mark.parametrize("seed", range(4))
def test_split_over_files(seed: int, mixed: Frames, expected: pa.Table, tmp_path: Path) -> None:
    dice = random.Random(seed)
    # Files are ordered by their first packets, so two files may not begin at the same nanosecond.
    places = [place for place in range(1, len(mixed)) if mixed[place][0] != mixed[place - 1][0]]
    cuts = [0, *sorted(dice.sample(places, 5)), len(mixed)]
    names = [f"{number}.cap" for number in range(len(cuts) - 1)]
    dice.shuffle(names)
    for name, first, last in zip(names, cuts, cuts[1:], strict=False):
        data = dice.choice([pcap, pcapng])(mixed[first:last])
        (tmp_path / name).write_bytes(gzip.compress(data) if dice.random() < 0.5 else data)
    _same(_table(flowclass.classify(tmp_path, threads=1 + seed % 2)), expected)


@pytest.mark.parametrize("big_endian", [False, True])
def test_byte_order_and_container(big_endian: bool, mixed: Frames, expected: pa.Table) -> None:
    _same(_table(flowclass.classify(pcap(mixed, big_endian=big_endian))), expected)
    _same(_table(flowclass.classify(pcapng(mixed, big_endian=big_endian))), expected)
    _same(_table(flowclass.classify(flowclass.Packets(mixed, link_type=1))), expected)


def test_microseconds(mixed: Frames) -> None:
    cut_times = [(time // 1000 * 1000, frame) for time, frame in mixed]
    _same(_pushed([pcap(cut_times, nanoseconds=False)]), _pushed([pcap(cut_times)]))


def test_parquet_files_are_equal_byte_for_byte(captures: Path, tmp_path: Path, flowclass_command: Command) -> None:
    """Rows, their order and their encoding: with the same inputs nothing may differ but the time of the run."""
    for threads in (1, 2):
        output = tmp_path / f"{threads}.parquet"
        assert flowclass_command(captures, "-o", output, "--threads", threads).code == 0
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "2.parquet").read_bytes()


def test_one_file_or_many_give_equal_parquet_content(
    captures: Path, tmp_path: Path, flowclass_command: Command
) -> None:
    path = max(captures.glob("*.pcap"), key=lambda found: found.stat().st_size)
    frames, link_type = read_pcap(path)
    middle = next(n for n in range(len(frames) // 2, len(frames)) if frames[n][0] != frames[n - 1][0])
    (tmp_path / "b.pcapng").write_bytes(pcapng(frames[:middle], link_type=link_type))
    (tmp_path / "a.pcap").write_bytes(gzip.compress(pcap(frames[middle:], link_type=link_type)))
    assert flowclass_command(path, "-o", tmp_path / "whole.parquet").code == 0
    assert flowclass_command(tmp_path / "a.pcap", tmp_path / "b.pcapng", "-o", tmp_path / "parts.parquet").code == 0
    whole, parts = (pq.read_table(tmp_path / f"{name}.parquet").drop_columns(PROVENANCE) for name in ("whole", "parts"))
    _same(whole, parts)


SECOND = 1_000_000_000
TIMEOUTS = {
    "usual": flowclass.EngineOptions(),
    "short": flowclass.EngineOptions(idle_timeout_ns=SECOND // 2, active_timeout_ns=SECOND),
    "active_below_idle": flowclass.EngineOptions(idle_timeout_ns=20 * SECOND, active_timeout_ns=3 * SECOND),
    "no_linger": flowclass.EngineOptions(tcp_linger_ns=0),
}


@pytest.mark.corpus
@pytest.mark.parametrize("timeouts", TIMEOUTS)
def test_corpus_threads_and_chunks(timeouts: str, corpus: Path) -> None:
    """Captures of the corpus, fuzzed ones too: two workers and odd chunks against one and whole."""
    options = TIMEOUTS[timeouts]
    paths = sorted((corpus / "captures").iterdir())
    for path in paths[:: max(1, len(paths) // 300)]:
        data = path.read_bytes()
        if len(data) > 4 << 20:
            continue
        whole = _pushed([data], options=options)
        assert _pushed(_chunks(data, 997), options=options).equals(whole), path.name
        assert _pushed([data], threads=2, options=options).equals(whole), path.name

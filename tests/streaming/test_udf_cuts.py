"""Users' functions say the same however the input is cut and shared, whether it is streamed, and of saved heads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from user_functions import several

import flowclass
from flowclass.engine import Engine
from flowclass.pipeline.match import match
from flowclass.schema import arrow_schema
from flowclass.sources.file import find

WHENCE = ["source_file", "packet_first", "packet_last"]


@pytest.fixture(scope="module")
def some(captures: Path) -> list[Path]:
    """Give captures of many kinds."""
    return sorted(captures.glob("*.pcap"))[::12] + sorted(captures.glob("wireguard*.pcap"))


def options(**more: Any) -> flowclass.EngineOptions:
    return flowclass.EngineOptions(udf=several(), heads=True, memcap=1 << 28, **more)


@pytest.fixture(scope="module")
def whole(some: list[Path]) -> tuple[list[dict[str, Any]], dict[str, tuple[int, int]]]:
    """Give the flows, and the faults, of one thread."""
    result = flowclass.classify(some, options=options())
    rows = result.to_pyarrow().drop_columns(WHENCE).to_pylist()
    named = {name for row in rows for name in (row["protocol"], *(other["protocol"] for other in row["alternatives"]))}
    assert named >= {"wireguard", "user.wireguard", "user.faulty"}
    return rows, result.counters["user_faults"]


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("batch_rows", [7, 8192])
def test_threads_and_batches(some: list[Path], whole: Any, threads: int, batch_rows: int) -> None:
    result = flowclass.classify(some, options=options(batch_rows=batch_rows), threads=threads)
    assert result.to_pyarrow().drop_columns(WHENCE).to_pylist() == whole[0]
    assert {name: tuple(count) for name, count in result.counters["user_faults"].items()} == whole[1]


def test_streamed(some: list[Path], whole: Any) -> None:
    stream = flowclass.stream([str(path) for path in some], options=options())
    table = pa.Table.from_batches(list(stream), stream.schema)
    assert table.drop_columns(WHENCE).to_pylist() == whole[0]


@pytest.mark.parametrize("piece", [1000, 65521])
def test_cut_anywhere(captures: Path, piece: int) -> None:
    (source,) = find([str(captures / "wireguard-udp-51820-rekey.pcap")]).sources
    octets = Path(source.name).read_bytes()
    made = []
    for size in (piece, len(octets)):
        engine = Engine(options())
        engine.begin_source("")
        batches = []
        for at in range(0, len(octets), size):
            engine.push(octets[at : at + size])
            batches += engine.poll()
        engine.end_source()
        batches += engine.finish()
        made.append(pa.Table.from_batches(batches, arrow_schema(heads=True, udf=several())).to_pylist())
    assert made[0] == made[1]
    assert any(other["protocol"] == "user.wireguard" for row in made[0] for other in row["alternatives"])


def test_saved_heads(some: list[Path], whole: Any) -> None:
    plain = flowclass.classify(some, options=flowclass.EngineOptions(heads=True)).to_pyarrow()
    again = match(plain, udf=several()).read_all()
    assert again.drop_columns(WHENCE).to_pylist() == whole[0]

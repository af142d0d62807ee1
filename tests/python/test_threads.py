"""Threads change nothing but the time: the same batches of the same rows in the same order, and the same summary."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from conftest import ROOT, Command

REGISTRY = ROOT / "datasets" / "registry" / "sample.csv"
POLICY = ROOT / "datasets" / "registry" / "policy.toml"
LARGE = 1 << 20  # above this slices are read ahead


def _batches(path: Path) -> list[pa.RecordBatch]:
    with pa.OSFile(str(path), "rb") as file:
        reader = pa.ipc.open_file(file)
        return [reader.get_batch(number) for number in range(reader.num_record_batches)]


@pytest.fixture(scope="module")
def large_capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a capture of several slices: ours, those of one link type and order, one behind another and again."""
    header, records = b"", bytearray()
    for path in sorted((ROOT / "datasets" / "captures").glob("*.pcap")):
        octets = path.read_bytes()
        header = header or octets[:24]
        if octets[:24] == header:
            records += octets[24:]
    times = 3 * LARGE // len(records) + 1
    made = tmp_path_factory.mktemp("threads") / "large.pcap"
    made.write_bytes(header + records * times)
    assert made.stat().st_size > 2 * LARGE
    return made


@pytest.mark.parametrize("options", [(), ("--features", "--heads"), ("--registry", REGISTRY, "--policy", POLICY)])
def test_rows_are_the_same(
    options: tuple[str | Path, ...], large_capture: Path, tmp_path: Path, flowclass_command: Command
) -> None:
    made: dict[int, list[pa.RecordBatch]] = {}
    said: dict[int, dict[str, object]] = {}
    for threads in (1, 2, 5):
        path = tmp_path / f"{threads}.arrow"
        ended = flowclass_command(large_capture, "--json", "-o", path, "--threads", str(threads), *options)
        made[threads] = _batches(path)
        said[threads] = json.loads(ended.out)
    assert sum(batch.num_rows for batch in made[1]) > 500
    for threads in (2, 5):
        assert [batch.num_rows for batch in made[threads]] == [batch.num_rows for batch in made[1]]
        assert all(mine.equals(theirs) for mine, theirs in zip(made[threads], made[1], strict=True))
        for key in ("flows", "groups", "balance", "sources"):
            assert said[threads][key] == said[1][key], key

"""Pieces that are classified where they lie and joined at their borders give the records of one plain run."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from pieces_of import Inline, cut, rows, stream, written

import flowclass
from flowclass import distributed
from flowclass.types import SECOND_NS, EngineOptions


@pytest.fixture(autouse=True)
def _inline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "open_engine", lambda name, workers: Inline())


def _same(paths: list[Path], folder: Path, **more: object) -> distributed.DistributedRun:
    options = EngineOptions(heads=True, features=True)
    more = {"group_octets": None} | more  # a border for each file
    run = distributed.classify(paths, folder, options=options, partitions=3, **more)  # type: ignore[arg-type]
    plain = flowclass.classify([str(path) for path in paths], options=options)
    assert rows(written(folder)) == rows(plain.to_pyarrow())
    assert run.balance == plain.balance
    assert run.balance.closed
    assert run.flows == plain.to_pyarrow().num_rows
    return run


@pytest.mark.parametrize("seed", range(4))
def test_any_cut_gives_the_records_of_a_plain_run(seed: int, captures: Path, tmp_path: Path) -> None:
    frames = stream(captures, seed=seed)
    chance = random.Random(seed)
    places = [chance.randrange(1, len(frames)) for _ in range(1 + 4 * seed)]
    run = _same(cut(frames, places, tmp_path), tmp_path / "out")
    assert run.carried > 0
    if seed < 3:
        assert run.carried < len(frames)  # something was classified where it lay


def test_many_small_pieces_leave_all_to_the_join(captures: Path, tmp_path: Path) -> None:
    frames = stream(captures, seed=9, seconds=100, copies=1)
    run = _same(cut(frames, range(50, len(frames), 50), tmp_path), tmp_path / "out")
    assert run.carried + sum(run.balance.packets_skipped.values()) == len(frames)


def test_pieces_that_overlap_are_read_again(captures: Path, tmp_path: Path) -> None:
    frames = stream(captures, seed=5)
    half = len(frames) // 2
    late = [(time + 40 * SECOND_NS, frame) for time, frame in frames[half - 200 : half]]
    _same(cut([*frames[: half - 200], *late, *frames[half:]], [half], tmp_path), tmp_path / "out")


def test_packets_out_of_order_within_pieces(captures: Path, tmp_path: Path) -> None:
    frames = stream(captures, seed=6)
    chance = random.Random(6)
    mixed = sorted(frames, key=lambda pair: pair[0] + chance.randrange(3 * SECOND_NS))
    _same(cut(mixed, [len(mixed) // 3, len(mixed) // 2], tmp_path), tmp_path / "out")


def test_ranges_of_a_large_file(captures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "LEAST_RANGE", 1)
    monkeypatch.setattr("flowclass.distributed.piece.STRETCH", 200_000)
    frames = stream(captures, seed=7)
    paths = cut(frames, [], tmp_path)
    run = _same(paths, tmp_path / "out", range_octets=400_000)
    assert len(run.reports) > 3


def test_a_range_that_begins_nowhere_is_mended(captures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "LEAST_RANGE", 1)
    monkeypatch.setattr("flowclass.distributed.piece.STRETCH", 200_000)
    monkeypatch.setattr("flowclass.distributed.piece.find_record", lambda pcap, octets, at_end: 11)
    run = _same(cut(stream(captures, seed=8), [], tmp_path), tmp_path / "out", range_octets=800_000)
    assert len(run.reports) == 1


def test_a_broken_file_stops_where_a_plain_run_stops(
    captures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distributed, "LEAST_RANGE", 1)
    monkeypatch.setattr("flowclass.distributed.piece.STRETCH", 100_000)
    [path] = cut(stream(captures, seed=8), [], tmp_path)
    octets = bytearray(path.read_bytes())
    octets[900_000:905_000] = b"\xff" * 5_000
    path.write_bytes(octets)
    run = _same([path], tmp_path / "out", range_octets=300_000)
    assert [report.problem for report in run.reports].count("none") < len(run.reports)


def test_capture_points_are_streams_of_their_own(captures: Path, tmp_path: Path) -> None:
    frames = stream(captures, seed=3)
    for point in ("east", "west"):
        (tmp_path / point).mkdir()
        cut(frames, [len(frames) // 2], tmp_path / point)
    run = distributed.classify(tmp_path, tmp_path / "out", capture_point="/(east|west)/", partitions=2)
    alone = flowclass.classify(str(tmp_path / "east")).to_pyarrow()
    assert run.flows == 2 * alone.num_rows
    found = rows(written(tmp_path / "out"), without=("source_file",))
    assert found == sorted(2 * rows(alone, without=("source_file",)), key=repr)


def test_registry_and_policy_reach_the_tasks(captures: Path, tmp_path: Path) -> None:
    registry, policy = Path("datasets/registry/sample.csv"), Path("datasets/registry/policy.toml")
    sources = [str(path) for path in sorted(captures.glob("*.pcap"))[:60]]
    run = distributed.classify(sources, tmp_path / "out", registry=registry, policy=policy, partitions=2)
    plain = flowclass.classify(sources, registry=registry, policy=policy).to_pyarrow()
    assert rows(written(tmp_path / "out")) == rows(plain)
    assert run.tally.by("policy_outcome")[("violation",)] > 0


def test_a_poisoned_file_is_reported_and_left_out(captures: Path, tmp_path: Path) -> None:
    paths = cut(stream(captures, seed=2), [900], tmp_path)
    (tmp_path / "0000a.pcap").write_bytes(b"no capture at all" * 100)
    run = distributed.classify(tmp_path, tmp_path / "out", partitions=2)
    assert [report.problem for report in run.reports] == ["none", "not_a_capture", "none"]
    assert rows(written(tmp_path / "out")) == rows(flowclass.classify([str(path) for path in paths]).to_pyarrow())


def test_a_folder_with_records_is_refused(captures: Path, tmp_path: Path) -> None:
    [path] = cut(stream(captures, seed=2)[:100], [], tmp_path)
    distributed.classify(path, tmp_path / "out")
    with pytest.raises(flowclass.OutputError, match="holds records already"):
        distributed.classify(path, tmp_path / "out")


def test_reports_of_the_folder_know_the_balance(captures: Path, tmp_path: Path) -> None:
    from flowclass.pipeline.records import BALANCE, Records

    [path] = cut(stream(captures, seed=2), [], tmp_path)
    distributed.classify(path, tmp_path / "out", partitions=2)
    records = Records(tmp_path / "out", 1000)
    assert sum(batch.num_rows for batch in records)
    assert '"closed":true' in records.metadata[BALANCE]
    assert not any(part.name.startswith(".") for part in (tmp_path / "out").iterdir())

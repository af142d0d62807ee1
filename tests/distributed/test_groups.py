"""Small files that one task reads together: the records of a plain run, and each file reported by itself."""

from __future__ import annotations

import gzip
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest
from pieces_of import Inline, cut, rows, stream, written
from pyarrow import fs

import flowclass
from flowclass import distributed
from flowclass.anonymize import CryptoPan, source_name
from flowclass.distributed.groups import MOST_FILES, grouped
from flowclass.distributed.messages import Scan, Task
from flowclass.distributed.piece import File, Piece
from flowclass.types import SECOND_NS, EngineOptions

KEY = bytes(range(32))


class Watched(Inline):
    """Does the tasks in this process; takes note of the files of each scan, and lets some of them fail."""

    def __init__(self, *failing: str) -> None:
        self.scans: list[list[str]] = []
        self._failing = set(failing)

    def run(self, messages: Sequence[bytes]) -> Iterator[tuple[int, bytes | str]]:
        """Do them."""
        for place, message in enumerate(messages):
            task: Task = msgspec.json.decode(message, type=Task)
            names = [Path(file.name).name for file in task.piece.files] if isinstance(task, Scan) else []
            if names:
                self.scans.append(names)
            if self._failing & set(names):
                yield place, "the process that read it died 3 times"
            else:
                yield place, next(super().run([message]))[1]


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    made = Watched()
    monkeypatch.setattr(distributed, "open_engine", lambda name, workers: made)
    return made


def _same(paths: list[Path], folder: Path, **more: object) -> distributed.DistributedRun:
    run = distributed.classify(paths, folder, workers=1, **more)  # type: ignore[arg-type]
    plain = flowclass.classify([str(path) for path in paths])
    assert rows(written(folder)) == rows(plain.to_pyarrow())
    assert run.balance == plain.balance
    assert [report.name for report in run.reports] == [str(path) for path in paths]
    of_plain = {report.name: report for report in plain.sources}
    for report in run.reports:
        assert (report.packets, report.bytes, report.problem) == (
            of_plain[report.name].packets, of_plain[report.name].bytes, of_plain[report.name].problem,
        )  # fmt: skip
    return run


@pytest.mark.parametrize("seed", range(3))
def test_files_in_one_task(seed: int, captures: Path, tmp_path: Path, watched: Watched) -> None:
    frames = stream(captures, seed=20 + seed)
    chance = random.Random(seed)
    paths = cut(frames, [chance.randrange(1, len(frames)) for _ in range(30)], tmp_path)
    run = _same(paths, tmp_path / "out")
    assert 4 <= len(watched.scans) <= 8
    assert 0 < run.carried < len(frames)


def test_files_that_were_not_given_in_their_order(captures: Path, tmp_path: Path, watched: Watched) -> None:
    """What does not follow one another in time is put together anew, once it is known when each begins."""
    frames = stream(captures, seed=31)
    paths = cut(frames, [len(frames) * part // 20 for part in range(1, 20)], tmp_path)
    random.Random(31).shuffle(paths)
    _same(paths, tmp_path / "out")
    first = next(n for n in range(20) if len({name for names in watched.scans[:n] for name in names}) == 20)
    assert first < 20
    assert first < len(watched.scans)
    for names in watched.scans[first:]:
        numbers = sorted(int(name[:4]) for name in names)
        assert numbers == list(range(numbers[0], numbers[-1] + 1))
    pieces = [path for path in (tmp_path / "out").iterdir() if path.name.endswith("-piece.parquet")]
    assert 0 < len(pieces) < len(watched.scans)


def test_a_file_that_lies_between_those_of_a_piece(captures: Path, tmp_path: Path, watched: Watched) -> None:
    frames = stream(captures, seed=32)
    paths = cut(frames, [len(frames) * part // 9 for part in range(1, 9)], tmp_path)
    _same([*paths[:1], *paths[2:], paths[1]], tmp_path / "out")
    assert watched.scans[0] == ["0000.pcap", "0002.pcap"]
    assert ["0002.pcap"] in watched.scans[1:]


def test_a_poisoned_file_among_others(captures: Path, tmp_path: Path, watched: Watched) -> None:
    paths = cut(stream(captures, seed=33), [300, 900, 1500], tmp_path)
    poisoned = tmp_path / "0001a.pcap"
    poisoned.write_bytes(b"no capture at all" * 100)
    halved = tmp_path / "0002.pcap"
    halved.write_bytes(halved.read_bytes()[:-7])
    run = _same(sorted([*paths, poisoned]), tmp_path / "out")
    assert [report.problem for report in run.reports] == ["none", "none", "not_a_capture", "cut", "none"]
    assert max(map(len, watched.scans)) > 1


def test_a_file_that_ends_its_process_is_left_out_alone(
    captures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = cut(stream(captures, seed=34), range(300, 3000, 300), tmp_path)
    failing = Watched("0001.pcap")
    monkeypatch.setattr(distributed, "open_engine", lambda name, workers: failing)
    run = distributed.classify(paths, tmp_path / "out", workers=1)
    assert [report.problem for report in run.reports] == ["none", "unreadable", *["none"] * (len(paths) - 2)]
    assert "died 3 times" in run.reports[1].sentence
    plain = flowclass.classify([str(path) for path in paths if path.name != "0001.pcap"]).to_pyarrow()
    assert rows(written(tmp_path / "out")) == rows(plain)


def test_records_of_an_earlier_scan_do_not_stay(captures: Path, tmp_path: Path, watched: Watched) -> None:
    """A piece that is scanned again with wider borders may have no records of its own any more."""
    frames = stream(captures, seed=35)
    early = (frames[0][0] - 1000 * SECOND_NS, frames[0][1])
    later = [(time + 4000 * SECOND_NS, frame) for time, frame in frames[:200]]
    paths = cut([*frames, later[0], early, *later[1:]], [len(frames)], tmp_path)
    run = _same(paths, tmp_path / "out", group_octets=None)
    assert watched.scans == [["0000.pcap"], ["0001.pcap"], ["0000.pcap"]]
    assert run.carried > len(frames) * 9 // 10


def test_anonymized_files_are_named_in_the_order_given(captures: Path, tmp_path: Path, watched: Watched) -> None:
    paths = cut(stream(captures, seed=36), range(400, 4000, 400), tmp_path)
    options = EngineOptions(anonymize=CryptoPan(KEY))
    run = distributed.classify(paths, tmp_path / "out", workers=1, options=options)
    plain = flowclass.classify([str(path) for path in paths], options=options)
    assert rows(written(tmp_path / "out")) == rows(plain.to_pyarrow())
    names = set(written(tmp_path / "out").column("source_file").to_pylist())
    assert len(names) > 5
    assert names <= {source_name(place) for place in range(len(paths))}
    assert [report.name for report in run.reports] == [str(path) for path in paths]
    assert max(map(len, watched.scans)) > 1


class Counted:
    """A file system that takes note of what is opened."""

    def __init__(self, opened: list[str]) -> None:
        self.local, self.opened = fs.LocalFileSystem(), opened

    def open_input_stream(self, path: str, compression: None) -> pa.NativeFile:
        """Open a file."""
        self.opened.append(Path(path).name)
        return self.local.open_input_stream(path, compression=compression)


@pytest.mark.parametrize("kept", [True, False])
def test_files_on_a_far_file_system(
    kept: bool, captures: Path, tmp_path: Path, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is small comes over the network once, whatever a task does with it."""
    opened: list[str] = []
    monkeypatch.setattr("flowclass.distributed.piece.file_system", lambda place: (Counted(opened), place[7:]))
    if not kept:
        monkeypatch.setattr("flowclass.distributed.piece.MOST_KEPT", 0)
    paths = cut(stream(captures, seed=37), range(300, 4000, 300), tmp_path)
    whole = gzip.compress(paths[1].read_bytes())
    paths[1].write_bytes(whole[:-2000])  # what can be rescued of it is read once more
    distributed.classify([f"file://{path}" for path in paths], tmp_path / "out", workers=1, range_octets=None)
    plain = flowclass.classify([str(path) for path in paths]).to_pyarrow()
    left_out = ("source_file",)
    assert rows(written(tmp_path / "out"), without=left_out) == rows(plain, without=left_out)
    assert max(map(len, watched.scans)) > 1
    times = Counter(opened)
    assert set(times) == {path.name for path in paths}
    # Each scan is done twice here, as after a retry.
    assert (set(times.values()) == {2}) is kept


def _pieces(*octets: int, point: str = "", start: int | None = None) -> list[Piece]:
    return [
        Piece(number=number, files=(File(number=number, name="", column="", place="", octets=size),), point=point,
              start=start)
        for number, size in enumerate(octets)
    ]  # fmt: skip


def test_what_is_put_together() -> None:
    def sizes(pieces: list[Piece], most: int) -> list[list[int]]:
        made = grouped(pieces, most)
        assert [piece.number for piece in made] == list(range(len(made)))
        return [[file.octets for file in piece.files] for piece in made]

    assert sizes(_pieces(3, 3, 3, 9, 1, 1), 6) == [[3, 3], [3], [9], [1, 1]]
    assert sizes(_pieces(3, 3), 0) == [[3], [3]]
    assert sizes([*_pieces(1), *_pieces(5, start=0), *_pieces(1, 1)], 100) == [[1], [5], [1, 1]]
    assert [len(files) for files in sizes(_pieces(*[1] * 300), 1000)] == [MOST_FILES, 300 - MOST_FILES]
    two_points = [piece for pair in zip(_pieces(1, 2), _pieces(3, 4, point="b"), strict=True) for piece in pair]
    assert sizes(two_points, 100) == [[1, 2], [3, 4]]

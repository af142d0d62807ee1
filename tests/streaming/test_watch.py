"""A watched folder: each capture once, in order, when it is complete, also after a restart."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from capture_files import START_NS, exchange, pcap
from conftest import Command

import flowclass
from flowclass.pipeline.batch import Run
from flowclass.pipeline.options import RunOptions
from flowclass.pipeline.stop import Stop
from flowclass.sources.watch import STATE_NAME, WatchedFolder

SECOND = 1_000_000_000


def capture(number: int, count: int = 4) -> bytes:
    """Give a capture of one flow; later ones are of later times."""
    return pcap(exchange(count, start=START_NS + number * SECOND, client=f"10.0.0.{number + 10}"))


def given(folder: WatchedFolder) -> list[str]:
    """Give the names that come up to the first pause, and say that each was read."""
    names = []
    for file in folder.files():
        if file is None:
            return names
        names.append(Path(file.name).name)
        folder.done(file)
    return names


def settled(path: Path, **options: Path) -> WatchedFolder:
    return WatchedFolder(path, settle_s=0.0, **options)


def test_each_once_in_the_order_of_their_packets_and_also_after_a_restart(tmp_path: Path) -> None:
    for name, number in (("b.pcap", 1), ("a.pcap", 2), ("c", 0)):
        (tmp_path / name).write_bytes(capture(number))
    (tmp_path / "notes.txt").write_text("no capture")
    (tmp_path / ".hidden.pcap").write_bytes(capture(7))
    folder = settled(tmp_path)
    assert given(folder) == ["c", "b.pcap", "a.pcap"]
    (tmp_path / "d.pcap").write_bytes(capture(3))
    assert given(folder) == ["d.pcap"]
    assert given(folder) == []
    folder.save()
    (tmp_path / "e.pcap").write_bytes(capture(4))
    assert given(settled(tmp_path)) == ["e.pcap"]


def test_what_was_not_saved_is_given_again(tmp_path: Path) -> None:
    (tmp_path / "a.pcap").write_bytes(capture(0))
    assert given(settled(tmp_path)) == ["a.pcap"]
    assert given(settled(tmp_path)) == ["a.pcap"]


def test_a_file_that_grows_is_waited_for(tmp_path: Path) -> None:
    whole = capture(0, 100)
    file = tmp_path / "a.pcap"
    file.write_bytes(whole[:1000])
    folder = WatchedFolder(tmp_path, settle_s=0.6)
    listed = folder.files()
    for end in range(2000, len(whole), 2000):
        assert next(listed) is None, "a pause of a quarter of a second"
        file.write_bytes(whole[:end])
    file.write_bytes(whole)
    found = next(source for source in listed if source is not None)
    assert b"".join(bytes(piece) for piece in found.slices()) == whole


def test_a_name_that_is_used_again_is_another_file(tmp_path: Path) -> None:
    file = tmp_path / "ring0.pcap"
    file.write_bytes(capture(0))
    folder = settled(tmp_path)
    assert given(folder) == ["ring0.pcap"]
    folder.save()
    file.write_bytes(capture(1))
    os.utime(file, ns=(0, 0))
    assert given(folder) == ["ring0.pcap"], "while it runs"
    assert given(settled(tmp_path)) == ["ring0.pcap"], "and after a restart"


def test_a_file_that_grew_after_it_was_read_is_said_and_not_read_twice(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "a.pcap"
    file.write_bytes(capture(0, 10))
    folder = settled(tmp_path)
    assert given(folder) == ["a.pcap"]
    file.write_bytes(capture(0, 20))
    assert given(folder) == []
    assert folder.grown == 1
    assert "it grew by" in caplog.text


def test_what_is_gone_is_forgotten(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.pcap").write_bytes(capture(number))
    folder = settled(tmp_path)
    assert len(given(folder)) == 3
    (tmp_path / "1.pcap").unlink()
    folder.save()
    assert sorted(json.loads((tmp_path / STATE_NAME).read_bytes())["read"]) == ["0.pcap", "2.pcap"]


@pytest.mark.parametrize("state", [b"{", b'{"version": 2, "read": {}}', b'{"version": 1, "read": 3}'])
def test_a_state_that_cannot_be_read_is_refused(tmp_path: Path, state: bytes) -> None:
    (tmp_path / STATE_NAME).write_bytes(state)
    with pytest.raises(flowclass.SourceError, match="take it away to read all"):
        settled(tmp_path)


def test_a_state_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    folder = settled(tmp_path, state=tmp_path / "nowhere" / "state")
    with pytest.raises(flowclass.SourceError, match="give --state a place that can be written"):
        folder.save()


def test_the_run_is_that_over_the_same_files(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"{number}.pcap").write_bytes(capture(number))
    (tmp_path / "5.pcap").write_bytes(capture(5)[:-3])
    expected = flowclass.classify([tmp_path / f"{number}.pcap" for number in range(6)])
    early, later = Stop(), Stop()
    run = Run([settled(tmp_path)], RunOptions(), stop=early, progress=lambda _: early.ask())
    assert [row["packets_fwd"] for batch in run.batches() for row in batch.to_pylist()] == [2], "whole, and no other"
    run = Run([settled(tmp_path)], RunOptions(), stop=later)
    threading.Timer(0.6, later.ask).start()
    assert [row for batch in run.batches() for row in batch.to_pylist()] == expected.to_pyarrow().to_pylist()
    whole, cut = sorted(run.reports, key=lambda report: report.problem == "cut")
    assert (whole.format, whole.packets, whole.problem) == ("folder", 20, "none")
    assert (cut.packets, cut.problem) == (3, "cut")
    assert whole.balance + cut.balance == run.balance


def test_the_command_reads_each_file_once_over_two_runs(tmp_path: Path, flowclass_command: Command) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "0.pcap").write_bytes(capture(0))
    line = [sys.executable, "-m", "flowclass", "live", "--watch", str(folder), "--settle", "100ms", "-o", "out.parquet"]
    paths = [str(Path(flowclass.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    process = subprocess.Popen([*line, "--json"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE)
    try:
        process.wait(timeout=2.5)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 143
    assert json.loads(said)["balance"]["packets_read"] == 4
    (folder / "1.pcap").write_bytes(capture(1))
    ended = flowclass_command(
        "live", "--watch", folder, "--settle", "100ms", "--duration", "1s", "-q", "--format", "jsonl"
    )
    assert ended.code == 0
    assert [json.loads(row)["src_ip"] for row in ended.out.splitlines()] == ["10.0.0.11"]
    ended = flowclass_command("live", "--watch", folder, "--settle", "100ms", "--duration", "1s", "-q")
    assert (ended.code, ended.out) == (0, "")

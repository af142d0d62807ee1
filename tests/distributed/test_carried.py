"""What pieces leave at their borders, as files: read as they were written, and refused when they were changed."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from capture_files import exchange, pcap
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowclass import EngineOptions
from flowclass.distributed.carried import load, save
from flowclass.distributed.storage import Folder
from flowclass.engine import Carried, Engine, scan_piece
from flowclass.errors import SourceError

NAME = "left.arrow"
PARTITIONS = 2
FILES = ["a.pcap", "b.pcap"]


@pytest.fixture(scope="module")
def left() -> Carried:
    """Give all packets of a short capture: nothing of it is far from its borders."""
    data = pcap(exchange(20))
    facts = scan_piece([[data]], idle_timeout_ns=10**9, slack_ns=0)
    engine = Engine(EngineOptions(memcap=1 << 20), border=facts.border)
    engine.begin_source("piece")
    engine.push(data)
    engine.finish()
    packets = engine.take_carried()
    assert len(packets.times) == 20
    return packets


def pushed(packets: Carried) -> int:
    engine = Engine(EngineOptions(memcap=1 << 20))
    engine.begin_source("joined")
    engine.push_carried(packets)
    engine.finish()
    return int(engine.counters()["packets_read"])


def test_all_partitions_together_are_what_was_left(left: Carried, tmp_path: Path) -> None:
    save(left, tmp_path / NAME, PARTITIONS, FILES)
    parts = [part for partition in range(PARTITIONS) for _, part in load(Folder(str(tmp_path)), NAME, partition)]
    assert sum(pushed(part) for part in parts) == len(left.times)
    assert sorted(time for part in parts for time in part.times) == sorted(left.times)


def test_packets_of_several_files_come_by_file(left: Carried, tmp_path: Path) -> None:
    two = dataclasses.replace(left, sources=np.repeat(np.array([0, 1], np.uint32), [7, 13]))
    save(two, tmp_path / NAME, 1, FILES)
    found = load(Folder(str(tmp_path)), NAME, 0)
    assert [(name, part.frames.tolist()) for name, part in found] == [
        ("a.pcap", list(range(1, 8))),
        ("b.pcap", list(range(8, 21))),
    ]
    assert [pushed(part) for _, part in found] == [7, 13]


def test_a_file_that_it_does_not_name_is_refused(left: Carried, tmp_path: Path) -> None:
    save(dataclasses.replace(left, sources=left.sources + np.uint32(2)), tmp_path / NAME, 1, FILES)
    with pytest.raises(SourceError, match="what a piece left cannot be read"):
        load(Folder(str(tmp_path)), NAME, 0)


def changed(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Carried], Carried]:
    return lambda left: dataclasses.replace(left, **{name: change(getattr(left, name).copy())})


def longer(values: np.ndarray) -> np.ndarray:
    values[-1] += 1
    return values


def negative(values: np.ndarray) -> np.ndarray:
    values[0] = -1
    return values


def backwards(values: np.ndarray) -> np.ndarray:
    return values[::-1].copy()


def shorter(values: np.ndarray) -> np.ndarray:
    return values[:-1].copy()


REFUSED = {
    "an offset behind the octets": changed("offsets", longer),
    "an offset before the octets": changed("offsets", negative),
    "offsets backwards": changed("offsets", backwards),
    "an offset too few": changed("offsets", shorter),
    "a clock too few": changed("clocks", shorter),
    "a frame number too few": changed("frames", shorter),
    "a link type too few": changed("link_types", shorter),
    "octets too few": changed("octets", shorter),
    "less on the wire than captured": changed("wire_lengths", lambda values: values - np.uint32(1)),
}


@pytest.mark.parametrize("spoil", REFUSED.values(), ids=REFUSED)
def test_columns_that_cannot_be_are_refused(left: Carried, spoil: Callable[[Carried], Carried]) -> None:
    with pytest.raises(SourceError, match="what a piece left is refused: "):
        pushed(spoil(left))


def test_columns_of_another_kind_are_refused(left: Carried, tmp_path: Path) -> None:
    other = dataclasses.replace(left, times=left.times.astype(np.float64))
    save(other, tmp_path / NAME, PARTITIONS, FILES)
    with pytest.raises(SourceError, match="it has the columns"):
        load(Folder(str(tmp_path)), NAME, 0)


def test_every_cut_is_refused(left: Carried, tmp_path: Path) -> None:
    path = tmp_path / NAME
    save(left, path, PARTITIONS, FILES)
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(SourceError, match="what a piece left cannot be read"):
            load(Folder(str(tmp_path)), NAME, 0)


@given(data=st.data())
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_damage_is_refused_or_can_be_run(data: st.DataObject, left: Carried, tmp_path: Path) -> None:
    path = tmp_path / NAME
    save(left, path, PARTITIONS, FILES)
    octets = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(octets)
    with contextlib.suppress(SourceError):
        for _, packets in load(Folder(str(tmp_path)), NAME, data.draw(st.integers(0, PARTITIONS - 1))):
            assert pushed(packets) == len(packets.times)

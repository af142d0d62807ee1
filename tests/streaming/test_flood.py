"""A flood of new flows against a full table: tunnels that are told stay, those that begin meanwhile are found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from capture_files import ETHERNET, START_NS, udp_frame
from wire import frames_of

import flowclass
from flowclass.engine import Engine
from flowclass.pipeline.batch import BURSTS_BEHIND, Run
from flowclass.pipeline.options import RunOptions
from flowclass.sources.packets import Packets

SECOND = 1_000_000_000
LEAST = 1 << 20  # of memory: 1024 flows
COLUMNS = ["protocol", "tier", "end_reason", "time_start"]

Frames: TypeAlias = "list[tuple[int, bytes]]"


def flooded(engine: Engine, tunnels: Frames, *, a_second: int, seconds: int) -> list[dict[str, Any]]:
    """Push the packets of tunnels and, all the time, new flows of one packet; give the rows."""
    step = SECOND // a_second
    whole = udp_frame("10.0.0.0", 1024, "11.0.0.0", 9, bytes(40))
    ahead, behind = whole[:27], whole[30:]
    flood = [
        (START_NS + number * step, ahead + number.to_bytes(3, "big") + behind) for number in range(seconds * a_second)
    ]
    packets = sorted([*flood, *tunnels], key=lambda packet: packet[0])
    engine.begin_source("flood")
    batches = []
    for at in range(0, len(packets), 64):
        engine.push_packets(ETHERNET, packets[at : at + 64])
        batches += engine.poll()
    rows: list[dict[str, Any]] = []
    told = 0
    for batch in (*batches, *engine.finish()):
        told += sum(sum(batch.column(name).to_pylist()) for name in ("packets_fwd", "packets_rev"))
        rows += pa.Table.from_batches([batch.select(COLUMNS)]).filter(pc.field("protocol") == "wireguard").to_pylist()
    assert told == len(packets)
    return rows


def tunnel(handshake: Frames, number: int, begin_ns: int, *, every_s: float = 1.0, seconds: float = 0) -> Frames:
    """Give a tunnel of ends of its own: the handshake of a capture, then a keepalive now and then."""
    own = [(begin_ns + time - handshake[0][0], _of_ends(frame, number)) for time, frame in handshake]
    last, sent = own[-1]
    return [*own, *((last + int(every_s * turn * SECOND), sent) for turn in range(1, int(seconds / every_s)))]


def _of_ends(frame: bytes, number: int) -> bytes:
    """Change the last two octets of both IPv4 addresses."""
    mark = number.to_bytes(2, "big")
    return frame[:28] + mark + frame[30:32] + mark + frame[34:]


@pytest.fixture
def handshake(captures: Path) -> Frames:
    """Give the first packets of a WireGuard tunnel: initiation, response, data."""
    return [
        (time, frame) for time, frame in frames_of(captures / "wireguard-udp-51820.pcap") if frame[12:14] == b"\x08\0"
    ][:6]


@pytest.mark.parametrize("every_s", [0.5, 10.0])
def test_tunnels_that_are_told_outlive_a_flood(handshake: Frames, every_s: float) -> None:
    engine = Engine(flowclass.EngineOptions(memcap=LEAST))
    tunnels = [
        packet for number in range(40) for packet in tunnel(handshake, number, START_NS, every_s=every_s, seconds=22)
    ]
    found = flooded(engine, tunnels, a_second=1000, seconds=22)
    assert len(found) == 40, "each is one row: none left the table and came back"
    assert {row["end_reason"] for row in found} == {"eof"}
    assert {row["tier"] for row in found} == {"confirmed"}
    counters = engine.counters()
    assert counters["evicted"] > 20_000
    assert counters["flows_by_end_reason"]["evicted"] == counters["evicted"]
    assert counters["peak_flows"] == 1024


def test_tunnels_that_begin_in_a_flood_are_found(handshake: Frames) -> None:
    engine = Engine(flowclass.EngineOptions(memcap=16 << 20))
    tunnels = [
        packet
        for number in range(100)
        for packet in tunnel(handshake, number, START_NS + 2 * SECOND + number * SECOND // 50, every_s=0.5, seconds=1.5)
    ]
    found = flooded(engine, tunnels, a_second=6000, seconds=6)
    counters = engine.counters()
    assert counters["heads_cut"] > 10_000, "there are not heads enough for two seconds of the flood"
    assert counters["heads_refused"] == 0
    assert Counter(row["tier"] for row in found) == {"confirmed": 100}


def test_of_too_many_tunnels_those_leave_that_are_silent_longest(handshake: Frames) -> None:
    engine = Engine(flowclass.EngineOptions(memcap=LEAST, idle_timeout_ns=3600 * SECOND))
    tunnels = [
        packet for number in range(3000) for packet in tunnel(handshake[:4], number, START_NS + number * SECOND // 8)
    ]
    found = flooded(engine, tunnels, a_second=1, seconds=375)
    assert len(found) == 3000
    left = sorted(row["time_start"] for row in found if row["end_reason"] == "evicted")
    stayed = sorted(row["time_start"] for row in found if row["end_reason"] == "eof")
    assert len(left) > 1900
    assert left[-1] < stayed[-480], "none of those of the last minute"


def test_a_clock_that_was_set_back_stops_no_flow_from_ending() -> None:
    """By the engine alone; the run that notices it is looked at below."""
    engine = Engine(flowclass.EngineOptions())
    engine.begin_source("clock")
    future = START_NS + 10 * 365 * 86_400 * SECOND
    frame = udp_frame("10.0.0.1", 1000, "10.0.0.2", 2000, b"x")
    engine.push_packets(ETHERNET, [(future, frame)])
    for second in range(40):
        engine.push_packets(ETHERNET, [(START_NS + second * SECOND, frame)])
    assert engine.bursts_behind == 40
    engine.restart_clock()
    assert engine.bursts_behind == 0
    engine.flush()
    (row,) = [row for batch in engine.poll() for row in batch.to_pylist()]
    assert (row["end_reason"], row["packets_fwd"]) == ("forced", 41)
    engine.push_packets(ETHERNET, [(START_NS + 50 * SECOND, frame)])
    engine.advance(START_NS + 300 * SECOND)
    engine.flush()
    (row,) = [row for batch in engine.poll() for row in batch.to_pylist()]
    assert (row["end_reason"], row["packets_fwd"]) == ("idle", 1)
    counters = engine.counters()
    assert counters["time_first"] == START_NS
    assert counters["flows_by_end_reason"] == {
        **dict.fromkeys(counters["flows_by_end_reason"], 0),
        "forced": 1,
        "idle": 1,
    }
    assert counters["packets_read"] == counters["packets_in_flows"] == 42


def test_a_run_notices_that_the_clock_was_set_back(caplog: pytest.LogCaptureFixture) -> None:
    def frames() -> Iterator[tuple[int, bytes]]:
        frame = udp_frame("10.0.0.1", 1000, "10.0.0.2", 2000, b"x")
        yield START_NS + 10 * 365 * 86_400 * SECOND, frame  # the machine came up in another year
        for second in range(0, 1000, 10):
            yield START_NS + second * SECOND, frame
        yield START_NS + 700 * SECOND, frame  # one that is late is no clock
        yield START_NS + 1500 * SECOND, frame

    run = Run([Packets(frames(), link_type=ETHERNET, burst=1)], RunOptions(latency_s=0.0))
    rows = [row for batch in run.batches() for row in batch.to_pylist()]
    assert run.clock_restarts == 1
    assert "the clock of the packets went back by more than a minute" in caplog.text
    assert [(row["end_reason"], row["packets_fwd"]) for row in rows] == [
        ("forced", 1 + BURSTS_BEHIND),
        ("idle", 101 - BURSTS_BEHIND),
        ("eof", 1),
    ]
    assert run.balance.closed
    assert run.balance.packets_read == 103


def test_a_batch_run_takes_times_as_they_are() -> None:
    frame = udp_frame("10.0.0.1", 1000, "10.0.0.2", 2000, b"x")
    frames = [(START_NS, frame), *((START_NS - (3600 - second) * SECOND, frame) for second in range(100))]
    run = Run([Packets(frames, link_type=ETHERNET, burst=1)], RunOptions())
    assert sum(batch.num_rows for batch in run.batches()) == 1
    assert run.clock_restarts == 0

"""Cutting the input and sharing the work change no digit of the feature columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from capture_files import read_pcap

import flowclass
from flowclass.engine import Engine
from flowclass.schema import arrow_schema

SECOND = 1_000_000_000
GROUPS = ("wireguard", "openvpn-udp", "openvpn-tcp", "ike", "tls", "dns", "l2tp", "pptp", "ip-in-ip", "ssh")
TIMEOUTS: dict[str, dict[str, int]] = {
    "usual": {},
    "segments": {"idle_timeout_ns": SECOND // 2, "active_timeout_ns": SECOND},
    "little_memory": {"memcap": 1 << 20},
}


@pytest.fixture(scope="module")
def mixed(captures: Path) -> list[tuple[int, bytes]]:
    """Give the frames of one small capture of each kind of traffic, as if seen together, every ninth one late."""
    frames: list[tuple[int, bytes]] = []
    chosen = [next(iter(sorted(captures.glob(f"{group}*.pcap"))), None) for group in GROUPS]
    for path in (path for path in chosen if path is not None):
        found, link_type = read_pcap(path)
        assert link_type == 1
        frames += [(1_732_000_000 * SECOND + time - found[0][0], frame) for time, frame in found]
    assert len(frames) > 300
    frames.sort(key=lambda pair: pair[0])
    for place in range(9, len(frames), 9):
        frames[place - 4], frames[place] = frames[place], frames[place - 4]
    return frames


def rows(frames: list[tuple[int, bytes]], piece: int, threads: int, timeouts: dict[str, int]) -> list[dict[str, Any]]:
    options: dict[str, Any] = {"heads": True, "features": True, **timeouts}
    engine = Engine(flowclass.EngineOptions(**options), threads=threads)
    engine.begin_source("")
    batches = []
    for at in range(0, len(frames), piece):
        engine.push_packets(1, frames[at : at + piece])
        batches += engine.poll()
    engine.end_source()
    batches += engine.finish()
    assert engine.counters()["features_refused"] == 0
    return pa.Table.from_batches(batches, arrow_schema(heads=True, features=True)).to_pylist()


@pytest.mark.parametrize("timeouts", TIMEOUTS)
def test_cuts_and_threads(timeouts: str, mixed: list[tuple[int, bytes]]) -> None:
    whole = rows(mixed, len(mixed), 1, TIMEOUTS[timeouts])
    assert len(whole) > 20
    assert any(row["pkt_len_std_fwd"] for row in whole)
    assert any(row["parent_flow_id"] for row in whole)
    for piece, threads in ((1, 1), (7, 1), (128, 2), (1000, 3)):
        assert rows(mixed, piece, threads, TIMEOUTS[timeouts]) == whole, (piece, threads)


def test_they_change_no_other_column(mixed: list[tuple[int, bytes]]) -> None:
    with_features = rows(mixed, 1000, 1, {})
    engine = Engine(flowclass.EngineOptions(heads=True))
    engine.begin_source("")
    engine.push_packets(1, mixed)
    engine.end_source()
    plain = [row for batch in engine.finish() for row in batch.to_pylist()]
    names = arrow_schema(heads=True).names
    assert [{name: row[name] for name in names} for row in with_features] == plain


def test_segments_begin_new_statistics(mixed: list[tuple[int, bytes]]) -> None:
    """A segment is described by its own packets; only what is said of the head is the flow's."""
    found = rows(mixed, 1000, 1, {"idle_timeout_ns": 20 * SECOND, "active_timeout_ns": SECOND // 2})
    later = [row for row in found if row["segment"] > 0]
    assert len(later) > 10
    for row in later:
        count = row["packets_fwd"] + row["packets_rev"]
        assert len(row["splt_len"]) == min(16, count)
        assert row["splt_iat_ns"][0] == 0
        assert row["active_periods"] >= 1
    first = {(row["community_id"], row["parent_flow_id"]): row for row in found if row["segment"] == 0}
    inherited = [row for row in later if (row["community_id"], row["parent_flow_id"]) in first]
    assert inherited
    for row in inherited:
        assert (row["head_octets_bi"] is None) == (not row["head"])

"""The engine's state saved and restored: whoever goes on gives the rows of one that was never stopped."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from capture_files import START_NS, exchange, pcap, pcapng, read_pcap
from conftest import ROOT

import flowclass
from flowclass.anonymize import CryptoPan
from flowclass.engine import Engine
from flowclass.schema import arrow_schema

SECOND = 1_000_000_000
GROUPS = (
    "wireguard",
    "openvpn-udp",
    "openvpn-tcp",
    "ikev1-fragments",
    "https-tls13",
    "dns",
    "l2tp",
    "pptp",
    "vxlan",
    "gre-ip",
    "ssh",
)
KINDS: dict[str, dict[str, Any]] = {
    "usual": {},
    "all_columns": {"heads": True, "features": True},
    "segments": {"idle_timeout_ns": SECOND // 2, "active_timeout_ns": SECOND},
    "little_memory": {"memcap": 1 << 20, "features": True},
    "anonymized": {"anonymize": CryptoPan(bytes(range(32)))},
}


@pytest.fixture(scope="module")
def mixed(captures: Path) -> list[tuple[int, bytes]]:
    """Give the frames of one small capture of each kind of traffic, as if seen together, every ninth one late."""
    frames: list[tuple[int, bytes]] = []
    chosen = [next(iter(sorted(captures.glob(f"{group}*.pcap"))), None) for group in GROUPS]
    for path in (path for path in chosen if path is not None):
        found, link_type = read_pcap(path)
        if link_type == 1:
            frames += [(1_732_000_000 * SECOND + time - found[0][0], frame) for time, frame in found]
    assert len(frames) > 300
    frames.sort(key=lambda pair: pair[0])
    for place in range(9, len(frames), 9):
        frames[place - 4], frames[place] = frames[place], frames[place - 4]
    return frames


@pytest.fixture(scope="module")
def registered() -> dict[str, Any]:
    return {
        "registry": flowclass.Registry.load(ROOT / "datasets" / "registry" / "sample.csv"),
        "policy": flowclass.Policy.load(ROOT / "datasets" / "registry" / "policy.toml"),
    }


def state_of(engine: Engine) -> bytes:
    file = os.memfd_create("state")
    try:
        engine.save(file)
        return os.pread(file, os.fstat(file).st_size, 0)
    finally:
        os.close(file)


def rows(
    octets: bytes, piece: int, kind: dict[str, Any], *, hand_over: bool, threads: int = 1, **judging: Any
) -> tuple[pa.Table, dict[str, Any]]:
    """Push a capture in pieces; with `hand_over` each piece goes to a new engine with the state of the last."""
    options = flowclass.EngineOptions(**kind)
    engine = Engine(options, threads=threads, **judging)
    engine.begin_source("capture")
    batches = []
    for at in range(0, len(octets), piece):
        engine.push(octets[at : at + piece])
        engine.flush()
        batches += engine.poll()
        if hand_over:
            state = state_of(engine)
            engine = Engine(options, threads=threads, **judging)
            engine.restore(state)
            assert state_of(engine) == state
    engine.end_source()
    batches += engine.finish()
    counters = engine.counters()
    for name in ("peak_flows", "table_bytes", "head_bytes", "evidence_bytes"):  # of this process
        del counters[name]
    schema = arrow_schema(heads=options.heads, features=options.features)
    return pa.Table.from_batches(batches, schema), counters | {"verdicts": dict(engine.verdicts())}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_handed_over_at_every_burst(kind: str, threads: int, mixed: list[tuple[int, bytes]]) -> None:
    octets = pcap(mixed)
    whole = rows(octets, 4096, KINDS[kind], hand_over=False, threads=threads)
    assert whole[0].num_rows > 20
    assert rows(octets, 4096, KINDS[kind], hand_over=True, threads=threads) == whole


def test_handed_over_inside_records(mixed: list[tuple[int, bytes]]) -> None:
    """Pieces of odd lengths cut records, blocks, and the headers of the file."""
    for octets in (pcap(mixed[:120]), pcapng(mixed[:120])):
        whole = rows(octets, len(octets), KINDS["all_columns"], hand_over=False)
        assert rows(octets, 997, KINDS["all_columns"], hand_over=True) == whole
    octets = pcapng(mixed[:3])
    assert rows(octets, 1, {}, hand_over=True) == rows(octets, len(octets), {}, hand_over=False)


def test_judged(mixed: list[tuple[int, bytes]], registered: dict[str, Any]) -> None:
    octets = pcap(mixed)
    whole = rows(octets, 8192, {}, hand_over=False, **registered)
    assert set(whole[0]["registry_match"].to_pylist()) != {None}
    assert rows(octets, 8192, {}, hand_over=True, **registered) == whole
    counted = rows(octets, 8192, {}, hand_over=False, rows=False, **registered)
    assert counted[1]["verdicts"]
    assert rows(octets, 8192, {}, hand_over=True, rows=False, **registered) == counted


def test_captures_of_ours(captures: Path) -> None:
    """Some of them; the fuzz target's seeds are all."""
    for path in sorted(captures.iterdir())[::9]:
        octets = path.read_bytes()
        if path.suffix in (".pcap", ".pcapng") and len(octets) < 200_000:
            piece = max(len(octets) // 6, 1)
            whole = rows(octets, piece, KINDS["all_columns"], hand_over=False)
            assert rows(octets, piece, KINDS["all_columns"], hand_over=True) == whole, path.name


def test_who_leaves_a_full_table_is_the_same() -> None:
    """Eviction goes by the places in the timer wheel."""
    dice = random.Random(7)
    frames = []
    for number in range(3000):
        client = f"10.0.{number >> 8}.{number & 255}"
        frames += exchange(dice.randrange(1, 4), start=START_NS + number * 1_500_000, client=client)
    octets = pcap(sorted(frames))
    kind = {"memcap": 1 << 20, "features": True}
    whole = rows(octets, 32_768, kind, hand_over=False)
    assert whole[1]["evicted"] > 1000
    assert rows(octets, 32_768, kind, hand_over=True) == whole


def half_way(mixed: list[tuple[int, bytes]], **options: Any) -> bytes:
    engine = Engine(flowclass.EngineOptions(**options))
    engine.begin_source("capture")
    engine.push(pcap(mixed[: len(mixed) // 2]))
    engine.flush()
    engine.poll()
    return state_of(engine)


def test_what_does_not_fit_is_refused(mixed: list[tuple[int, bytes]], registered: dict[str, Any]) -> None:
    state = half_way(mixed)
    others: list[dict[str, Any]] = [
        {"options": flowclass.EngineOptions(idle_timeout_ns=SECOND)},
        {"options": flowclass.EngineOptions(features=True)},
        {"options": flowclass.EngineOptions(vlan_in_key=False)},
        {"options": flowclass.EngineOptions(), "threads": 2},
        {"options": flowclass.EngineOptions(), "rows": False},
        {"options": flowclass.EngineOptions(), "registry": registered["registry"]},
    ]
    for other in others:
        with pytest.raises(ValueError, match="other options"):
            Engine(**other).restore(state)
    with pytest.raises(ValueError, match="none of this version"):
        Engine(flowclass.EngineOptions()).restore(b"\0" * 100)
    engine = Engine(flowclass.EngineOptions())
    engine.restore(state)
    with pytest.raises(ValueError, match="Only a new engine"):
        engine.restore(state)


def test_a_state_has_its_moment(mixed: list[tuple[int, bytes]]) -> None:
    engine = Engine(flowclass.EngineOptions(idle_timeout_ns=SECOND // 10))
    engine.begin_source("capture")
    engine.push(pcap(mixed))
    with pytest.raises(ValueError, match="flush and poll"):
        state_of(engine)
    engine.finish()
    with pytest.raises(ValueError, match="is finished"):
        state_of(engine)
    with pytest.raises(OSError, match="Bad file descriptor"):
        Engine(flowclass.EngineOptions()).save(-1)


def test_damage_is_refused_or_harmless(captures: Path) -> None:
    """Each octet changed, and each length cut: no crash, and an engine that refused is as new."""
    frames, _ = read_pcap(min(captures.glob("wireguard*.pcap"), key=lambda path: path.stat().st_size))
    state = half_way(frames[:6], features=True, heads=True)
    options = flowclass.EngineOptions(features=True, heads=True)
    for length in range(0, len(state), 7):
        with pytest.raises(ValueError, match="refused"):
            Engine(options).restore(state[:length])
    refused = 0
    for place in range(0, len(state), 3):
        changed = bytearray(state)
        changed[place] ^= 0xFF
        engine = Engine(options)
        try:
            engine.restore(changed)
        except ValueError:
            refused += 1
            engine.begin_source("capture")
        engine.finish()
    assert refused > len(state) // 20

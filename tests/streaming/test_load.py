"""The long runs of benchmarks/live in small: packets over a cable without loss, a flood against a small table."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from conftest import ROOT
from wire import Wire, own_wire

sys.path.insert(0, str(ROOT))

from benchmarks.live import replay, soak
from benchmarks.live.traffic import Rounds, frames_of


@pytest.fixture
def wire() -> Iterator[Wire]:
    with own_wire() as made:
        yield made


def undisturbed(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Do it, and again where the machine was so busy that packets were dropped; skip where it always is."""
    for _ in range(4):
        found = work()
        facts = found["captured"]
        if not facts["interface_dropped"] and not facts["kernel_dropped"]:
            return found
    pytest.skip(f"this machine is too busy for a few thousand packets: {facts}")


@pytest.mark.usefixtures("wire")
def test_no_packet_is_lost_below_the_limit_and_every_flow_is_told(captures: Path) -> None:
    rounds = Rounds(frames_of(captures))
    once = rounds.verdicts()
    assert {protocol for protocol, _ in once} >= {"wireguard", "ike", "fastd", "gre", "tls", "http", "dns"}
    found = undisturbed(lambda: replay.replay(rounds, 10_000, 5_000.0, "--ring", "64MiB"))
    assert replay.lost(found) == 0
    assert replay.missing(found, once) == {}
    assert sum(found["verdicts"].values()) == found["rounds"] * sum(once.values())


@pytest.mark.usefixtures("wire")
def test_what_is_lost_is_seen(captures: Path) -> None:
    rounds = Rounds(frames_of(captures))
    found = replay.replay(rounds, 50_000, 0.0, "--ring", "64KiB")
    assert replay.lost(found) > 0
    assert replay.lost(found) == found["captured"]["kernel_dropped"] + found["captured"]["interface_dropped"]


@pytest.mark.usefixtures("wire")
def test_a_flood_in_small(captures: Path, tmp_path: Path) -> None:
    how = {"seconds": 8.0, "rate": 1_000.0, "tunnels": 12, "memcap": "1MiB", "every_s": 1.0, "growth": 1 << 28}
    found = undisturbed(lambda: soak.soak(captures, Path(mkdtemp(dir=tmp_path)), **how))
    assert found["wrong"] == []
    assert found["tunnels_confirmed"] == 12
    assert found["evicted"] > 1_000

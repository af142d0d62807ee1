"""What an attacker would send, at a size for the suite; the full size is a command (__main__.py)."""

from __future__ import annotations

import sys

import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT))
from flowclass import EngineOptions
from flowclass.engine import Engine
from tests.hostile.adversarial import CASES
from tests.hostile.mutations import told_of

# What each case must come to at its small size: packets; and which file is none.
PACKETS = {"nested": 120, "zeros": 0, "zero_records": (4 << 20) // 16, "interfaces": 656}  # of 65,536 interfaces
PROBLEMS = {"zeros"}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", CASES)
def test_everything_is_accounted_for(name: str, threads: int) -> None:
    case = CASES[name]
    told = told_of(case.make(case.small), threads=threads, memcap=case.memcap, hash_seed=case.hash_seed)
    assert told.closed
    assert told.packets == PACKETS.get(name, case.small)
    assert (told.problem == "none") == (name not in PROBLEMS), told.problem


def test_a_flood_does_not_grow_the_table() -> None:
    case = CASES["random_tuples"]
    engine = Engine(EngineOptions(memcap=1 << 20))
    engine.begin_source("flood")
    for piece in case.make(case.small):
        engine.push(piece)
    counters = engine.counters()
    assert counters["table_bytes"] <= 1 << 20
    assert counters["evicted"] > case.small / 2


@pytest.mark.parametrize("name", ["colliding", "colliding_unknown"])
def test_who_knows_the_seed_makes_the_table_take_another(name: str) -> None:
    case = CASES[name]
    engine = Engine(EngineOptions(memcap=case.memcap), hash_seed=case.hash_seed)
    engine.begin_source("flood")
    for piece in case.make(case.small):
        engine.push(piece)
    counters = engine.counters()
    assert counters["peak_flows"] == case.small
    assert (counters["placed_anew"] > 0) == (case.hash_seed is not None)


def test_tunnels_are_followed_so_far_and_counted_beyond() -> None:
    case = CASES["nested"]
    engine = Engine(EngineOptions(memcap=1 << 20, tunnels=True))
    engine.begin_source("nested")
    for piece in case.make(case.small):
        engine.push(piece)
    engine.finish()
    counters = engine.counters()
    assert counters["packets_read"] == 2 * case.small
    assert 0 < counters["inner_packets"] <= 8 * case.small

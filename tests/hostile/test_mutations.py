"""A few hundred broken captures through the engine; the hundred thousand are a command (mutations.py)."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import pytest
from capture_files import exchange, pcap, pcapng
from conftest import ROOT

sys.path.insert(0, str(ROOT))
from tests.hostile import mutations
from tests.hostile.variants import BREAKERS, blocks_of, octets_of, variant

VARIANTS = 600


def test_no_variant_of_our_captures_breaks_the_engine(captures: Path) -> None:
    files = [octets_of(path)[: 64 << 10] for path in sorted(captures.iterdir())]
    outcome = mutations.run(files, VARIANTS)
    assert outcome.failures == [], outcome.sentence()
    assert outcome.run == VARIANTS
    assert outcome.packets > 20 * VARIANTS, "the variants are still captures"
    assert outcome.reports["none"] < VARIANTS, "and some are damaged so that it is said"


def test_the_watch_sees_a_crash_a_hang_and_an_open_balance(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(data: bytes, threads: int) -> tuple[int, bool, str]:
        if data[0] == 1:
            os._exit(9)
        while data[0] == 2:
            pass
        return 1, data[0] != 3, "none"

    monkeypatch.setattr(mutations, "balance_of", broken)
    monkeypatch.setattr(mutations, "variant", lambda files, number, seed: files[number])
    outcome = mutations.run([bytes([kind]) for kind in (0, 1, 2, 3, 0)], 5, hang_s=1.0)
    assert outcome.failures == [(1, "crash"), (2, "hang"), (3, "open")]
    assert outcome.run == 5


@pytest.mark.parametrize("make", [pcap, pcapng])
def test_blocks_are_where_the_container_says(make: object) -> None:
    data = make(exchange(5))  # type: ignore[operator]
    places = blocks_of(data)
    assert places[-1] == len(data)
    assert len(places) == (6 if make is pcap else 8)


def test_every_breaker_changes_a_capture_and_the_same_number_gives_the_same_variant() -> None:
    whole = pcap(exchange(20))
    for breaker in BREAKERS:
        data = bytearray(whole)
        changed = False
        for number in range(5):
            breaker(data, random.Random(number))
            changed = changed or bytes(data) != whole
        assert changed, breaker.__name__
    assert variant([whole], 7, 1) == variant([whole], 7, 1) != variant([whole], 7, 2)


def test_what_is_said_of_a_variant_is_what_the_engine_counted() -> None:
    data = pcap(exchange(6))
    assert mutations.balance_of(data, 1) == (6, True, "none")
    assert mutations.balance_of(data[:-1], 2) == (5, True, "cut")

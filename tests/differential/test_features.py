"""Every feature column equals the plain reference: integers exactly, the others to a billionth."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from feature_reference import Decoder, features, packets_of_rows

import flowclass
from flowclass.accuracy.frames import read_frames
from flowclass.errors import SourceError
from flowclass.schema import feature_fields

NAMES = [column["name"] for column in feature_fields()]
EVERYTHING = flowclass.EngineOptions(heads=True, features=True)
SHORT = flowclass.EngineOptions(
    heads=True, features=True, idle_timeout_ns=500_000_000, active_timeout_ns=700_000_000, tcp_linger_ns=0
)
MOST_OCTETS = 4 << 20


@dataclass
class Compared:
    """What came of comparing."""

    rows: Counter[tuple[str, bool]] = field(default_factory=Counter)  # outer or inner; compared
    values: Counter[str] = field(default_factory=Counter)  # that are not null, by column
    differences: list[str] = field(default_factory=list)


def compare(path: Path, options: flowclass.EngineOptions, compared: Compared) -> None:
    """Compare a capture's rows; rows whose packets the reference doesn't find are counted, not compared."""
    data = path.read_bytes()
    try:
        frames = read_frames(data)
    except SourceError:
        return
    rows = flowclass.classify(data, options=options).to_pyarrow().to_pylist()
    for row, packets in zip(rows, packets_of_rows(rows, Decoder().packets(frames)), strict=True):
        compared.rows["outer" if row["parent_flow_id"] is None else "inner", packets is not None] += 1
        if packets is None:
            continue
        expected = features(packets, row, row["head"])
        assert sorted(expected) == sorted(NAMES)
        for name in NAMES:
            compared.values[name] += row[name] is not None and row[name] != []
            if not same(row[name], expected[name]):
                compared.differences.append(f"{path.name} {row['flow_id']} {name}: {row[name]} != {expected[name]}")


def same(found: Any, expected: Any) -> bool:
    if isinstance(found, float) and expected is not None:
        return bool(abs(found - expected) <= 1e-9 * abs(expected))
    return bool(found == expected)


@pytest.mark.parametrize("options", [EVERYTHING, SHORT], ids=["usual", "segments"])
def test_our_captures(options: flowclass.EngineOptions, captures: Path) -> None:
    compared = Compared()
    for path in sorted(captures.iterdir()):
        compare(path, options, compared)
    assert not compared.differences[:10]
    assert compared.rows["outer", True] > 200
    assert compared.rows["outer", False] == 0
    assert compared.rows["inner", True] > 0
    # No column is compared by its nulls alone; segments shorter than 5 s have no idle gap.
    assert [name for name in NAMES if not compared.values[name]] == ([] if options is EVERYTHING else NO_GAPS)


NO_GAPS = ["active_ns_std", "idle_ns_min", "idle_ns_mean", "idle_ns_std", "idle_ns_max"]


@pytest.mark.corpus
def test_the_corpus(corpus: Path) -> None:
    compared = Compared()
    paths = sorted((corpus / "captures").iterdir())
    for path in paths[:: max(1, len(paths) // 400)]:
        if path.stat().st_size <= MOST_OCTETS:
            compare(path, EVERYTHING, compared)
    assert not compared.differences[:10]
    outer = compared.rows["outer", True]
    # The others are of links that the reference doesn't read, or have headers that contradict themselves.
    assert outer > 1000
    assert compared.rows["outer", False] < 0.03 * outer, compared.rows

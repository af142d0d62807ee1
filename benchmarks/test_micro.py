"""Small benchmarks of single stages: `pytest benchmarks/test_micro.py`. Each asserts the answer before it is timed.

Processor time, not the wall clock. Every stage's least time is also told as a multiple of a calibration loop's that
runs between the rounds, in the same process: those ratios are kept in ratios.toml and compared by `make bench-check`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.calibration import Calibration
from benchmarks.native import build_stages, run_stages
from benchmarks.pipeline.end_to_end import check, run
from benchmarks.registry.contenders import flowclass
from benchmarks.registry.workload import make_addresses, make_table
from benchmarks.traces import TraceOptions, generate
from benchmarks.truth import accuracy, check_balance, check_counts, check_protocols
from benchmarks.variant import SINKS, options_of, run_to
from benchmarks.variant import check as check_variant
from benchmarks.variant import table as plain_table
from flowclass import _core

_OPTIONS = TraceOptions(size=20_000_000, flows=3000, seconds=30)
_ROUNDS = 9
_NATIVE = ("read", "decode", "table", "heads", "hello", "match", "shard", "engine")
_COUNTED = ("table", "shard", "engine")
_NAMED = ("match", "engine")
_OPTIONAL = ("registry", "policy", "anonymize", "heads", "features")
_PREFIXES = 20_000

Trace = tuple[Path, bytes, dict[str, Any]]


class Replay:
    """A clock that shows times which another process measured, one round for each step."""

    def __init__(self) -> None:
        self._shown = 0.0
        self.rounds: list[float] = []

    def __call__(self) -> float:
        return self._shown

    def step(self) -> None:
        self._shown += self.rounds.pop(0)


REPLAY = Replay()


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    """Give a small trace, its octets, and what is in it."""
    path = tmp_path_factory.mktemp("trace") / "small.pcap"
    truth = generate(path, _OPTIONS)
    return path, path.read_bytes(), truth


@pytest.fixture(scope="module")
def native(trace: Trace) -> dict[str, dict[str, Any]]:
    """Run the native stages and their calibration, round by round; the program is built unless it is named."""
    named = os.environ.get("FLOWCLASS_STAGES")
    program = Path(named) if named else build_stages()
    rows = run_stages(program, trace[0], stages=(*_NATIVE, "calibration"), repeat=_ROUNDS)
    return {row["stage"]: row for row in rows}


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    made = Calibration()
    assert made.round() == made.round()
    made.seconds.clear()
    return made


def timed(benchmark: Any, calibration: Calibration, stage: str, work: Callable[[], object]) -> None:
    """Time some rounds of work, each after one of the calibration."""
    calibration.seconds.clear()
    took: list[float] = []

    def calibrate() -> None:
        calibration.round()

    def once() -> None:
        begun = time.process_time()
        work()
        took.append(time.process_time() - begun)

    benchmark.pedantic(once, setup=calibrate, rounds=_ROUNDS)
    benchmark.extra_info |= {"stage": stage, "ratio": calibration.ratio(took)}


@pytest.mark.benchmark(timer=REPLAY)
@pytest.mark.parametrize("stage", _NATIVE)
def test_native(benchmark: Any, trace: Trace, native: dict[str, dict[str, Any]], stage: str) -> None:
    truth, row = trace[2], native[stage]
    check_counts(truth, row["packets"], row["flows"] if stage in _COUNTED else truth["flows"])
    if stage in _NAMED:
        check_protocols(truth, row["protocols"])
    REPLAY.rounds = list(row["processor_seconds"])
    benchmark.pedantic(REPLAY.step, rounds=_ROUNDS)
    ratio = row["processor_seconds_least"] / native["calibration"]["processor_seconds_least"]
    benchmark.extra_info |= {"stage": f"native {stage}", "ratio": ratio, "packets": row["packets"]}


@pytest.mark.benchmark(timer=time.process_time)
@pytest.mark.parametrize("threads", [1, 2])
def test_engine(benchmark: Any, trace: Trace, calibration: Calibration, threads: int) -> None:
    octets, truth = memoryview(trace[1]), trace[2]
    found, rows, counters, _ = check(octets, threads)
    by_protocol: dict[str, int] = {}
    for (protocol, _), count in found.items():
        by_protocol[protocol] = by_protocol.get(protocol, 0) + count
    check_balance(truth, counters)
    check_counts(truth, counters["packets_read"], rows)
    check_protocols(truth, by_protocol)
    assert accuracy(truth, found) > 0.97
    timed(benchmark, calibration, f"engine, {threads} thread{'s' * (threads > 1)}", lambda: run(octets, threads))


@pytest.mark.benchmark(timer=time.process_time)
@pytest.mark.parametrize("name", [*_OPTIONAL, *SINKS])
def test_variant(benchmark: Any, trace: Trace, calibration: Calibration, tmp_path: Path, name: str) -> None:
    octets = memoryview(trace[1])
    options = options_of(name, _PREFIXES)
    check_variant(name, octets, options, plain_table(octets, {}), tmp_path)
    form = name if name in SINKS else None
    timed(benchmark, calibration, f"engine, {name}", lambda: run_to(octets, options, form, tmp_path))


@pytest.mark.benchmark(timer=time.process_time)
@pytest.mark.parametrize("version", [4, 6])
def test_registry(benchmark: Any, calibration: Calibration, version: int) -> None:
    made = make_table(version, _PREFIXES, 1)
    built = flowclass(made)
    column = built.prepare(make_addresses(made, "zipf", 1 << 18, 3))
    assert (built.answers(built.find(column)) >= 0).all()
    timed(benchmark, calibration, f"look-ups, IPv{version}", lambda: built.find(column))


def test_first_packet_time(benchmark: Any, trace: Trace) -> None:
    prefix = trace[1][:65536]
    seconds, nanoseconds = (int.from_bytes(prefix[at : at + 4], "little") for at in (24, 28))
    assert _core.first_packet_time(prefix) == seconds * 1_000_000_000 + nanoseconds
    benchmark(_core.first_packet_time, prefix)


def test_community_id(benchmark: Any) -> None:
    # From the examples of the specification's reference implementation.
    flow = ("128.232.110.120", "66.35.250.204", 6, 34855, 80)
    assert _core.community_id(*flow) == "1:LQU9qZlK+B5F3KDmev6m5PMibrg="
    benchmark(_core.community_id, *flow)

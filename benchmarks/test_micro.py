"""Small benchmarks of single steps: `pytest benchmarks/test_micro.py`. Each asserts the answer before it is timed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.pipeline.end_to_end import check, run
from benchmarks.templates import CAPTURES, read_templates
from benchmarks.traces import TraceOptions, copies, generate
from benchmarks.truth import accuracy, check_balance, check_protocols
from flowclass import _core

_OPTIONS = TraceOptions(size=20_000_000, flows=3000, seconds=30)


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, dict[str, Any]]:
    """Give the octets of a small trace and what is in it."""
    path = tmp_path_factory.mktemp("trace") / "small.pcap"
    truth = generate(path, _OPTIONS)
    return path.read_bytes(), truth


@pytest.mark.parametrize("threads", [1, 2])
def test_engine(benchmark: Any, trace: tuple[bytes, dict[str, Any]], threads: int) -> None:
    octets, truth = trace
    found, rows, counters, _ = check(memoryview(octets), threads)
    by_protocol: dict[str, int] = {}
    for (protocol, _), count in found.items():
        by_protocol[protocol] = by_protocol.get(protocol, 0) + count
    check_balance(truth, counters)
    check_protocols(truth, by_protocol)
    assert rows == truth["flows"]
    assert accuracy(truth, found) == 1.0
    benchmark.extra_info["packets"] = truth["packets"]
    benchmark(run, memoryview(octets), threads)


def test_first_packet_time(benchmark: Any, trace: tuple[bytes, dict[str, Any]]) -> None:
    prefix = trace[0][:65536]
    seconds, nanoseconds = (int.from_bytes(prefix[at : at + 4], "little") for at in (24, 28))
    assert _core.first_packet_time(prefix) == seconds * 1_000_000_000 + nanoseconds
    benchmark(_core.first_packet_time, prefix)


def test_community_id(benchmark: Any) -> None:
    # From the examples of the specification's reference implementation.
    flow = ("128.232.110.120", "66.35.250.204", 6, 34855, 80)
    assert _core.community_id(*flow) == "1:LQU9qZlK+B5F3KDmev6m5PMibrg="
    benchmark(_core.community_id, *flow)


def test_traces_are_the_same_for_a_seed(tmp_path: Path) -> None:
    first, second = tmp_path / "first.pcap", tmp_path / "second.pcap"
    options = TraceOptions(size=1_000_000, flows=200, seconds=5)
    generate(first, options)
    generate(second, options)
    assert first.read_bytes() == second.read_bytes()


def test_traces_meet_size_flows_and_share() -> None:
    templates = read_templates(CAPTURES)
    counts = copies(templates, _OPTIONS)
    octets = sum(int(count) * template.bytes for count, template in zip(counts, templates, strict=True))
    vpn = sum(int(count) for count, template in zip(counts, templates, strict=True) if template.is_vpn)
    assert counts.sum() == _OPTIONS.flows
    assert octets == pytest.approx(_OPTIONS.size, rel=0.02)
    assert vpn / _OPTIONS.flows == pytest.approx(_OPTIONS.vpn, abs=0.01)

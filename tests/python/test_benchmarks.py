"""The benchmarks' own parts that need no clock: traces, truths, goals, pages, fits, ratios."""

from __future__ import annotations

import itertools
import re
import struct
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT))

from benchmarks.ablation.__main__ import parts
from benchmarks.calibration import Calibration
from benchmarks.compare.contenders import Contender, contenders, version
from benchmarks.compare.goals import goals
from benchmarks.compare.measure import run
from benchmarks.compare.page import measured, write_page
from benchmarks.compare.starts import first_packets
from benchmarks.marks import PAGE, put, replaced
from benchmarks.ratios import document, judged, ratios_in
from benchmarks.scaling.law import Law, Stays, fit_law, fit_line, link
from benchmarks.scaling.page import text as scaling_text
from benchmarks.templates import Template, read_templates
from benchmarks.traces import TraceOptions, copies, ensure, generate, parse_size
from benchmarks.truth import AnswerError, accuracy, check_counts, check_protocols
from benchmarks.udf.__main__ import judged as udf_judged

SMALL = TraceOptions(size=1_000_000, flows=200, seconds=5)


@pytest.fixture(scope="module")
def templates() -> list[Template]:
    return read_templates()


# Traces


def test_the_same_arguments_give_the_same_octets(tmp_path: Path, templates: list[Template]) -> None:
    first, second, other = (tmp_path / f"{name}.pcap" for name in ("first", "second", "other"))
    truth = generate(first, SMALL, templates)
    assert generate(second, SMALL, templates) == truth
    generate(other, TraceOptions(size=1_000_000, flows=200, seconds=5, seed=2), templates)
    assert first.read_bytes() == second.read_bytes() != other.read_bytes()


def test_a_truth_says_what_is_in_the_trace(tmp_path: Path, templates: list[Template]) -> None:
    path = tmp_path / "trace.pcap"
    truth = generate(path, SMALL, templates)
    octets, at, packets, captured, last = path.read_bytes(), 24, 0, 0, (0, 0)
    while at < len(octets):
        seconds, ns, length, _ = struct.unpack_from("<IIII", octets, at)
        assert (seconds, ns) >= last
        last, at, packets, captured = (seconds, ns), at + 16 + length, packets + 1, captured + length
    assert (packets, captured, len(octets)) == (truth["packets"], truth["bytes"], truth["file_bytes"])
    assert sum(row["copies"] for row in truth["templates"]) == truth["flows"] == SMALL.flows


def test_a_trace_is_made_once_and_again_for_other_options(tmp_path: Path, templates: list[Template]) -> None:
    path = tmp_path / "trace.pcap"
    truth = ensure(path, SMALL, templates)
    octets = path.read_bytes()
    path.write_bytes(octets[:-1] + bytes([octets[-1] ^ 1]))
    assert ensure(path, SMALL, templates) == truth
    assert path.read_bytes() != octets, "it was there, and is not made again"
    assert ensure(path, TraceOptions(size=1_000_000, flows=201, seconds=5), templates)["flows"] == 201


def test_traces_meet_size_flows_and_share(templates: list[Template]) -> None:
    options = TraceOptions(size=66_000_000, flows=10_000, seconds=30)
    counts = copies(templates, options)
    octets = sum(int(count) * template.bytes for count, template in zip(counts, templates, strict=True))
    vpn = sum(int(count) for count, template in zip(counts, templates, strict=True) if template.is_vpn)
    assert counts.sum() == options.flows
    assert octets == pytest.approx(options.size, rel=0.05)  # copies are whole numbers, and few of a template
    assert vpn / options.flows == pytest.approx(options.vpn, abs=0.01)


@pytest.mark.parametrize(("said", "octets"), [("1GB", 10**9), ("1.5GiB", 3 << 29), ("200mb", 2 * 10**8), ("77", 77)])
def test_sizes(said: str, octets: int) -> None:
    assert parse_size(said) == octets


def test_a_size_without_a_known_unit_is_refused() -> None:
    with pytest.raises(ValueError, match="5 parsecs"):
        parse_size("5 parsecs")


def test_first_packets(tmp_path: Path, templates: list[Template]) -> None:
    path = tmp_path / "trace.pcap"
    truth = generate(path, SMALL, templates)
    octets = path.read_bytes()
    three = first_packets(octets, 3)
    assert octets.startswith(three)
    assert first_packets(three, 1_000) == three
    assert first_packets(octets, truth["packets"] + 1) == octets
    assert first_packets(octets, 0) == octets[:24]


# Truths

TRUTH: dict[str, Any] = {
    "packets": 100,
    "flows": 100,
    "templates": [
        {"family": "openvpn", "variant": "plain", "accept": [], "copies": 50},
        {"family": "sstp", "variant": "tls", "accept": ["sstp", "tls"], "copies": 10},
        {"family": "tls", "variant": None, "accept": [], "copies": 20},
        {"family": "", "variant": None, "accept": [], "copies": 20},
    ],
}


def test_what_a_label_accepts_is_right() -> None:
    check_protocols(TRUTH, {"openvpn": 50, "tls": 30, "unknown": 20})
    assert accuracy(TRUTH, {("openvpn", "plain"): 50, ("tls", None): 30}) == 1.0
    assert accuracy(TRUTH, {("openvpn", "plain"): 50, ("tls", None): 20, ("sstp", "tls"): 10}) == 1.0


def test_a_wrong_variant_is_wrong() -> None:
    assert accuracy(TRUTH, {("openvpn", "tls-crypt"): 50, ("tls", None): 30}) == pytest.approx(30 / 80)


def test_missing_flows_raise() -> None:
    with pytest.raises(AnswerError, match=r"37\.5%"):
        check_protocols(TRUTH, {"tls": 30, "unknown": 70})


@pytest.mark.parametrize(("packets", "flows"), [(99, 100), (101, 100), (100, 99), (100, 111)])
def test_other_counts_raise(packets: int, flows: int) -> None:
    check_counts(TRUTH, 100, 100)
    check_counts(TRUTH, 100, 110)
    with pytest.raises(AnswerError):
        check_counts(TRUTH, packets, flows)


# The comparison


def row(trace: str, name: str, processor: float, **more: Any) -> dict[str, Any]:
    return {
        "trace": trace, "name": name, "does": "does something", "version": "1.0", "packets": 1000, "rounds": 5,
        "wall": processor, "processor": processor, "peak_memory": 10**8, "flows": 7, "failure": "",
    } | more  # fmt: skip


def result(*rows: dict[str, Any]) -> dict[str, Any]:
    trace = {"packets": 1000, "flows": 7, "file_bytes": 10**6}
    return {
        "date": "2026-01-02",
        "machine": {
            "processor": "Z80",
            "processors": 1,
            "load": 0.1,
            "kernel": "6",
            "python": "3.11",
            "compiler": "c++",
        }
        | {"commit": "abc"},
        "traces": {name: trace for name, _ in itertools.groupby(rows, lambda one: one["trace"])},
        "absent": ["argus"],
        "rows": list(rows),
        "starts": [
            {"name": "one packet", "wall": 0.4, "processor": 0.3, "peak_memory": 5 * 10**7},
            {"name": "many", "wall": 11.0, "processor": 9.0, "peak_memory": 5 * 10**7},
        ],
    }


FIGURES = result(
    row("T1", "floor", 1.0),
    row("T1", "flowclass", 2.0),
    row("T1", "flowclass, 2 threads", 2.4, wall=1.25),
    row("T1", "flowclass, rows", 2.2),
    row("T1", "flowclass, features", 3.0),
    row("T1", "flowclass, Parquet", 3.5),
    row("T1", "ndpiReader", 24.0),
    row("T1", "nfstream, nDPI", 69.0),
    row("T1", "mercury", 0.0, failure="`mercury /some/where` failed: exit code 1\nTraceback\nOSError: a | b\n"),
)


def test_goals_beside_figures() -> None:
    judged_goals = {goal.what: goal.reached for goal in goals(FIGURES)}
    assert judged_goals == {
        "T1: processor time": True,
        "T1: beside ndpiReader": True,
        "T1: beside nfstream, nDPI": False,
        "T1: two threads": False,
        "T1: features": True,
        "T1: Parquet": False,
        "one packet": True,
        "many": False,
    }


def test_a_goal_without_figures_is_left_out() -> None:
    assert goals({**result(row("T2", "floor", 1.0)), "starts": []}) == []


def test_memory_is_a_goal_on_t2() -> None:
    found = goals({**result(row("T2", "flowclass", 1.0, peak_memory=2 * 10**9)), "starts": []})
    assert [(goal.what, goal.reached) for goal in found] == [("T2: peak memory", False)]


def test_the_page_says_what_failed_and_what_is_absent() -> None:
    said = measured(FIGURES, "plot.svg")
    assert "left out: argus." in said
    assert "mercury failed: OSError: a / b." in said
    assert "/some/where" not in said
    assert "| flowclass: does something | 1.0 | 2.00 | 2.0 |" in said
    assert "| T1: Parquet | <= 1.5 x flowclass, rows | 1.59 x | missed |" in said
    assert "(plot.svg)" in said
    tables = [line for line in said.splitlines() if line.startswith("| ")]
    assert all(line.endswith("|") for line in tables)


def test_the_page_is_written_between_its_marks_and_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    page = tmp_path / "benchmarks.md"
    page.write_text("before\n<!-- measured: begin -->\nold\n<!-- measured: end -->\nafter\n")
    write_page(FIGURES, tmp_path)
    first, plot = page.read_text(), (tmp_path / "benchmarks.svg").read_bytes()
    assert first.startswith("before\n<!-- measured: begin -->\nMeasured 2026-01-02")
    assert first.endswith("<!-- measured: end -->\nafter\n")
    assert "old" not in first
    write_page(FIGURES, tmp_path)
    assert (page.read_text(), (tmp_path / "benchmarks.svg").read_bytes()) == (first, plot)


def test_marks(tmp_path: Path) -> None:
    page = "a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb\n<!-- y: begin -->\nkept\n<!-- y: end -->\n"
    new = "a\n<!-- x: begin -->\nnew\n<!-- x: end -->\nb\n<!-- y: begin -->\nkept\n<!-- y: end -->\n"
    assert replaced(page, "x", "new\n\n") == new
    path = tmp_path / "page.md"
    path.write_text(page)
    put(path, "x", "new")
    assert path.read_text() == new


@pytest.mark.parametrize("page", ["", "<!-- x: begin -->\n", "<!-- x: end --><!-- x: begin -->\n", "<!-- x: end -->"])
def test_missing_marks_are_refused(page: str) -> None:
    with pytest.raises(ValueError, match="once each"):
        replaced(page, "x", "new")


def test_our_page_has_each_mark_once() -> None:
    page = PAGE.read_text()
    for name in ("measured", "ablation", "scaling"):
        assert replaced(page, name, "new") != page


def test_contenders(tmp_path: Path) -> None:
    everybody = contenders(tmp_path / "floor")
    names = [contender.name for contender in everybody]
    assert len(set(names)) == len(names)
    assert not next(contender for contender in everybody if contender.name == "floor").is_here
    for contender in everybody:
        assert all(isinstance(word, str) for word in contender.command(Path("trace.pcap"), tmp_path))


def test_a_version_is_what_the_program_says() -> None:
    python = Contender(
        name="python",
        needs=sys.executable,
        does="",
        command=lambda trace, folder: [],
        version=(sys.executable, "--version"),
    )
    assert python.is_here
    assert version(python) == ".".join(map(str, sys.version_info[:3]))


def test_a_command_that_fails_says_what_it_said(tmp_path: Path) -> None:
    output = tmp_path / "output.txt"
    with pytest.raises(RuntimeError, match="no such trace"):
        run([sys.executable, "-c", "raise SystemExit('no such trace')"], output)
    cost = run([sys.executable, "-c", "print('done')"], output)
    assert output.read_text() == "done\n"
    assert cost.peak_memory > 0


# The ablation


def test_parts_are_differences_and_sum_to_the_whole() -> None:
    seconds = {"read": 0.1, "decode": 0.3, "table": 0.6, "heads": 0.7, "hello": 0.8, "match": 1.2, "shard": 1.5}
    stages = [
        {"stage": name, "processor_seconds_least": took, "packets": 10**6, "flows": 10**5}
        for name, took in {**seconds, "engine": 2.0}.items()
    ]
    variants = [
        {"variant": name, "processor_seconds_least": took, "packets": 10**6, "rows": 10**5}
        for name, took in {"engine": 2.0, "features": 2.5}.items()
    ]
    found = parts(stages, variants)
    assert [part.name for part in found] == [*seconds, "engine", "features"]
    by_name = {part.name: part for part in found}
    assert by_name["decode"].per_packet == pytest.approx(200)
    assert by_name["decode"].per_flow == pytest.approx(2000)
    assert by_name["features"].share == pytest.approx(0.25)
    assert [part.name for part in found if part.optional] == ["features"]
    assert sum(part.per_packet for part in found if not part.optional) == pytest.approx(2000)


# The scaling law


def test_the_law_is_found_again() -> None:
    packets, flows = [1000.0, 5000.0, 9000.0, 100_000.0], [500.0, 700.0, 100.0, 90_000.0]
    law = fit_law(packets, flows, [120 * p + 2500 * f for p, f in zip(packets, flows, strict=True)])
    assert (law.per_packet, law.per_flow) == (pytest.approx(120), pytest.approx(2500))
    assert law.residuals == pytest.approx([0] * 4, abs=1e-9)


def test_residuals_are_shares_of_what_was_measured() -> None:
    law = fit_law([100.0, 100.0, 200.0, 200.0], [10.0, 20.0, 10.0, 20.0], [1000.0, 1000.0, 2000.0, 2000.0])
    assert law.ns(100, 10) == pytest.approx(1000 * (1 + law.residuals[0]))


def test_traces_of_one_shape_make_no_law() -> None:
    with pytest.raises(ValueError, match="same packets a flow"):
        fit_law([10.0, 20.0, 30.0], [1.0, 2.0, 3.0], [5.0, 10.0, 15.0])


def test_a_line() -> None:
    line = fit_line([0.0, 1.0, 2.0], [3.0, 5.0, 7.0])
    assert (line.base, line.slope) == (pytest.approx(3), pytest.approx(2))


def test_a_link_by_hand() -> None:
    stays = Stays(table_seconds=120, table_octets=300, head_seconds=2, head_octets=1000)
    # 10^9 bits/s of frames of 101 + 24 octets: a million packets/s, a hundred thousand flows/s.
    found = link(Law(100, 1000, ()), stays, bits=1e9, frame=101, per_flow=10, factor=1.5)
    assert found.packets == pytest.approx(1e6)
    assert found.flows == pytest.approx(1e5)
    assert found.cores == pytest.approx(1.5 * (1e8 + 1e8) / 1e9)
    assert found.at_once == pytest.approx(1.2e7)
    assert found.memory == pytest.approx(1.2e7 * 300 + 2e5 * 1000)


def test_the_page_of_the_law() -> None:
    def shape(packets: int, flows: int, **more: Any) -> dict[str, Any]:
        ns = 100 * packets + 1000 * flows
        memory = {"table": 300 * flows, "evidence": 100 * flows, "heads": 50 * flows, "peak_flows": flows}
        return {"packets": packets, "flows": flows, "ns": ns, "wall": ns, "threads": 1, **memory, **more}

    said = scaling_text(
        {
            "date": "2026-01-02",
            "machine": FIGURES["machine"],
            "shapes": [shape(1000, 100), shape(5000, 1000), shape(9000, 100)],
            "at_once": [shape(1000, 100, within=100), shape(1000, 200, within=10), shape(1000, 300, within=1)],
            "threads": [shape(1000, 100), shape(1000, 100, threads=2, wall=125_000, ns=300_000)],
            "prefixes": [{"version": v, "prefixes": n, "ns": 9.0, "octets": 20.0} for v in (4, 6) for n in (10, 100)],
        },
        "plot.svg",
    )
    assert "**ns = 100 x packets + 1,000 x flows**" in said
    assert "takes 400 octets with its evidence" in said
    assert "| 2 | 125 | 300 | 1.60 |" in said
    assert "25% of the time is not split, so 4.0 times" in said
    assert "adds 100 ns of processor time" in said
    assert re.search(r"^\| least frames \| 60 \| 148\.8 M \|", said, re.MULTILINE)


# Ratios


def test_ratios_are_judged() -> None:
    baseline = {"factor": 1.4, "ratio": {"read": 1.0, "decode": 2.0, "gone": 1.0}}
    lines, wrong = judged(baseline, {"read": 1.39, "decode": 2.9, "new": 1.0})
    assert len(lines) == 2
    assert [sentence.split(":")[0] for sentence in wrong] == ["decode", "new", "gone"]
    assert judged({"factor": 1.4, "ratio": {"read": 1.0}}, {"read": 0.2})[1] == []


def test_ratios_are_kept_as_they_were_measured() -> None:
    figures = {
        "benchmarks": [
            {"extra_info": {"stage": "engine, 1 thread", "ratio": 1.25}},
            {"extra_info": {}},
        ]
    }
    now = ratios_in(figures)
    assert now == {"engine, 1 thread": 1.25}
    assert tomllib.loads(document(1.4, now)) == {"factor": 1.4, "ratio": now}


def test_the_baseline_judges_itself_right() -> None:
    baseline = tomllib.loads((ROOT / "benchmarks" / "ratios.toml").read_text())
    assert baseline["factor"] > 1
    assert judged(baseline, baseline["ratio"])[1] == []


def test_the_calibration_does_the_same_every_time() -> None:
    one, other = Calibration(), Calibration()
    assert one.round() == one.round()
    assert other.round() == one.round()
    assert len(one.seconds) == 3
    one.seconds = [2.0, 4.0]
    assert one.ratio([3.0, 1.0]) == 0.5


def test_users_functions_are_held_against_the_budget() -> None:
    budget = tomllib.loads((ROOT / "benchmarks" / "budget.toml").read_text())["udf"]
    assert budget == {"times_built": 3, "times_nfstream_plugin": 50}
    good = {"heads": {"times_built": 2.9}, "nfstream": {"times_plugin": 51.0}}
    assert udf_judged(good, budget) == []
    assert udf_judged({"heads": {"times_built": 2.9}}, budget) == []
    wrong = udf_judged({"heads": {"times_built": 3.1}, "nfstream": {"times_plugin": 49.0}}, budget)
    assert len(wrong) == 2
    assert "3.10 times the build's" in wrong[0]
    assert "less than the 50" in wrong[1]

"""``evaluate --views``: what an alarm is worth, against a published example; the tables; the requirements."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path

import pytest
from capture_files import START_NS, pcap, udp_frame
from conftest import ROOT, Command
from hypothesis import given
from hypothesis import strategies as st

from flowclass.accuracy.intervals import Share
from flowclass.accuracy.views import CUT, VIEWS
from flowclass.accuracy.worth import predictive_value, worth

SERVER = "10.0.0.2"


@pytest.mark.parametrize(("prevalence", "expected"), [(258 / 344, 231 / 263), (0.25, 0.45)])
def test_predictive_value_against_a_published_example(prevalence: float, expected: float) -> None:
    """D. G. Altman, J. M. Bland, Diagnostic tests 2: predictive values, BMJ 309:102, 1994.

    Liver scans: 231 of 258 abnormal ones found, 54 of 86 normal ones; 0.88 of positives right, 0.45 at 25 %.
    """
    assert predictive_value(231 / 258, 1 - 54 / 86, prevalence) == pytest.approx(expected, abs=0.005)


def test_worth_by_hand() -> None:
    """Wilson's bounds of 0 in 20 are 0 and 0.1611, of 20 in 20 0.8389 and 1 (Newcombe 1998, table I)."""
    one = worth(Share(right=20, of=20), Share(right=0, of=20), 0.01)
    assert one is not None
    assert one.value == 1.0
    assert one.least == pytest.approx(0.8389 * 0.01 / (0.8389 * 0.01 + 0.1611 * 0.99), abs=1e-4)
    other = worth(Share(right=9, of=10), Share(right=1, of=1000), 0.001)
    assert other is not None
    assert other.value == pytest.approx(0.4739, abs=1e-4)  # 0.0009 / (0.0009 + 0.000999)
    assert worth(Share(right=0, of=0), Share(right=0, of=20), 0.01) is None
    assert worth(Share(right=1, of=1), Share(right=0, of=0), 0.01) is None
    assert worth(Share(right=0, of=5), Share(right=0, of=5), 0.01) is None  # never an alarm


@given(st.integers(0, 50), st.integers(1, 50), st.integers(0, 50), st.integers(1, 50))
def test_the_least_is_no_more_than_measured(found: int, flows: int, false: int, negatives: int) -> None:
    recall = Share(right=min(found, flows), of=flows)
    wrong = Share(right=min(false, negatives), of=negatives)
    values = [worth(recall, wrong, prevalence) for prevalence in (0.01, 0.001, 0.0001)]
    for one in values:
        assert one is None or 0 <= one.least <= one.value <= 1
    known = [one.value for one in values if one is not None]
    assert known == sorted(known, reverse=True)


def initiation(seed: int) -> bytes:
    """Give a WireGuard handshake initiation of random keys without a cookie (WireGuard paper §5.4.2)."""
    return b"\x01\0\0\0" + random.Random(seed).randbytes(128) + bytes(16)


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    """Write a capture of three WireGuard initiations, ports 1001 to 1003: tunnel, ordinary by its label, no label."""
    frames = [(START_NS + n, udp_frame("10.0.0.1", 1001 + n, SERVER, 443, initiation(n))) for n in range(3)]
    (tmp_path / "a.pcap").write_bytes(pcap(frames))
    rows = [
        {"capture": "a.pcap", "frame": n + 1, "family": family, "certainty": "certain", "src_ip": "10.0.0.1",
         "src_port": 1001 + n, "dst_ip": SERVER, "dst_port": 443, "ip_proto": 17}
        for n, family in enumerate(("wireguard", "other-game"))
    ]  # fmt: skip
    (tmp_path / "labels.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    facts = {"origin": "somebody+somewhere/a.pcap", "programs": {"wg": "1.0"}, "synthetic": True}
    (tmp_path / "captures.jsonl").write_text(json.dumps({"capture": "a.pcap", "negatives_ok": True, **facts}) + "\n")
    return tmp_path


def test_views_as_json(lists: Path, flowclass_command: Command) -> None:
    ended = flowclass_command(
        "evaluate", lists / "a.pcap", "--labels", lists / "labels.jsonl", "--views", "all", "--json"
    )
    assert ended.code == 0, ended.err
    content = json.loads(ended.out)
    assert tuple(content["views"]) == CUT
    one_way, back = content["views"]["to-server"], content["views"]["to-client"]
    assert one_way["recall"]["right"] == one_way["recall"]["of"] == 1
    assert (back["captures"], back["certain_flows_gone"], back["recall"]["of"]) == (0, 2, 0)
    # The ordinary label and the flow without one are both negatives, and both were called a VPN.
    assert content["ordinary"] == {"flows": 1, "called_tunnel": 1, "called_possible": 0, "called_vpn": 1}
    assert content["alarms"]["false_positives_per_million"]["value"] == 1e6
    assert content["alarms"]["worth"][0]["prevalence"] == 0.01
    assert content["alarms"]["worth"][0]["value"] == pytest.approx(0.01)
    assert content["captures_synthetic"] == 1
    wireguard = next(row for row in content["protocols"] if row["protocol"] == "wireguard")
    assert wireguard["false_positives_per_million"]["value"] == 1e6
    # A protocol without fingerprint cannot be missed.
    assert content["recall"]["of"] == 1


def test_chosen_views(lists: Path, flowclass_command: Command) -> None:
    arguments = ("evaluate", lists / "a.pcap", "--labels", lists / "labels.jsonl", "--views")
    assert list(json.loads(flowclass_command(*arguments, "full, loss-5", "--json").out)["views"]) == ["loss-5"]
    ended = flowclass_command(*arguments, "late")
    assert ended.code == 2
    assert "there is no view 'late'" in ended.err
    shown = flowclass_command(*arguments, "snaplen-96").out
    assert "\nsnaplen-96" in shown


def test_requirements(lists: Path, flowclass_command: Command) -> None:
    arguments = ("evaluate", lists / "a.pcap", "--labels", lists / "labels.jsonl")
    assert flowclass_command(*arguments, "--require-recall", "1").code == 0
    ended = flowclass_command(*arguments, "--require-no-false")
    assert ended.code == 10
    assert "error: 2 flows that are no tunnel were called a VPN in the view full" in ended.err
    rows = (lists / "labels.jsonl").read_text().splitlines()
    (lists / "labels.jsonl").write_text(rows[0].replace("wireguard", "openvpn") + "\n")
    ended = flowclass_command(*arguments, "--require-recall", "0.98")
    assert ended.code == 10
    assert "error: 0 of 1 flows were found, fewer than the share of 0.98 that is required" in ended.err


def test_markdown(lists: Path, flowclass_command: Command) -> None:
    arguments = ("evaluate", lists / "a.pcap", "--labels", lists / "labels.jsonl", "--views", "all")
    assert flowclass_command(*arguments, "--markdown", lists / "t.md").code == 0
    text = (lists / "t.md").read_text()
    assert "1 captures, 3 flows, of which 1 must be found (1 of them tunnels) and 2 are no tunnel" in text
    assert "1 captures are synthetic" in text
    assert "wg 1.0" in text
    assert "somebody/somewhere (1)" in text
    for view in VIEWS:
        assert f"| `{view}` |" in text
    assert "| wireguard | 1/0/0/0 100 (21-100) |" in text  # Wilson's bound of 1 in 1: 1 / (1 + 1.96²)
    assert "| `full` | 1 | 1 | 1 | 0 | 0 | 0 | 100.0 (20.7-100.0) | 2 | 2 |" in text
    lines = text.splitlines()
    for above, line in itertools.pairwise(lines):
        if line.startswith("| ---"):
            assert above.count("|") == line.count("|")


def test_a_part_of_a_document(lists: Path, flowclass_command: Command) -> None:
    arguments = ("evaluate", lists / "a.pcap", "--labels", lists / "labels.jsonl", "--part", "ours", "--table-into")
    document = lists / "doc.md"
    document.write_text("before\n<!-- evaluate ours: begin -->\nold\n<!-- evaluate ours: end -->\nafter\n")
    for _ in range(2):  # writing again changes nothing more
        assert flowclass_command(*arguments, document).code == 0
        text = document.read_text()
        assert text.startswith("before\n<!-- evaluate ours: begin -->\nMeasured on ")
        assert text.endswith("\n<!-- evaluate ours: end -->\nafter\n")
        assert "old" not in text
        assert text.count("By view") == 1
    for wrong in ("no marks", "<!-- evaluate ours: end -->\n<!-- evaluate ours: begin -->\n"):
        document.write_text(wrong)
        ended = flowclass_command(*arguments, document)
        assert ended.code == 6
        assert "evaluate ours: begin" in ended.err
        assert document.read_text() == wrong
    assert flowclass_command(*arguments, lists / "none.md").code == 6


def test_the_document_has_the_marks_that_make_evaluate_writes_between() -> None:
    text = (ROOT / "docs" / "accuracy.md").read_text()
    makefile = (ROOT / "Makefile").read_text()
    for part in ("testbed", "public"):
        assert f"--part {part}" in makefile
        begin, end = f"<!-- evaluate {part}: begin -->", f"<!-- evaluate {part}: end -->"
        assert text.count(begin) == text.count(end) == 1
        between = text[text.index(begin) : text.index(end)]
        assert "Measured on " in between
        for view in VIEWS:
            assert f"| `{view}` |" in between

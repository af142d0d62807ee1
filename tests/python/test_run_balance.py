"""A finished run carries its balance: in its file, through match and judge, into the report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from capture_files import START_NS, exchange, pcap
from conftest import ROOT, Command

from flowclass.pipeline.records import BALANCE, Records
from flowclass.report.words import balance_words

REGISTRY = ROOT / "datasets" / "registry" / "sample.csv"
POLICY = ROOT / "datasets" / "registry" / "policy.toml"
FORMS = ("parquet", "arrow", "arrows")


def told(path: Path) -> dict[str, str]:
    """Give what a file says of its run, read to its end."""
    records = Records(path, 1000)
    list(records)
    return records.metadata


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """Give a capture of one exchange and a frame that is no packet."""
    path = tmp_path / "mixed.pcap"
    path.write_bytes(pcap([*exchange(), (START_NS + 9_000_000, b"\xff" * 12 + b"\x12\x34" + b"no packet" * 4)]))
    return path


@pytest.mark.parametrize("form", FORMS)
def test_the_file_says_what_the_summary_says(
    form: str, capture: Path, tmp_path: Path, flowclass_command: Command
) -> None:
    run, again, judged = (tmp_path / f"{name}.{form}" for name in ("run", "again", "judged"))
    by = ("--registry", REGISTRY, "--policy", POLICY)
    done = flowclass_command("classify", capture, "-o", run, "--heads", "--json", *by)
    assert done.code == 0, done.err
    balance = json.loads(done.out)["balance"]
    assert balance["packets_skipped"]
    assert balance["packets_read"] == balance["packets_in_flows"] + sum(balance["packets_skipped"].values())
    assert balance["closed"]
    assert json.loads(told(run)[BALANCE]) == balance

    assert flowclass_command("match", run, "-o", again, "-q").code == 0
    assert flowclass_command("judge", again, "-o", judged, "-q", *by, "--at", "2026-12-02").code == 0
    for file in (again, judged):
        assert json.loads(told(file)[BALANCE]) == balance
        said = json.loads(flowclass_command("report", file, "--json").out)
        assert said["provenance"]["balance"] == balance
    assert "Balance\nOf " in flowclass_command("report", judged).out
    page = tmp_path / "report.html"
    assert flowclass_command("report", judged, "-o", page).code == 0
    assert f"<p>{balance_words(balance)}</p>" in page.read_text()
    rows = [row for batch in Records(judged, 1000) for row in batch.to_pylist()]
    assert balance["packets_in_flows"] == sum(row["packets_fwd"] + row["packets_rev"] for row in rows)


def test_match_keeps_who_judged(captures: Path, tmp_path: Path, flowclass_command: Command) -> None:
    run, judged, again = (tmp_path / f"{name}.parquet" for name in ("run", "judged", "again"))
    by = ("--registry", REGISTRY, "--policy", POLICY)
    one = captures / "wireguard-udp-443.pcapng"
    assert flowclass_command("classify", one, "-o", run, "-q", "--heads", *by).code == 0
    assert flowclass_command("match", run, "-o", again, "-q").code == 0
    first, second = told(run), told(again)
    assert first["flowclass.registry_version"]
    assert first["flowclass.policy_sha256"]
    assert "idle_timeout_ns" in first["flowclass.flow_definition"]
    assert {key for key in first if first[key] != second[key]} == {"flowclass.inputs"}
    assert json.loads(second["flowclass.inputs"]) == [{"name": str(run), "size": run.stat().st_size}]
    assert flowclass_command("judge", again, "-o", judged, "-q", *by, "--at", "2030-01-01").code == 0
    assert flowclass_command("match", judged, "-o", again, "-q").code == 0
    assert told(again)["flowclass.judged_at"] == told(judged)["flowclass.judged_at"] != ""


def test_a_cut_file_is_said_to_be_cut(captures: Path, tmp_path: Path, flowclass_command: Command) -> None:
    run = tmp_path / "run.arrows"
    assert flowclass_command("classify", captures / "wireguard-udp-443.pcapng", "-o", run, "-q").code == 0
    run.write_bytes(run.read_bytes()[:-1000])
    out = tmp_path / "out.parquet"
    cut = flowclass_command("judge", run, "--registry", REGISTRY, "-o", out)
    assert cut.code == 4
    assert "cannot be read to its end" in cut.err
    assert not out.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.arrows"]


@pytest.mark.parametrize(
    ("balance", "words"),
    [
        (None, "does not say"),
        ({}, "cannot be read"),
        ({"packets_read": "3", "packets_in_flows": 2}, "cannot be read"),
        ({"packets_read": 4, "packets_in_flows": 2, "packets_skipped": {"x": 1}, "closed": True}, "not come out even"),
        ({"packets_read": 3, "packets_in_flows": 2, "packets_skipped": {"x": 1}}, "not come out even"),
        ({"packets_read": 1, "packets_in_flows": 1, "closed": True}, "Of 1 packet read 1 is in flows and 0 were"),
    ],
)
def test_words(balance: dict[str, object] | None, words: str) -> None:
    assert words in balance_words(balance)

"""The registrar's desk on the command line, and the registry that is generated for it."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from conftest import ROOT, Command

from flowclass.desk.desk import Desk
from flowclass.registries.source import read_source
from flowclass.registry import Registry

SECRETS = ("cabinet-1", "cabinet-2", "cabinet-3", "cabinet-4")
WHEN = "2024-03-01T08:00:00Z"


@pytest.fixture
def at_desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLOWCLASS_DESK", str(tmp_path / "desk.sqlite"))
    monkeypatch.setenv("FLOWCLASS_WHO", "ali")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "desk.sqlite"


def applied(command: Command, *more: str) -> str:
    ended = command(
        "registry", "apply", "198.51.100.0/24", "--category", "organization: call centre", "--company", SECRETS[0],
        "--taxpayer", SECRETS[1], "--identity", SECRETS[2], "--file", SECRETS[3], "--at", WHEN, "--json", *more,
    )  # fmt: skip
    assert ended.code == 0, ended.err
    (change,) = json.loads(ended.out)["changes"]
    assert change["to_state"] == "pending"
    name: str = change["registration_id"]
    return name


def test_a_walk_along_the_desk(at_desk: Path, tmp_path: Path, flowclass_command: Command) -> None:
    name = applied(flowclass_command, "--valid-until", "2025-03-01")
    assert name == "ORG-2024-0001"
    refused = flowclass_command("registry", "suspend", name, "--why", "x")
    assert refused.code == 5
    assert f"{name} is pending, it cannot be suspended; permitted now: approve, reject" in refused.err
    outputs = [refused]
    for command, when in (
        (["approve"], "2024-03-01T17:00:00Z"),
        (["suspend", "--why", "papers"], "2024-04-01"),
        (["approve", "--why", "papers found"], "2024-05-01"),
        (["renew", "--valid-until", "2026-03-01"], "2024-06-01"),
        (["revoke", "--why", "left"], "2024-07-01"),
    ):
        ended = flowclass_command("registry", command[0], name, *command[1:], "--at", when)
        assert (ended.code, ended.err) == (0, "")
        outputs.append(ended)
    refused = flowclass_command("registry", "approve", name, "--why", "please")
    assert (refused.code, "revoked is final" in refused.err) == (5, True)
    for at, wanted in (("2024-03-01T09:00", "pending"), ("2024-03-15", "approved"), ("2024-04-15", "suspended")):
        assert flowclass_command("registry", "export", "-o", "then.csv", "--at", at).code == 0
        (row,) = csv.DictReader((tmp_path / "then.csv").read_text().splitlines())
        assert (row["status"], row["prefix"]) == (wanted, "198.51.100.0/24")
        assert "note_ref" not in row
    stats = flowclass_command("registry", "stats", "--json")
    assert json.loads(stats.out)["median_hours"] == 9.0
    outputs += [stats, flowclass_command("registry", "stats"), flowclass_command("registry", "check", at_desk)]
    for ended in outputs:
        assert not any(secret in ended.out + ended.err for secret in SECRETS)
    history = flowclass_command("registry", "history", name)
    assert all(secret in history.out for secret in SECRETS)
    assert "suspend: approved -> suspended by ali: papers" in history.out
    content = json.loads(flowclass_command("registry", "history", "--json").out)
    assert [event["action"] for event in content["events"]] == [
        "apply", "approve", "suspend", "approve", "renew", "revoke",
    ]  # fmt: skip
    assert all(event["backdated"] and event["who"] == "ali" for event in content["events"])


def test_several_at_once_are_all_or_none(at_desk: Path, flowclass_command: Command) -> None:
    names = [applied(flowclass_command), applied(flowclass_command)]
    ended = flowclass_command("registry", "approve", *names, "ORG-9")
    assert (ended.code, "'ORG-9' is not at the desk" in ended.err) == (5, True)
    with Desk(at_desk) as desk:
        assert {row.status for row in desk.rows()} == {"pending"}
    assert flowclass_command("registry", "approve", *names).code == 0


def test_overdue(at_desk: Path, flowclass_command: Command) -> None:
    name = applied(flowclass_command)
    ended = flowclass_command("registry", "stats", "--at", "2024-03-01T19:00:00Z")
    assert f"  {name}            11.0 h  since {WHEN}  organization: call centre" in ended.out
    later = ("--at", "2024-03-01T19:00:00Z", "--json")
    assert json.loads(flowclass_command("registry", "stats", "--overdue-hours", "12", *later).out)["overdue"] == []
    Path("flowclass.toml").write_text("threads = 1\n[desk]\noverdue_hours = 12\n")
    assert json.loads(flowclass_command("registry", "stats", *later).out)["overdue"] == []


def test_the_desk_in_a_configuration(
    tmp_path: Path, flowclass_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    missing = flowclass_command("registry", "stats")
    assert (missing.code, "--desk" in missing.err) == (2, True)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "flowclass.toml").write_text('[desk]\ndesk = "d.sqlite"\nwho = "ali"\n')
    config = ("--config", "in/flowclass.toml")
    arguments = ("192.0.2.1", "--category", "freelancer", "--identity", "i", "--letter", "l")
    assert flowclass_command("registry", "apply", *arguments, *config).code == 0
    assert (tmp_path / "in" / "d.sqlite").exists()
    (tmp_path / "in" / "flowclass.toml").write_text('[desk]\ndesc = "d.sqlite"\n')
    ended = flowclass_command("registry", "stats", *config)
    assert (ended.code, "the nearest known one is 'desk'" in ended.err) == (5, True)


def test_a_snapshot_of_a_desk_as_of_an_instant(at_desk: Path, tmp_path: Path, flowclass_command: Command) -> None:
    name = applied(flowclass_command)
    assert flowclass_command("registry", "approve", name, "--at", "2024-03-02").code == 0
    assert flowclass_command("registry", "revoke", name, "--why", "left", "--at", "2024-04-01").code == 0
    for at, match in ((["--at", "2024-03-15"], "registered"), ([], "inactive"), (["--at", "2024-02-01"], None)):
        target = tmp_path / "r.fcr"
        assert flowclass_command("registry", "build", at_desk, "-o", target, *at).code == 0
        assert flowclass_command("registry", "export", "-o", "then.csv", *at).code == 0
        snapshot = Registry.load(target)
        assert snapshot.version == Registry.load(tmp_path / "then.csv").version
        assert snapshot.lookup(["198.51.100.7"], at="2024-03-20")[0].match == (match or "unregistered")
    sample = ROOT / "datasets" / "registry" / "sample.csv"
    ended = flowclass_command("registry", "build", sample, "-o", tmp_path / "s.fcr", "--at", "2024-03-15")
    assert (ended.code, "sample.csv: is no registrar's desk" in ended.err) == (5, True)


def test_usage(at_desk: Path, flowclass_command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    assert flowclass_command("registry", "stats").code == 5
    assert flowclass_command("registry", "apply", "x", "--category", "freelancer", "--waive", "letter").code == 5
    bad = flowclass_command(
        "registry", "apply", "x", "--category", "freelancer", "--waive", "letter", "--identity", "i"
    )
    assert (bad.code, "prefix = 'x' error" in bad.err, at_desk.exists()) == (5, True, False)
    name = applied(flowclass_command)
    assert flowclass_command("registry", "export", "-o", "x.xlsx").code == 5
    assert flowclass_command("registry", "export", "-o", "nowhere/x.csv").code == 6
    assert flowclass_command("registry", "approve", name, "--at", "soon").code == 2
    monkeypatch.delenv("FLOWCLASS_WHO")
    ended = flowclass_command("registry", "approve", name)
    assert (ended.code, "--who" in ended.err) == (2, True)


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_import_of_an_export(at_desk: Path, tmp_path: Path, flowclass_command: Command, form: str) -> None:
    assert flowclass_command("registry", "import", ROOT / "datasets" / "registry" / "sample.csv").code == 0
    applied(flowclass_command)
    target = tmp_path / f"out.{form}"
    assert flowclass_command("registry", "export", "-o", target, "--with-references").code == 0
    other = tmp_path / "other.sqlite"
    ended = flowclass_command("registry", "import", target, "--desk", other, "--json")
    assert (ended.code, json.loads(ended.out)["registrations"]) == (0, 16)
    assert Registry.load(other).version == Registry.load(at_desk).version == Registry.load(target).version
    with Desk(at_desk) as first, Desk(other) as second:
        for name in ("ORG-2026-0001", "ORG-2024-0001"):
            assert first.references(name) == second.references(name) != []


def test_import_of_a_bad_list(at_desk: Path, tmp_path: Path, flowclass_command: Command) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("registration_id,category,status,prefix\nA,freelancer,approved,192.0.2.1\nB,x,approved,192.0.2.2\n")
    ended = flowclass_command("registry", "import", bad)
    assert (ended.code, "bad.csv:3: category = 'x' error" in ended.err, at_desk.exists()) == (5, True, False)


def generate(*args: str | Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "datasets.registry.generate", *map(str, args)], check=True, cwd=ROOT, capture_output=True
    )


def test_twenty_thousand_registrants(tmp_path: Path, flowclass_command: Command) -> None:
    path = tmp_path / "big.sqlite"
    begun = time.monotonic()
    generate("--registrants", "20000", "--seed", "1", "-o", path)
    took = time.monotonic() - begun
    assert took < 120, took  # a few seconds of work; the bound is for a machine that is busy with more
    rows, problems, _ = read_source(path)
    assert not [problem for problem in problems if problem.severity == "error"]
    assert len({row.registration_id for row in rows}) == 20_000
    assert min(Counter(row.status for row in rows).values()) > 500
    assert {row.category.partition(":")[0] for row in rows} == {"organization", "freelancer"}
    assert sum(problem.kind == "overlap" for problem in problems) > 100
    stats = json.loads(
        flowclass_command("registry", "stats", "--desk", path, "--at", "2026-11-24T12:00:00Z", "--json").out
    )
    assert stats["registrations"] == 20_000
    assert stats["expired"] > 1_000
    assert 8 < stats["median_hours"] < 10 < stats["p90_hours"]
    assert len(stats["overdue"]) > 100


def test_the_same_arguments_give_the_same_registry(tmp_path: Path) -> None:
    names = [tmp_path / "a.csv", tmp_path / "b.csv", tmp_path / "c.csv"]
    for name, seed in zip(names, "778", strict=True):
        generate("--registrants", "300", "--seed", seed, "-o", name)
    first, again, other = (name.read_bytes() for name in names)
    assert first == again != other

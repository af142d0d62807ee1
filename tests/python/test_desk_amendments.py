"""Amended applications, neighbours that are warned of, and a desk that is read while others write to it."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from conftest import Command
from hypothesis import given
from test_registry_checks import claims

from flowclass.desk import schema
from flowclass.desk.acts import Act
from flowclass.desk.amendments import Amendment
from flowclass.desk.applications import Application
from flowclass.desk.desk import Desk
from flowclass.desk.statistics import HOUR_NS, measure
from flowclass.errors import ConfigError, RegistryError
from flowclass.registries import desk as reader
from flowclass.registries.overlap import Claim, meeting
from flowclass.registries.row import RegistryRow, RowChecker
from flowclass.registries.source import read_source
from flowclass.registries.timestamps import parse_timestamp
from flowclass.registry import Registry

START = parse_timestamp("2024-01-01")
NOW = parse_timestamp("2024-12-31")
FREELANCER = Application(
    category="freelancer: design",
    prefixes=("198.51.100.7", "198.51.100.16/28"),
    protocols=("openvpn",),
    valid_until="2025-06-01",
    references={"identity": "I-1", "letter": "L-1"},
)


def act(hours: float) -> Act:
    return Act(who="ali", why="because", at=START + int(hours * HOUR_NS))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Desk(tmp_path / "desk.sqlite", create=True, clock=lambda: NOW) as opened:
        yield opened


def held(desk: Desk, hours: float | None = None) -> dict[str, tuple[Any, ...]]:
    """Give what the desk holds of each prefix, instants as hours."""

    def since(value: int | None) -> float | None:
        return None if value is None else (value - START) / HOUR_NS

    rows = desk.rows(None if hours is None else START + int(hours * HOUR_NS))
    return {
        str(prefix): (row.status, row.protocols, since(row.valid_from), since(row.submitted_at))
        for row in rows
        for prefix in row.prefixes
    }


def test_an_amended_application(desk: Desk) -> None:
    name = desk.apply(FREELANCER, act(0))[0].registration_id
    change, _ = desk.amend(name, Amendment(prefixes=("198.51.100.7", "198.51.100.9"), valid_from="2024-01-03"), act(5))
    assert (change.action, change.from_state, change.to_state) == ("amend", "pending", "pending")
    asked = ("pending", ("openvpn",), None, 0.0)
    assert held(desk, 4) == {"198.51.100.7/32": asked, "198.51.100.16/28": asked}
    # What was asked for before was submitted then; what comes in now is submitted now.
    assert held(desk, 6) == {
        "198.51.100.7/32": ("pending", ("openvpn",), 48.0, 0.0),
        "198.51.100.9/32": ("pending", ("openvpn",), 48.0, 5.0),
    }
    assert {row.valid_until for row in desk.rows()} == {parse_timestamp("2025-06-01")}
    desk.amend(name, Amendment(protocols=(), valid_from="", references={"letter": "L-2"}), act(6))
    assert held(desk, 7)["198.51.100.9/32"] == ("pending", (), None, 5.0)
    assert desk.references(name) == [("identity", "I-1"), ("letter", "L-2")]
    desk.approve(name, act(9))
    assert held(desk) == {
        "198.51.100.7/32": ("approved", (), 0.0, 0.0),
        "198.51.100.9/32": ("approved", (), 5.0, 5.0),
    }
    assert [event.action for event in desk.history([name])] == ["apply", "amend", "amend", "approve"]
    assert measure(desk, at=NOW).median_hours == 9.0


def test_amending_does_not_shorten_the_waiting(desk: Desk) -> None:
    name = desk.apply(FREELANCER, act(0))[0].registration_id
    desk.amend(name, Amendment(valid_until=""), act(20))
    (waiting,) = measure(desk, at=START + 24 * HOUR_NS).overdue
    assert (waiting.registration_id, waiting.hours) == (name, 24.0)


@pytest.mark.parametrize(
    ("given_", "error", "words"),
    [
        ({}, ConfigError, "nothing is amended"),
        ({"prefixes": ("198.51.100.9/24",)}, RegistryError, "host bits are set"),
        ({"protocols": ("-openvpn",)}, RegistryError, "is no protocol id"),
        ({"valid_from": "2026-01-01"}, RegistryError, "would be valid from 2026-01-01T00:00:00Z until 2025-06-01"),
        ({"references": {"face": "x"}}, ConfigError, "is no kind of reference"),
        ({"references": {"letter": "a;b"}}, ConfigError, "is no reference"),
        ({"references": {"letter": "a"}, "waived": ("letter",)}, ConfigError, "given and waived"),
    ],
)
def test_amendments_that_are_refused(given_: dict[str, Any], error: type[Exception], words: str, desk: Desk) -> None:
    name = desk.apply(FREELANCER, act(0))[0].registration_id
    before = held(desk)
    with pytest.raises(error, match=words):
        desk.amend(name, Amendment(**given_), act(1))
    assert held(desk) == before
    assert len(desk.history()) == 1


def test_a_desk_of_the_first_version_is_read_and_brought_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "desk.sqlite"
    newest = schema.MIGRATIONS
    monkeypatch.setattr(schema, "MIGRATIONS", newest[:1])
    schema.expected.cache_clear()
    with Desk(path, create=True, clock=lambda: NOW) as old:
        name = old.apply(FREELANCER, act(0))[0].registration_id
        with pytest.raises(RegistryError, match="the transition is not permitted"):
            old.amend(name, Amendment(valid_until=""), act(1))
    monkeypatch.setattr(schema, "MIGRATIONS", newest)
    schema.expected.cache_clear()
    assert len(reader.read(path)[0]) == 2
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("PRAGMA user_version").fetchone() == (1,)
    with Desk(path, clock=lambda: NOW) as opened:
        opened.amend(name, Amendment(valid_until=""), act(1))
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("PRAGMA user_version").fetchone() == (2,)
        with pytest.raises(sqlite3.IntegrityError, match="is only added to"):
            raw.execute("INSERT INTO transition VALUES ('reject', 'approved', 'rejected')")


@given(claims(), claims())
def test_neighbours_equal_brute_force(own: list[Claim], others: list[Claim]) -> None:
    def share(one: Claim, other: Claim) -> bool:
        same = one.prefix.version == other.prefix.version and one.prefix.overlaps(other.prefix)
        return same and max(one.span[0], other.span[0]) < min(one.span[1], other.span[1])

    expected = {}
    for index, claim in enumerate(own):
        found = [other.prefix.prefixlen for other in others if share(claim, other)]
        covering = [length for length in found if length <= claim.prefix.prefixlen]
        if found:
            expected[index] = max(covering) if covering else min(found)
    places = {id(claim): index for index, claim in enumerate(own)}
    pairs = list(meeting(own, others))
    assert {places[id(claim)]: other.prefix.prefixlen for claim, other in pairs} == expected
    assert all(share(claim, other) for claim, other in pairs)


def test_neighbours_are_warned_of(tmp_path: Path, flowclass_command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWCLASS_DESK", str(tmp_path / "desk.sqlite"))
    monkeypatch.setenv("FLOWCLASS_WHO", "ali")

    def apply(*prefixes: str, more: tuple[str, ...] = ()) -> tuple[str, str]:
        papers = ("--category", "freelancer", "--identity", "i", "--letter", "l", "--json")
        ended = flowclass_command("registry", "apply", *prefixes, *papers, *more)
        assert ended.code == 0, ended.err
        said = json.loads(ended.out)
        told = [one for one in said["warnings"] if one["kind"] == "overlap"]
        assert all(one["reason"] in ended.err for one in told)
        return said["changes"][0]["registration_id"], " ".join(one["value"] + " " + one["reason"] for one in told)

    first, told = apply("8.8.0.0/24", "9.9.9.9")
    assert told == ""
    inside, told = apply("8.8.0.128/25")
    assert told == f"8.8.0.128/25 another registration has it too at the same time: 8.8.0.0/24 of '{first}', pending"
    _, told = apply("8.8.0.0/16", "8.8.0.129")
    assert f"8.8.0.0/16 another registration has it too at the same time: 8.8.0.0/24 of '{first}'" in told
    assert f"8.8.0.129/32 another registration has it too at the same time: 8.8.0.128/25 of '{inside}'" in told
    assert flowclass_command("registry", "reject", first, "--why", "x").code == 0
    assert apply("9.9.9.9")[1] == ""
    assert apply("9.9.9.9", more=("--valid-until", "2020-01-01", "--valid-from", "2019-01-01"))[1] != ""
    ended = flowclass_command("registry", "amend", inside, "9.9.9.9", "--why", "moved", "--protocols", "")
    assert (ended.code, ended.out.split(" at ")[0]) == (0, f"{inside}  pending, amended")
    assert "9.9.9.9/32 of 'FRL-" in ended.err
    assert flowclass_command("registry", "amend", inside, "9.9.9.8").code == 5
    assert flowclass_command("registry", "amend", inside, "--why", "x").code == 5


def written_meanwhile(desk: Desk, monkeypatch: pytest.MonkeyPatch, write: Callable[[], None]) -> None:
    """Let another writer finish something, and the log be emptied into the file, once the first row was read."""
    check, done = RowChecker.check, threading.Event()

    def checked(self: RowChecker, line: int, values: Any) -> RegistryRow | None:
        if not done.is_set():
            done.set()
            writer = threading.Thread(target=write)
            writer.start()
            writer.join()
        return check(self, line, values)

    monkeypatch.setattr(RowChecker, "check", checked)
    assert desk.path.exists()


@pytest.mark.parametrize("form", ["load", "build", "build --at"])
def test_a_desk_is_read_as_it_was_when_reading_began(
    form: str, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flowclass_command: Command
) -> None:
    name = desk.apply(FREELANCER, act(0))[0].registration_id
    desk.approve(name, act(9))
    listed, target = tmp_path / "rows.jsonl", tmp_path / "r.fcr"
    at = ("--at", "2024-06-01") if form == "build --at" else ()
    assert flowclass_command("registry", "export", "--desk", desk.path, "-o", listed, *at).code == 0
    version = Registry.load(listed).version
    before = desk.path.stat()

    def write() -> None:
        with Desk(desk.path, clock=lambda: NOW) as other:
            other.suspend(name, act(10))
            for number in range(40):
                changed = {"prefixes": (f"203.0.113.{number}",), "registration_id": f"X-{number}"}
                parts = {"category": "freelancer", "references": FREELANCER.references}
                other.apply(Application(**changed, **parts), act(11))
        with closing(sqlite3.connect(desk.path)) as raw:
            raw.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        os.utime(desk.path)  # as a checkpoint that finds pages to empty changes the file itself

    written_meanwhile(desk, monkeypatch, write)
    if form == "load":
        assert Registry.load(desk.path).version == version
    else:
        ended = flowclass_command("registry", "build", desk.path, "-o", target, *at)
        assert ended.code == 0, ended.err
        snapshot = Registry.load(target)
        assert snapshot.version == version
        assert snapshot.snapshot is not None
        # Whoever exports the same rows can check what the snapshot was built from.
        assert snapshot.snapshot.sources[0].sha256 == hashlib.sha256(listed.read_bytes()).hexdigest()
    assert desk.path.stat().st_mtime_ns != before.st_mtime_ns, "the file changed meanwhile"
    assert len(read_source(desk.path)[0]) == 42


def test_a_plain_database_is_still_to_hold_still(tmp_path: Path) -> None:
    """Only the desk's own reader sees one state whoever writes."""
    from flowclass.registries.source import formats

    assert [one.name for one in formats() if one.steady] == ["Desk"]
    assert all(one.by_path for one in formats() if one.steady)

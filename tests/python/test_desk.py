"""The registrar's desk: every transition, a history that stays, rows as of any instant, writers at once and killed."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowclass.desk import schema, store
from flowclass.desk.acts import Act, Change
from flowclass.desk.amendments import Amendment
from flowclass.desk.applications import Application, parse_references
from flowclass.desk.desk import Desk
from flowclass.desk.states import TRANSITIONS, permitted, step
from flowclass.desk.statistics import HOUR_NS, measure, nearest_rank
from flowclass.errors import ConfigError, RegistryError
from flowclass.registries import desk as reader
from flowclass.registries.row import STATUSES, RegistryRow
from flowclass.registries.source import read_source
from flowclass.registries.timestamps import parse_timestamp
from flowclass.registry import Registry

DAY = 24 * HOUR_NS
START = parse_timestamp("2024-01-01")
NOW = parse_timestamp("2024-12-31")
ACTIONS = ("approve", "reject", "amend", "suspend", "revoke", "renew")
BANK = Application(
    category="organization: bank",
    prefixes=("192.0.2.0/24", "2001:db8::1-2001:db8::3"),
    protocols=("ike", "esp"),
    valid_until="2025-01-01",
    references={"company": "C-1", "taxpayer": "T-1", "identity": "I-1"},
)


def act(days: float, why: str = "because") -> Act:
    return Act(who="ali", why=why, at=START + int(days * DAY))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Desk(tmp_path / "desk.sqlite", create=True, clock=lambda: NOW) as opened:
        yield opened


def do(desk: Desk, action: str, registration_id: str, days: float, why: str = "because") -> Change:
    if action == "renew":
        return desk.renew(registration_id, act(days, why), valid_until=START + int((days + 1000) * DAY))
    if action == "amend":
        return desk.amend(registration_id, Amendment(valid_until="2024-12-24"), act(days, why))[0]
    done: Change = getattr(desk, action)(registration_id, act(days, why))
    return done


def status(desk: Desk, days: float) -> set[str]:
    return {row.status for row in desk.rows(START + int(days * DAY))}


def test_a_whole_life(desk: Desk) -> None:
    change, _ = desk.apply(BANK, act(1))
    name = change.registration_id
    assert (name, change.from_state, change.to_state, change.backdated) == ("ORG-2024-0001", None, "pending", True)
    for days, action, after in (
        (1.4, "approve", "approved"),
        (20, "suspend", "suspended"),
        (30, "approve", "approved"),
        (40, "renew", "approved"),
        (50, "revoke", "revoked"),
    ):
        assert do(desk, action, name, days).to_state == after
        assert status(desk, days) == {after}
    assert status(desk, 0.5) == set()
    assert [status(desk, days) for days in (1, 1.5, 25, 35, 45)] == [
        {"pending"}, {"approved"}, {"suspended"}, {"approved"}, {"approved"},
    ]  # fmt: skip
    approved = desk.rows(START + 2 * DAY)
    assert [str(prefix) for row in approved for prefix in row.prefixes] == [
        "192.0.2.0/24",
        "2001:db8::1/128",
        "2001:db8::2/127",
    ]
    assert {(row.protocols, row.valid_from, row.submitted_at) for row in approved} == {
        (("esp", "ike"), START + DAY, START + DAY)
    }
    assert {row.approved_at for row in desk.rows()} == {START + int(1.4 * DAY)}
    assert {row.note_ref for row in desk.rows()} == {""}
    events = desk.history([name])
    assert [event.action for event in events] == ["apply", "approve", "suspend", "approve", "renew", "revoke"]
    assert {(event.who, event.why, event.recorded_at) for event in events} == {("ali", "because", NOW)}
    assert desk.references(name) == [("company", "C-1"), ("identity", "I-1"), ("taxpayer", "T-1")]


REACHED = {
    "pending": (),
    "approved": ("approve",),
    "rejected": ("reject",),
    "suspended": ("approve", "suspend"),
    "revoked": ("approve", "revoke"),
}


@pytest.mark.parametrize("state", STATUSES)
@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_in_every_state(desk: Desk, state: str, action: str) -> None:
    name = desk.apply(BANK, act(0))[0].registration_id
    for days, before in enumerate(REACHED[state], 1):
        do(desk, before, name, days)
    events = len(desk.history())
    if action in permitted(state):
        assert do(desk, action, name, 9).from_state == state
        return
    with pytest.raises(RegistryError) as refused:
        do(desk, action, name, 9)
    assert f"{name} is {state}, it cannot be" in str(refused.value)
    expected = "final" if state in ("rejected", "revoked") else f"permitted now: {', '.join(permitted(state))}"
    assert expected in str(refused.value)
    assert len(desk.history()) == events


def test_the_table_of_transitions_is_that_of_the_file(desk: Desk) -> None:
    with closing(sqlite3.connect(desk.path)) as raw:
        stored = set(raw.execute("SELECT action, from_state, to_state FROM transition"))
    assert stored == {(one.action, one.before or "", one.after) for one in TRANSITIONS}
    assert step("approve", "suspended", "X").needs_why
    assert {state for state in STATUSES if not permitted(state)} == {"rejected", "revoked"}


@pytest.mark.parametrize(
    ("action", "before"),
    [
        ("reject", ()),
        ("amend", ()),
        ("suspend", ("approve",)),
        ("revoke", ("approve",)),
        ("approve", ("approve", "suspend")),
    ],
)
def test_why_is_needed(desk: Desk, action: str, before: tuple[str, ...]) -> None:
    name = desk.apply(BANK, act(0))[0].registration_id
    for days, done in enumerate(before, 1):
        do(desk, done, name, days)
    with pytest.raises(RegistryError, match="give --why"):
        do(desk, action, name, 9, why=" ")


def test_instants(desk: Desk) -> None:
    with pytest.raises(RegistryError, match="lies in the future"):
        desk.apply(BANK, act(400))
    name = desk.apply(BANK, act(10))[0].registration_id
    with pytest.raises(RegistryError, match=r"is pending since 2024-01-11T00:00:00Z; .* give a later --at"):
        desk.approve(name, act(9))
    change = desk.approve(name, Act(who="ali"))
    assert (change.effective_at, change.recorded_at, change.backdated) == (NOW, NOW, False)


def test_what_was_recorded_later_can_be_left_out(tmp_path: Path) -> None:
    now = [START + 10 * DAY]
    with Desk(tmp_path / "desk", create=True, clock=lambda: now[0]) as desk:
        name = desk.apply(BANK, act(1))[0].registration_id
        now[0] = START + 20 * DAY
        desk.approve(name, act(2))
        now[0] = START + 5 * DAY  # a clock that is set back
        assert desk.suspend(name, Act(who="ali", why="x")).recorded_at == START + 20 * DAY
        then = START + 3 * DAY
        assert {row.status for row in desk.rows(then)} == {"approved"}
        assert {row.status for row in desk.rows(then, known_at=START + 15 * DAY)} == {"pending"}


def periods(desk: Desk) -> list[tuple[float | None, float | None]]:
    def days(value: int | None) -> float | None:
        return None if value is None else (value - START) / DAY

    return [(days(row.valid_from), days(row.valid_until)) for row in desk.rows() if str(row.prefixes[0])[:3] == "192"]


def test_validity(desk: Desk) -> None:
    name = desk.apply(BANK, act(1))[0].registration_id
    with pytest.raises(RegistryError, match="give a --valid-until after it begins"):
        desk.approve(name, act(2), valid_until=START)
    desk.approve(name, act(2), valid_from=START + 5 * DAY, valid_until=START + 50 * DAY)
    assert periods(desk) == [(5, 50)]
    with pytest.raises(RegistryError, match="give a later --valid-until"):
        desk.renew(name, act(10), valid_until=START + 50 * DAY)
    desk.renew(name, act(10), valid_until=START + 80 * DAY)
    assert periods(desk) == [(5, 80)]
    with pytest.raises(RegistryError, match="a new period begins there or later"):
        desk.renew(name, act(90), valid_from=START + 70 * DAY, valid_until=START + 99 * DAY)
    desk.renew(name, act(90), valid_until=START + 200 * DAY)
    assert periods(desk) == [(5, 80), (90, 200)], "the gap stays one"
    desk.renew(name, act(91), valid_until=START + 300 * DAY)
    assert periods(desk) == [(5, 80), (90, 300)]
    desk.suspend(name, act(92))
    with pytest.raises(RegistryError, match="its dates stay as they are"):
        desk.approve(name, act(93), valid_until=START + 999 * DAY)
    free = Application(
        category="freelancer", prefixes=("192.0.2.1",), references={"identity": "I", "letter": "L"}, valid_until=""
    )
    other = desk.apply(free, act(3))[0].registration_id
    desk.approve(other, act(4))
    with pytest.raises(RegistryError, match="valid without an end"):
        desk.renew(other, act(5), valid_until=START + 999 * DAY)


def test_applications_that_are_refused(desk: Desk) -> None:
    with pytest.raises(ConfigError, match=r"lacks --company .*, --taxpayer .*; give it or --waive it"):
        Application(category="organization: bank", prefixes=("192.0.2.1",), references={"identity": "I"})
    with pytest.raises(ConfigError, match=r"lacks --letter \(the employer's letter\)"):
        Application(category="freelancer", prefixes=("192.0.2.1",), references={"identity": "I"})
    with pytest.raises(ConfigError, match="is no kind of reference"):
        Application(category="x", prefixes=("192.0.2.1",), references={"passport": "1"})
    with pytest.raises(ConfigError, match="is no reference"):
        Application(category="x", prefixes=("192.0.2.1",), references={"file": "a\nb"})
    with pytest.raises(ConfigError, match="given and waived"):
        Application(category="x", prefixes=("192.0.2.1",), references={"file": "a"}, waived=("file",))
    bad = Application(category="company", prefixes=("192.0.2.1/24", "192.0.2.9-192.0.2.1"), protocols=("%",))
    with pytest.raises(RegistryError) as caught:
        desk.apply(bad, act(0))
    columns = {problem.column for problem in caught.value.problems if problem.severity == "error"}
    assert columns == {"category", "prefix", "protocols"}
    with pytest.raises(RegistryError, match="--who is missing"):
        Act(who=" ")
    with pytest.raises(RegistryError, match="is not at the desk"):
        desk.approve("ORG-1", act(0))
    embassy = Application(
        category="organization: embassy", prefixes=("192.0.2.1",), references={"identity": "I"},
        waived=("company", "taxpayer"), registration_id="EMB-1",
    )  # fmt: skip
    assert desk.references(desk.apply(embassy, act(0))[0].registration_id)[0] == ("company", None)
    with pytest.raises(RegistryError, match="is at the desk already"):
        desk.apply(embassy, act(0))
    assert [event.registration_id for event in desk.history()] == ["EMB-1"], "what is refused leaves nothing"


def test_all_or_none(desk: Desk) -> None:
    def several() -> None:
        with desk.writing():
            desk.approve(desk.apply(BANK, act(0))[0].registration_id, act(1))
            desk.approve("nobody", act(1))

    with pytest.raises(RegistryError):
        several()
    assert desk.history() == []
    with desk.writing():
        desk.apply(BANK, act(0))
        with pytest.raises(RegistryError):
            desk.approve("nobody", act(1))
        desk.apply(BANK, act(0))
    assert [event.registration_id for event in desk.history()] == ["ORG-2024-0001", "ORG-2024-0002"]


TABLES = ("transition", "registration", "event", "entry", "reference")
FORGERIES = [
    *(f"DELETE FROM {table}" for table in TABLES),
    *(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}" for table in TABLES),
    *(f"REPLACE INTO {table} SELECT * FROM {table}" for table in TABLES),
    "UPDATE transition SET to_state = 'approved'",
    "UPDATE registration SET category = 'freelancer'",
    "UPDATE event SET who = 'nobody'",
    "UPDATE event SET effective_at = 0",
    "UPDATE entry SET prefix = '0.0.0.0/0'",
    "UPDATE reference SET value = 'x'",
    "INSERT INTO entry VALUES (1, 99, '0.0.0.0/0', '', NULL, NULL, NULL, NULL)",
    "INSERT INTO reference VALUES (1, 'letter', 'x')",
    "INSERT INTO event SELECT NULL, number, 'approve', 'pending', 'approved', who, why, effective_at, recorded_at, 0,"
    " chain FROM event WHERE event = 1",
    "INSERT INTO event SELECT NULL, number, 'apply', 'approved', 'pending', who, why, effective_at, recorded_at, 0,"
    " chain FROM event WHERE event = 1",
]


@pytest.mark.parametrize("sql", FORGERIES)
def test_the_history_cannot_be_changed_by_sql(desk: Desk, sql: str) -> None:
    desk.approve(desk.apply(BANK, act(0))[0].registration_id, act(1))
    with closing(sqlite3.connect(desk.path)) as raw:
        before = [raw.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES]
        with pytest.raises(sqlite3.IntegrityError, match=r"only added to|not permitted|does not follow"):
            raw.execute(sql)
        assert [raw.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES] == before


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE event SET who = 'nobody' WHERE event = 1",
        "UPDATE event SET to_state = 'suspended' WHERE event = 2",
        "DELETE FROM event WHERE event = 1",
        "UPDATE entry SET prefix = '0.0.0.0/0'",
        "DELETE FROM entry WHERE event = 2 AND place = 1",
        "UPDATE registration SET category = 'freelancer'",
        "UPDATE reference SET value = 'x'",
        "INSERT INTO entry VALUES (9, 0, '0.0.0.0/0', '', NULL, NULL, NULL, NULL)",
    ],
)
def test_a_history_changed_without_its_guards_is_refused(desk: Desk, sql: str) -> None:
    desk.approve(desk.apply(BANK, act(0))[0].registration_id, act(1))
    with closing(sqlite3.connect(desk.path, isolation_level=None)) as raw:
        guards = list(raw.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"))
        for name, _ in guards:
            raw.execute(f"DROP TRIGGER {name}")
        with pytest.raises(RegistryError, match="tables and guards were changed"):
            Desk(desk.path)
        raw.execute(sql)
        for _, text in guards:
            raw.execute(text)
    with pytest.raises(RegistryError, match=r"behind the desk's back|no event wrote"):
        desk.rows()
    with pytest.raises(RegistryError, match=r"behind the desk's back|no event wrote"):
        desk.history()


def fact(row: RegistryRow) -> tuple[object, ...]:
    return (
        row.registration_id, row.category, row.status, tuple(map(str, row.prefixes)), row.protocols, row.valid_from,
        row.valid_until, row.submitted_at, row.approved_at,
    )  # fmt: skip


STEPS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["apply", *ACTIONS]), st.integers(0, 300)), max_size=30)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, asked=st.lists(st.integers(-1, 301), min_size=1, max_size=6))
def test_rows_as_of_any_instant_are_a_replay(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, str, int]], asked: list[int]
) -> None:
    path = tmp_path_factory.mktemp("desk") / "desk.sqlite"
    told: dict[str, list[tuple[int, str]]] = {}  # in plain Python: what was accepted, as (day, action)
    with Desk(path, create=True, clock=lambda: NOW) as desk:
        for who, action, day in steps:
            name = f"F-{who}"
            try:
                if action == "apply":
                    desk.apply(
                        Application(
                            category="freelancer", prefixes=(f"198.51.100.{who}",), registration_id=name,
                            valid_until="2024-03-01", waived=("identity", "letter"),
                        ),
                        act(day),
                    )  # fmt: skip
                else:
                    do(desk, action, name, day)
            except RegistryError:
                continue
            told.setdefault(name, []).append((day, action))
        for day in asked:
            assert sorted(map(fact, desk.rows(START + day * DAY))) == sorted(replay(told, day))
        assert [event.action for event in desk.history()].count("apply") == len(told)


def replay(told: dict[str, list[tuple[int, str]]], until: int) -> Iterator[tuple[object, ...]]:
    becomes = {"reject": "rejected", "suspend": "suspended", "revoke": "revoked", "approve": "approved"}
    for name, events in told.items():
        state, submitted, approved = "", 0, None
        end = parse_timestamp("2024-03-01")
        spans: list[tuple[int | None, int]] = [(None, end)]
        for day, action in events:
            at = START + day * DAY
            if day > until:
                break
            if action == "apply":
                state, submitted = "pending", at
            elif action == "amend":  # by `do`: another end, still pending
                end = parse_timestamp("2024-12-24")
                spans = [(None, end)]
            elif action == "renew":
                begin, old = spans[-1]
                new = at + 1000 * DAY
                spans = [*spans[:-1], (begin, new)] if at <= old else [*spans, (at, new)]
            else:
                if state == "pending" and action == "approve":
                    approved, spans = at, [(submitted, end)]
                state = becomes[action]
        if state:
            for begin, old in spans:
                prefix = (f"198.51.100.{name[2:]}/32",)
                yield (name, "freelancer", state, prefix, (), begin, old, submitted, approved)


BUSY = """
import sys
from flowclass.desk.acts import Act
from flowclass.desk.applications import Application
from flowclass.desk.desk import Desk
one = Application(category="freelancer", prefixes=("192.0.2.1",), waived=("identity", "letter"))
with Desk(sys.argv[1], create=True) as desk:
    for _ in range(40):
        desk.approve(desk.apply(one, Act(who=sys.argv[2]))[0].registration_id, Act(who=sys.argv[2]))
"""


def test_two_processes_at_once(tmp_path: Path) -> None:
    path = tmp_path / "desk.sqlite"
    command = [sys.executable, "-c", BUSY, str(path)]
    with subprocess.Popen([*command, "one"]) as one, subprocess.Popen([*command, "two"]) as two:
        assert (one.wait(60), two.wait(60)) == (0, 0)
    with Desk(path) as desk:
        events = desk.history()
    assert {event.who for event in events} == {"one", "two"}
    assert len({event.registration_id for event in events}) == 80
    assert [event.event for event in events] == list(range(1, 161))


WRITER = """
import sys
from flowclass.desk.acts import Act
from flowclass.desk.applications import Application
from flowclass.desk.desk import Desk
one = Application(category="freelancer", prefixes=("192.0.2.1",), waived=("identity", "letter"))
with Desk(sys.argv[1], create=True) as desk:
    for _ in range(5):
        print(desk.apply(one, Act(who="x"))[0].registration_id, flush=True)
    with desk.writing():
        for _ in range(500):
            desk.apply(one, Act(who="x"))
        print("in the middle", flush=True)
        sys.stdin.read()
"""


def test_a_killed_writer_leaves_a_usable_desk(tmp_path: Path) -> None:
    path = tmp_path / "desk.sqlite"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        told = [writer.stdout.readline().strip() for _ in range(6)]
        assert told[-1] == "in the middle"
        with (
            Desk(path, busy_ms=10) as other,
            pytest.raises(RegistryError, match="another process is writing to the desk"),
        ):
            other.apply(BANK, Act(who="y"))
        assert len(reader.read(path)[0]) == 5, "readers do not wait"
        writer.send_signal(signal.SIGKILL)
    with Desk(path) as desk:
        assert [event.registration_id for event in desk.history()] == told[:5]
        desk.apply(BANK, Act(who="y"))
        assert len(desk.history()) == 6


def test_no_desk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = tmp_path / "nowhere.sqlite"
    with pytest.raises(RegistryError, match="cannot be opened: no such file"):
        Desk(missing)
    plain = tmp_path / "plain.sqlite"
    with closing(sqlite3.connect(plain)) as raw:
        raw.execute("CREATE TABLE registrations (registration_id TEXT)")
    with pytest.raises(RegistryError, match="is no registrar's desk"):
        Desk(plain)
    with pytest.raises(RegistryError, match="is no registrar's desk"):
        reader.read(plain)
    path = tmp_path / "desk.sqlite"
    Desk(path, create=True, clock=lambda: NOW).close()
    old = schema.MIGRATIONS
    monkeypatch.setattr(schema, "MIGRATIONS", (*old, ("CREATE INDEX of_category ON registration (category)",)))
    schema.expected.cache_clear()
    with Desk(path) as desk:
        assert desk.apply(BANK, Act(who="x"))[0].event == 1
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("PRAGMA user_version").fetchone() == (len(old) + 1,)
    monkeypatch.setattr(schema, "MIGRATIONS", old)
    schema.expected.cache_clear()
    with pytest.raises(
        RegistryError, match=rf"its version is {len(old) + 1}, this flowclass knows {len(old)}; use a newer"
    ):
        Desk(path)
    with pytest.raises(RegistryError, match=rf"its version is {len(old) + 1}, this flowclass reads {len(old)}"):
        reader.read(path)
    assert len(old) == reader.SCHEMA_VERSION


def test_a_desk_that_is_there_is_not_made_again(desk: Desk) -> None:
    desk.apply(BANK, act(0))
    store.create(desk.path)
    assert len(desk.history()) == 1
    assert [path.name for path in desk.path.parent.iterdir() if path.name.startswith(".tmp")] == []


def test_a_desk_is_a_registry(desk: Desk) -> None:
    name = desk.apply(BANK, act(1))[0].registration_id
    desk.approve(name, act(2))
    rows, _, form = read_source(desk.path)
    assert (form.name, rows) == ("Desk", desk.rows())
    assert Registry.load(desk.path).lookup(["192.0.2.7"], at="2024-06-01")[0].match == "registered"


def test_import_says_since_when(desk: Desk, tmp_path: Path) -> None:
    source = tmp_path / "list.csv"
    source.write_text(
        "registration_id,category,status,prefix,valid_from,valid_until,submitted_at,approved_at,note_ref\n"
        "A,organization: bank,suspended,192.0.2.1,2024-01-01,2025-01-01,2024-01-05,2024-01-06,company:C-1\n"
        "A,organization: bank,suspended,192.0.2.2,2024-01-01,2025-01-01,2024-01-05,2024-01-06,company:C-1\n"
        "B,freelancer,approved,192.0.2.3,,,,,drawer 7\n"
    )
    rows = read_source(source)[0]
    desk.import_rows(rows, Act(who="ali", at=START + 30 * DAY), name="list.csv")
    assert [
        (event.registration_id, event.to_state, (event.effective_at - START) // DAY) for event in desk.history()
    ] == [("A", "pending", 4), ("A", "approved", 5), ("A", "suspended", 30), ("B", "approved", 30)]
    assert status(desk, 4.5) == {"pending"}
    assert status(desk, 10) == {"approved"}
    assert status(desk, 31) == {"suspended", "approved"}
    assert {row.approved_at for row in desk.rows(START + 4 * DAY)} == {None}
    assert sorted(map(fact, desk.rows())) == sorted(map(fact, rows))
    assert (desk.references("A"), desk.references("B")) == ([("company", "C-1")], [("file", "drawer 7")])
    assert parse_references("a;b") == [("file", "a;b")]
    with pytest.raises(RegistryError, match="A is at the desk already"):
        desk.import_rows(rows, act(40), name="list.csv")
    source.write_text(
        "registration_id,category,status,prefix\nC,freelancer,approved,192.0.2.1\nC,freelancer,revoked,192.0.2.2\n"
    )
    with pytest.raises(RegistryError, match=r"list.csv:3: status = 'revoked' error: C has 'approved' in line 2"):
        desk.import_rows(read_source(source)[0], act(40), name="list.csv")


def test_statistics(desk: Desk) -> None:
    hours = [8, 9, 9, 9, 9, 9, 9, 10, 30, 200]
    for took in hours:
        name = desk.apply(BANK, act(1))[0].registration_id
        desk.approve(name, act(1 + took / 24))
    for waiting in (9, 10, 11, 50):
        desk.apply(BANK, act(100 - waiting / 24))
    found = measure(desk, at=START + 100 * DAY)
    assert (found.approvals, found.median_hours, found.p90_hours) == (10, 9.0, 30.0)
    assert [round(one.hours) for one in found.overdue] == [50, 11]
    assert found.by_status == {"pending": 4, "approved": 10, "rejected": 0, "suspended": 0, "revoked": 0}
    assert (found.registrations, found.prefixes, found.by_category) == (14, 42, {"organization": 14})
    assert len(measure(desk, at=START + 100 * DAY, overdue_hours=8).overdue) == 4
    early = measure(desk, at=START + int(1.5 * DAY))
    assert (early.approvals, early.median_hours, early.by_status["pending"]) == (8, 9.0, 2)
    assert (found.expired, found.expiring) == (0, 0)
    soon, late = (measure(desk, at=parse_timestamp(day)) for day in ("2024-12-15", "2025-01-01"))
    assert (soon.expired, soon.expiring, late.expired, late.expiring) == (0, 10, 10, 0)
    assert found.events == len(desk.history()) == 24
    with pytest.raises(ConfigError, match="give hours from 0 to 87600"):
        measure(desk, at=NOW, overdue_hours=-1)
    assert measure(desk, at=0).median_hours is None
    assert nearest_rank([5.0], 0.9) == 5.0

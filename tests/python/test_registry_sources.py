"""Every format of a registry gives the same rows, finds the same defects, and stands hostile files."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flowclass.errors import RegistryError
from flowclass.registries import kinds, source
from flowclass.registries.row import COLUMNS
from flowclass.registry import Registry

GOOD = (
    ("ORG-1", "organization: bank", "approved", "8.8.0.0/24", "wireguard;ike", "2024-01-01", "2025-01-01", "", "", "f"),
    ("FRL-2", "freelancer", "pending", "2a00:1::/48", "", "2024-03-01T12:00:00Z", "", "2024-02-01", "", ""),
)
BAD = (
    ("A", "organization", "aproved", "8.8.1.0/24", "", "", "", "", "", ""),
    ("B", "organization", "approved", "8.8.2.7/24", "", "2025-01-01", "2024-01-01", "", "", ""),
    ("", "company", "approved", "8.8.2.9-8.8.2.1", "wire%guard", "never", "", "", "", "a\0b"),
)
KINDS_OF_BAD = [
    (3, "status", "unknown_status"),
    (4, "prefix", "host_bits"),
    (4, "valid_until", "dates_crossed"),
    (5, "category", "unknown_category"),
    (5, "note_ref", "nul"),
    (5, "prefix", "range_reversed"),
    (5, "protocols", "bad_protocol"),
    (5, "registration_id", "bad_id"),
    (5, "valid_from", "bad_time"),
]
FIRST_LINE = {".csv": 2, ".jsonl": 1, ".parquet": 1, ".sqlite": 1}
ENDINGS = sorted(FIRST_LINE)


def write(path: Path, rows: tuple[tuple[str, ...], ...]) -> Path:
    if path.suffix == ".csv":
        path.write_text("\n".join([",".join(COLUMNS), *(",".join(row) for row in rows)]))
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(json.dumps(dict(zip(COLUMNS, row, strict=True))) for row in rows))
    elif path.suffix == ".parquet":
        pq.write_table(pa.table({column: [row[place] for row in rows] for place, column in enumerate(COLUMNS)}), path)
    else:
        with closing(sqlite3.connect(path)) as base, base:
            base.execute(f"CREATE TABLE registrations ({','.join(COLUMNS)})")
            base.executemany(f"INSERT INTO registrations VALUES ({','.join('?' * len(COLUMNS))})", rows)
    return path


def refused(path: Path, match: str | None = None) -> RegistryError:
    with pytest.raises(RegistryError, match=match) as caught:
        Registry.load(path)
    return caught.value


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("named", [True, False])
def test_the_same_rows_whatever_the_format_and_the_name(ending: str, named: bool, tmp_path: Path) -> None:
    path = write(tmp_path / f"registry{ending}", GOOD)
    if not named:
        path = path.rename(tmp_path / "list.old")
    expected = Registry.load(write(tmp_path / "expected.csv", GOOD))
    found = Registry.load(path)
    assert found.version == expected.version
    assert list(found.entries) == list(expected.entries)
    assert found.warnings == ()


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_same_defects_whatever_the_format(ending: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"registry{ending}", GOOD + BAD)
    problems = refused(path).problems
    shift = FIRST_LINE[ending] - 1
    assert sorted((problem.line - shift, problem.column, problem.kind) for problem in problems) == KINDS_OF_BAD
    assert {problem.file for problem in problems} == {str(path)}
    assert [problem.value for problem in problems if problem.kind == "host_bits"] == ["8.8.2.7/24"]


def test_native_types_of_parquet(tmp_path: Path) -> None:
    moment = datetime(2024, 1, 1, 12, tzinfo=UTC)
    table = pa.table(
        {
            "registration_id": pa.array([17, 18]),
            "category": pa.array(["freelancer", "freelancer"]).dictionary_encode(),
            "status": pa.array([b"approved", b"appr\xffved"], pa.binary()),
            "prefix": [["8.8.8.8", "2a00:1::/48"], ["8.8.4.4"]],
            "protocols": pa.array([["ike", "esp"], None], pa.large_list(pa.large_string())),
            "valid_from": pa.array([moment, None], pa.timestamp("ms", "UTC")),
            "valid_until": pa.array([date(2025, 1, 1), None], pa.date32()),
            "submitted_at": pa.nulls(2),
        }
    )
    path = tmp_path / "r.parquet"
    pq.write_table(table.slice(0, 1), path)
    first, second = Registry.load(path).entries
    assert (first.registration_id, first.prefix, second.prefix) == ("17", "8.8.8.8/32", "2a00:1::/48")
    assert (first.protocols, first.valid_from) == (("esp", "ike"), 1_704_110_400_000_000_000)
    assert (first.valid_until, first.submitted_at) == (1_735_689_600_000_000_000, None)
    pq.write_table(table, path)
    (problem,) = refused(path).problems
    assert (problem.line, problem.column, problem.kind, problem.value) == (2, "status", "not_utf8", "appr\\xffved")
    pq.write_table(table.set_column(2, "status", pa.array([1.5, 2.5])), path)
    (problem,) = refused(path).problems
    assert (problem.column, problem.kind) == ("status", "wrong_type")
    far = pa.array([2**62, None], pa.timestamp("us"))
    pq.write_table(table.set_column(5, "valid_from", far), path)
    assert "outside the years" in refused(path).problems[0].reason


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ('{"registration_id": "A"', "unreadable"),
        ("[" * 100_000, "unreadable"),
        ('{"a": ' * 50_000, "unreadable"),
        ("7", "unreadable"),
        ('{"status": "revoked", "status": "approved"}', "columns"),
        ('{"statu": "revoked"}', "columns"),
        ("9" * 10_000, "unreadable"),
    ],
)
def test_lines_that_are_no_object(line: str, kind: str, tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", GOOD)
    path.write_text(path.read_text() + "\n" + line)
    (problem,) = refused(path).problems
    assert (problem.line, problem.kind) == (3, kind)
    assert len(str(problem)) < 1_000


@pytest.mark.parametrize(
    ("column", "value"), [("status", 1), ("prefix", ["8.8.8.8", 2]), ("valid_from", 1_700_000_000), ("category", {})]
)
def test_json_values_of_wrong_types(column: str, value: Any, tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(json.dumps(dict(zip(COLUMNS, GOOD[0], strict=True)) | {column: value}))
    (problem,) = refused(path).problems
    assert (problem.line, problem.column, problem.kind) == (1, column, "wrong_type")


def test_sqlite_tables(tmp_path: Path) -> None:
    path = write(tmp_path / "r.db", GOOD)
    with closing(sqlite3.connect(path)) as base, base:
        base.execute("CREATE TABLE other (a)")
    before = path.read_bytes()
    assert len(Registry.load(path)) == 2
    assert (path.read_bytes(), [one.name for one in tmp_path.iterdir()]) == (before, ["r.db"])
    with closing(sqlite3.connect(path)) as base, base:
        base.execute("ALTER TABLE registrations RENAME TO mine")
    refused(path, "the table 'registrations' is wanted, or a single one; there are 2: mine, other")
    with closing(sqlite3.connect(path)) as base, base:
        base.execute("DROP TABLE other")
        base.execute("CREATE VIEW registrations AS SELECT * FROM mine, mine")
    assert len(Registry.load(path)) == 2, "the one table, not the view"


def test_sqlite_with_a_log_beside_it(tmp_path: Path) -> None:
    path = write(tmp_path / "r.db", GOOD[:1])
    with closing(sqlite3.connect(path)) as base:
        base.execute("PRAGMA journal_mode = WAL")
        base.execute(f"INSERT INTO registrations VALUES ({','.join('?' * len(COLUMNS))})", GOOD[1])
        base.commit()
        assert len(Registry.load(path)) == 2


@pytest.mark.parametrize("ending", [".parquet", ".sqlite"])
def test_damaged_files(ending: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"r{ending}", GOOD)
    whole = path.read_bytes()
    for cut in (len(whole) // 4, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        refused(path)
    path.write_text("plain")
    refused(path, "does not begin as")


def test_text_that_is_not_utf8_is_told_by_row(tmp_path: Path) -> None:
    path = write(tmp_path / "r.csv", GOOD)
    path.write_bytes(
        path.read_bytes() + b"\nA,organization\xe9,approved,8.8.9.9,,,,,,\nB,freelancer,x\xff,8.8.9.8,,,,,,"
    )
    found = [(problem.line, problem.column, problem.kind, problem.value) for problem in refused(path).problems]
    assert found == [(4, "category", "not_utf8", "organization\\xe9"), (5, "status", "not_utf8", "x\\xff")]
    path.write_bytes("registration_id".encode("utf-16"))
    refused(path, "UTF-16")


@pytest.mark.parametrize(
    ("name", "octets", "reason"),
    [
        (
            "r.csv",
            b"registration_id;category;status;prefix\nA;organization;approved;9.9.9.9",
            "separated by semicolons",
        ),
        ("r.csv", b"registration_id\tcategory\tstatus\tprefix\n", "separated by tabs"),
        ("r.csv", "registration_id,category,status,prefix\n".encode("utf-16-le"), "as in UTF-16 text"),
        ("r.csv.gz", b"\x1f\x8b\x08\x00", "it is compressed, or a spreadsheet's own format"),
        ("r.xlsx", b"PK\x03\x04", "it is compressed, or a spreadsheet's own format"),
        ("r.jsonl", b'{"registration_id":' + b"9" * 9_999 + b"}", "not JSON: a number of too many digits"),
        ("r.jsonl", b'{"registration_id":"A"}\nnull', "a JSON null where an object is wanted"),
    ],
)
def test_usual_mistakes_are_told_in_one_sentence(name: str, octets: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(octets)
    refused(path, reason)


def test_a_list_without_rows_is_warned_of(tmp_path: Path) -> None:
    """A list of which only the header was written: with it every tunnel is unregistered."""
    (problem,) = Registry.load(write(tmp_path / "r.csv", ())).warnings
    assert (problem.line, problem.kind) == (1, "no_entries")
    assert not Registry.load(write(tmp_path / "r.csv", GOOD[:1])).warnings


def test_a_row_with_an_error_is_warned_of_too(tmp_path: Path) -> None:
    row = ("A", "organization", "aproved", "10.0.0.0/8", *[""] * (len(COLUMNS) - 4))
    kinds_told = [problem.kind for problem in refused(write(tmp_path / "r.csv", (row,))).problems]
    assert kinds_told == ["unknown_status", "wide", "reserved"]


def test_long_fields_and_lines_are_bounded(tmp_path: Path) -> None:
    path = write(tmp_path / "r.csv", GOOD)
    path.write_text(path.read_text() + f"\nA,{'x' * 50_000},approved,{'1' * 50_000},,,,,,\nB,{'y' * 200_000},,,,,,,,")
    error = refused(path)
    assert {problem.line for problem in error.problems} == {4, 5}
    assert len(str(error)) < 3_000
    path.write_text(path.read_text() + "\n" + "," * (kinds.MOST_LINE + 1))
    assert refused(path, "this is no registry").problems[-1].kind == "too_long"


@pytest.mark.parametrize("limit", ["MOST_ROWS", "MOST_PREFIXES", "MOST_PROBLEMS"])
def test_bombs_are_cut_short(limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"flowclass.registries.row.{limit}", 3)
    row = ("A", "organization", "" if limit == "MOST_PROBLEMS" else "approved", "1.0.0.1-9.255.255.254") + ("",) * 6
    rows = tuple((f"A{number}", *row[1:]) for number in range(5))
    last = refused(write(tmp_path / "r.csv", rows)).problems[-1]
    assert last.kind == "too_many"
    assert last.line == {"MOST_ROWS": 5, "MOST_PREFIXES": 2, "MOST_PROBLEMS": 3}[limit]


def test_a_file_that_changes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "r.csv", GOOD)
    read = os.read
    grown = [False]

    def growing(descriptor: int, count: int) -> bytes:
        octets = read(descriptor, count)
        if not grown[0]:
            grown[0] = True
            with path.open("ab") as file:
                file.write(b"\nFRL-9,freelancer,approved,9.9.9.9,,,,,,")
        return octets

    monkeypatch.setattr(source.os, "read", growing)
    refused(path, "the file changed while it was read")
    assert len(Registry.load(path)) == 3, "and is taken when it holds still"


def test_a_database_that_changes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from flowclass.registries.row import RowChecker

    path = write(tmp_path / "r.sqlite", GOOD)
    check = RowChecker.check

    def changing(self: RowChecker, line: int, values: Any) -> Any:
        with path.open("ab") as file:
            file.write(bytes(4096))
        return check(self, line, values)

    monkeypatch.setattr(RowChecker, "check", changing)
    refused(path, "the file changed while it was read")


def test_the_formats_there_are_are_said(tmp_path: Path) -> None:
    path = tmp_path / "r.xls"
    path.write_bytes(b"\xd0\xcf\x11\xe0")
    message = str(refused(path, "no registry format has the ending '.xls'"))
    for name in (
        "CSV (.csv)",
        "JSON lines (.jsonl .ndjson)",
        "Parquet (.parquet .pq)",
        "SQLite (.sqlite .sqlite3 .db)",
    ):
        assert name in message

"""Any octets as a registry, policy, labels, configuration or vectors: a value, or an error of ours that says why.

Registries go all the way: rows, overlaps, the native tree.
"""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowclass.accuracy.labels import read_labels
from flowclass.cli.config import all_keys, load
from flowclass.errors import FlowclassError
from flowclass.policy import Policy
from flowclass.registries.row import REQUIRED_COLUMNS
from flowclass.registry import Registry
from flowclass.vectors import read

Reader = Callable[[bytes, Path], object]


def _registry(ending: str, data: bytes, place: Path) -> object:
    registry = Registry.load(_written(data, place, f"registry{ending}"))
    assert all(problem.line >= 1 and problem.reason for problem in registry.warnings)
    assert len(registry.lookup(["192.0.2.1", "::"], at="2024-11-20")) == 2
    return registry


def _written(data: bytes, place: Path, name: str) -> Path:
    path = place / name
    path.write_bytes(data)
    return path


READERS: dict[str, Reader] = {
    "registry.csv": functools.partial(_registry, ".csv"),
    "registry.jsonl": functools.partial(_registry, ".jsonl"),
    "registry.parquet": functools.partial(_registry, ".parquet"),
    "registry.sqlite": functools.partial(_registry, ".sqlite"),
    "policy.toml": lambda data, place: Policy.parse(data),
    "labels.jsonl": lambda data, place: read_labels(_written(data, place, "labels.jsonl")),
    "flowclass.toml": lambda data, place: load(_written(data, place, "flowclass.toml"), all_keys()),
    "vector.toml": lambda data, place: read.read_cases(_written(data, place, "vector.toml")),
}
ROWS = (
    ("A", "organization", "approved", "192.0.2.0/24"),
    ("B", "freelancer", "pending", "192.0.2.0-192.0.2.200"),
    ("C", "organization", "revoked", "2001:db8::/32"),
)


def _parquet() -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(dict(zip(REQUIRED_COLUMNS, zip(*ROWS, strict=True), strict=True))), sink)
    return bytes(sink.getvalue())


def _sqlite() -> bytes:
    with closing(sqlite3.connect(":memory:")) as base:
        base.execute(f"CREATE TABLE registrations ({', '.join(REQUIRED_COLUMNS)})")
        base.executemany("INSERT INTO registrations VALUES (?, ?, ?, ?)", ROWS)
        base.commit()
        return base.serialize()


GOOD: dict[str, bytes] = {
    "registry.csv": (ROOT / "datasets" / "registry" / "sample.csv").read_bytes()[:3000].rpartition(b"\n")[0],
    "registry.parquet": _parquet(),
    "registry.sqlite": _sqlite(),
    "registry.jsonl": b'{"registration_id": "A", "category": "organization", "status": "approved", "prefix": "::/0"}\n',
    "policy.toml": (ROOT / "datasets" / "registry" / "policy.toml").read_bytes(),
    "labels.jsonl": b"".join((ROOT / "datasets" / "labels.jsonl").read_bytes().splitlines(keepends=True)[:4]),
    "flowclass.toml": b'threads = 2\nformat = "jsonl"\nquiet = true\n',
    "vector.toml": (ROOT / "tests" / "vectors" / "fingerprint" / "gre.toml").read_bytes()[:4000],
}
DEEP = 3_000  # three times what Python permits; of more dots tomllib, quadratic in them, takes seconds
HOSTILE = (
    b"",
    b"\0",
    b"\xff\xfe=\0",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80 = 1",
    b"a = " + b"9" * 5000,
    b"a = " + b"[" * DEEP,
    b"[" * DEEP,
    b'{"a":' * DEEP,
    b"a." * DEEP + b"b = 1",
    b'{"registration_id": ' + b"9" * 5000 + b"}",
    b'{"capture": "x", "src_ip": "' + b"1" * 5000 + b'"}',
    b'{"capture": "a\\u0000b", "src_ip": "\\ud800", "dst_ip": "::", "ip_proto": 17, "family": "x"}',
    b"a = 1e999\nb = nan\nc = 9999-99-99T99:99:99Z",
    b"[[case]]\n",
    b"case = 1",
    b"case = [1]",
    b"[[phase]]\nname = 1\nfrom = inf\noutcome = []",
)


@st.composite
def broken(draw: st.DrawFn, good: bytes) -> bytes:
    """Give a good file in which some places were overwritten, cut or doubled."""
    data = bytearray(good)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        octets = draw(
            st.binary(max_size=8) | st.sampled_from([b'"', b"\n", b",", b"=", b"[", b"{", b"\0", b"-1", b"1e99"])
        )
        data[at : at + draw(st.integers(0, 40))] = octets
    return bytes(data)


def tried(name: str, data: bytes, place: Path) -> None:
    try:
        READERS[name](data, place)
    except FlowclassError as problem:
        said = str(problem)
        assert said
        assert len(said) < 20_000, "an error is read by a person"
        assert all(letter.isprintable() or letter == "\n" for letter in said), "and on a terminal"
        for one in getattr(problem, "problems", ()):
            assert one.line >= 1
            assert one.reason.isprintable()
            assert str(one.value or "").isprintable()


@pytest.mark.parametrize("name", READERS)
def test_what_is_hostile_by_design(name: str, tmp_path: Path) -> None:
    for data in HOSTILE:
        tried(name, data, tmp_path)
        tried(name, GOOD[name] + data, tmp_path)


@pytest.mark.parametrize("name", READERS)
@given(data=st.data())
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_octets_and_any_damage(name: str, data: st.DataObject, tmp_path: Path) -> None:
    tried(name, data.draw(st.binary(max_size=200) | broken(GOOD[name])), tmp_path)


@pytest.mark.parametrize("name", READERS)
def test_the_good_ones_are_good(name: str, tmp_path: Path) -> None:
    if name != "vector.toml":  # cut in its middle
        assert READERS[name](GOOD[name], tmp_path) is not None

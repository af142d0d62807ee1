"""Outputs: whole or not at all, the same rows in every format, nothing that a spreadsheet runs."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from capture_files import exchange, pcap
from conftest import Command

import flowclass
from flowclass.errors import OutputError
from flowclass.pipeline.records import Records
from flowclass.sinks import FORMATS, SUFFIXES, open_sink
from flowclass.sinks.columns import rows
from flowclass.sinks.csv import guarded
from flowclass.sinks.parquet import few_valued

SCHEMA = pa.schema(
    [
        ("name", pa.dictionary(pa.int32(), pa.string())),
        ("time", pa.timestamp("ns", tz="UTC")),
        ("count", pa.uint64()),
        ("list", pa.list_(pa.struct([("rule", pa.string()), ("time", pa.timestamp("ns", tz="UTC"))]))),
    ]
)


def _batch(names: list[str | None], start: int = 0) -> pa.RecordBatch:
    count = len(names)
    items: list[Any] = [None if n % 3 == 0 else [{"rule": "r", "time": n}] * (n % 3) for n in range(count)]
    return pa.record_batch(
        [
            pa.array(names).dictionary_encode().cast(SCHEMA.field("name").type),
            pa.array([start + n for n in range(count)], pa.timestamp("ns", tz="UTC")),
            pa.array([2**64 - 1 - n for n in range(count)], pa.uint64()),
            pa.array(items, SCHEMA.field("list").type),
        ],
        schema=SCHEMA,
    )


def _written(form: str, target: Path, batches: list[pa.RecordBatch]) -> None:
    sink = open_sink(form, target, batches[0].schema if batches else SCHEMA, {"flowclass.schema": "1"})
    for batch in batches:
        sink.write(batch)
    sink.finish()


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_is_there_before_the_end(form: str, tmp_path: Path) -> None:
    target = tmp_path / f"flows.{form}"
    target.write_text("the run before")
    sink = open_sink(form, target, SCHEMA, {})
    sink.write(_batch(["a"]))
    assert target.read_text() == "the run before"
    assert [path.name[:5] for path in tmp_path.iterdir() if path != target] == [".tmp-"]
    sink.finish()
    assert target.read_bytes() != b"the run before"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("form", FORMATS)
def test_abort_leaves_nothing(form: str, tmp_path: Path) -> None:
    sink = open_sink(form, tmp_path / f"flows.{form}", SCHEMA, {})
    sink.write(_batch(["a", "b"]))
    sink.abort()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", FORMATS)
def test_finish_that_fails_leaves_nothing(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = open_sink(form, tmp_path / f"flows.{form}", SCHEMA, {})
    sink.write(_batch(["a"]))

    def fail(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match="no space left on device"):
        sink.finish()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", FORMATS)
def test_no_batches(form: str, tmp_path: Path) -> None:
    _written(form, tmp_path / f"flows.{form}", [])
    assert (tmp_path / f"flows.{form}").exists()


def test_parquet_row_groups_do_not_depend_on_batches(tmp_path: Path) -> None:
    names = [f"n{number % 7}" for number in range(600_000)]
    whole = _batch(names)
    _written("parquet", tmp_path / "whole.parquet", [whole])
    _written("parquet", tmp_path / "parts.parquet", [whole.slice(at, 65_536) for at in range(0, 600_000, 65_536)])
    meta = pq.read_metadata(tmp_path / "parts.parquet")
    assert [meta.row_group(n).num_rows for n in range(meta.num_row_groups)] == [262_144, 262_144, 75_712]
    assert meta.row_group(0).column(0).compression == "ZSTD"
    assert meta.metadata[b"flowclass.schema"] == b"1"
    assert (tmp_path / "whole.parquet").read_bytes() == (tmp_path / "parts.parquet").read_bytes()


def test_arrow_dictionaries_only_grow(tmp_path: Path) -> None:
    batches = [_batch(["a", "b"]), _batch(["c", "a", None]), _batch(["b", "d", "c"])]
    _written("arrow", tmp_path / "flows.arrow", batches)
    table = pa.ipc.open_file(tmp_path / "flows.arrow").read_all()
    assert table.column("name").to_pylist() == ["a", "b", "c", "a", None, "b", "d", "c"]
    _written("arrow", tmp_path / "flows.arrows", batches)
    table = pa.ipc.open_stream(tmp_path / "flows.arrows").read_all()
    assert table.column("name").to_pylist() == ["a", "b", "c", "a", None, "b", "d", "c"]


def test_rows_keep_nanoseconds_nulls_and_shapes() -> None:
    batch = _batch(["a", None, "b", "a", "c"], start=1_732_000_000_123_456_789)
    expected = [
        {
            "name": name,
            "time": f"2024-11-19T07:06:40.12345678{9 if n == 0 else 0}Z"
            if n == 0
            else f"2024-11-19T07:06:40.{123456789 + n:09d}Z",
            "count": 2**64 - 1 - n,
            "list": None if n % 3 == 0 else [{"rule": "r", "time": f"1970-01-01T00:00:00.{n:09d}Z"}] * (n % 3),
        }
        for n, name in enumerate(["a", None, "b", "a", "c"])
    ]
    assert rows(batch) == expected
    assert rows(batch.slice(2, 3)) == expected[2:]  # a slice does not begin where its buffers do


def test_csv_is_safe_for_spreadsheets(tmp_path: Path) -> None:
    hostile = [
        "=cmd|' /C calc'!A0",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r\n=1",
        "a,b",
        'quo"te',
        "",
        None,
        "ok\x1b[31m\x85",
    ]
    _written("csv", tmp_path / "flows.csv", [_batch(hostile)])
    text = (tmp_path / "flows.csv").read_bytes().decode()
    with (tmp_path / "flows.csv").open(newline="", encoding="utf-8") as file:
        read = list(csv.DictReader(file))
    assert [row["name"] for row in read] == [
        "'=cmd|' /C calc'!A0", "'+1", "'-1", "'@SUM(A1)", "'=1", "'=1", "a,b", 'quo"te', "", "", "ok[31m",
    ]  # fmt: skip
    assert json.loads(read[2]["list"]) == [{"rule": "r", "time": "1970-01-01T00:00:00.000000002Z"}] * 2
    assert not [char for char in text if ord(char) < 32 and char != "\n"]
    assert guarded(pa.array(["10.0.0.1", "fe80::1", "::1"])).to_pylist() == ["10.0.0.1", "fe80::1", "::1"]


def test_all_formats_hold_the_same(captures: Path, tmp_path: Path, flowclass_command: Command) -> None:
    capture = next(captures.glob("openvpn-*.pcap"))
    for form in FORMATS:
        assert flowclass_command(capture, "-o", tmp_path / f"flows.{form}").code == 0
    table = pq.read_table(tmp_path / "flows.parquet")
    assert table.num_rows > 0
    assert pa.ipc.open_file(tmp_path / "flows.arrow").read_all().to_pylist() == table.to_pylist()
    lines = [json.loads(line) for line in (tmp_path / "flows.jsonl").read_text().splitlines()]
    assert [list(line) for line in lines] == [table.schema.names] * table.num_rows
    assert [line["evidence_bits"] for line in lines] == table.column("evidence_bits").to_pylist()
    with (tmp_path / "flows.csv").open(newline="", encoding="utf-8") as file:
        read = list(csv.DictReader(file))
    assert [row["flow_id"] for row in read] == [line["flow_id"] for line in lines]
    assert [json.loads(row["evidence"]) for row in read] == [line["evidence"] for line in lines]


def test_parquet_has_dictionaries_for_few_values_alone(tmp_path: Path) -> None:
    options = flowclass.EngineOptions(features=True, heads=True)
    flows = flowclass.classify(flowclass.samples(), options=options).to_pyarrow()
    _written("parquet", tmp_path / "flows.parquet", flows.to_batches())
    group = pq.read_metadata(tmp_path / "flows.parquet").row_group(0)
    leaves = {leaf.path_in_schema: leaf for leaf in (group.column(at) for at in range(group.num_columns))}
    few = set(few_valued(flows.schema))
    assert few <= leaves.keys()
    assert {"protocol", "src_port", "variant", "bytes_fwd", "evidence.list.element.rule"} <= few
    assert not few & {"flow_id", "src_ip", "time_start", "pkt_len_mean_fwd", "evidence.list.element.time"}
    assert {path for path, leaf in leaves.items() if leaf.has_dictionary_page} <= few
    assert {"protocol", "evidence.list.element.rule"} <= {p for p, leaf in leaves.items() if leaf.has_dictionary_page}


def test_parquet_says_the_range_of_what_may_be_skipped(tmp_path: Path) -> None:
    flows = flowclass.classify(flowclass.samples()).to_pyarrow()
    _written("parquet", tmp_path / "flows.parquet", flows.to_batches())
    group = pq.read_metadata(tmp_path / "flows.parquet").row_group(0)
    leaves = {leaf.path_in_schema: leaf for leaf in (group.column(at) for at in range(group.num_columns))}
    told = {path for path, leaf in leaves.items() if leaf.statistics is not None and leaf.statistics.has_min_max}
    assert {"time_start", "time_end", "packets_fwd", "source_file"} <= told
    assert not told & {"flow_id", "community_id", "src_ip", "protocol"}
    assert not any(path.startswith("evidence.") for path in told)
    assert leaves["time_start"].has_column_index
    assert leaves["time_start"].has_offset_index


def test_parquet_dictionaries_of_a_row_group_are_one(tmp_path: Path) -> None:
    batches = [_batch(["a", "b"]), _batch(["c", "a", None]), _batch(["b", "d", "c"])]
    _written("parquet", tmp_path / "flows.parquet", batches)
    leaf = pq.read_metadata(tmp_path / "flows.parquet").row_group(0).column(0)
    assert {"PLAIN", "RLE_DICTIONARY"} == set(leaf.encodings) - {"RLE"}  # plain is the dictionary's own page
    table = pq.read_table(tmp_path / "flows.parquet")
    assert table.column("name").to_pylist() == ["a", "b", "c", "a", None, "b", "d", "c"]


def test_parquet_says_what_made_it(tmp_path: Path, flowclass_command: Command) -> None:
    (tmp_path / "a.pcap").write_bytes(pcap(exchange()))
    flowclass_command(tmp_path / "a.pcap", "-o", tmp_path / "flows.parquet")
    metadata = pq.read_metadata(tmp_path / "flows.parquet").metadata
    keys = {"schema", "version", "rules_sha256", "registry_version", "policy_sha256", "inputs", "flow_definition"}
    assert {f"flowclass.{key}".encode() for key in keys} <= set(metadata)
    assert json.loads(metadata[b"flowclass.inputs"]) == [
        {"name": str(tmp_path / "a.pcap"), "size": (tmp_path / "a.pcap").stat().st_size}
    ]


def test_output_into_a_folder(tmp_path: Path, flowclass_command: Command) -> None:
    (tmp_path / "a.pcap").write_bytes(pcap(exchange()))
    assert flowclass_command(tmp_path / "a.pcap", "-o", f"{tmp_path}/out/").code == 0
    assert flowclass_command(tmp_path / "a.pcap", "-o", tmp_path / "out", "--format", "csv").code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["flows.csv", "flows.parquet"]


@pytest.mark.parametrize("name", ["run.parquet", "run.arrow", "run.arrows", "run.jsonl", "run.csv"])
@pytest.mark.parametrize("batches", [0, 2])
def test_what_is_known_at_the_end_stands_in_the_file(name: str, batches: int, tmp_path: Path) -> None:
    target = tmp_path / name
    given = [_batch(["a", None], 3 * start) for start in range(batches)]
    sink = open_sink(SUFFIXES[target.suffix], target, SCHEMA, {"flowclass.version": "1"})
    for batch in given:
        sink.write(batch)
    sink.finish({"flowclass.balance": "{}"})
    if target.suffix in (".jsonl", ".csv"):
        assert "balance" not in target.read_text()
        return
    records = Records(target, 10)
    rows = [row for batch in records for row in batch.to_pylist()]
    assert rows == [row for batch in given for row in batch.to_pylist()]
    assert records.metadata == {"flowclass.version": "1", "flowclass.balance": "{}"}

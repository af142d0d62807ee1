"""Saved heads matched again: the same verdicts as from the capture; hostile records harm nothing."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from conftest import Command

import flowclass
from flowclass.pipeline.match import JUDGED, VERDICT
from flowclass.pipeline.records import VERSIONS
from flowclass.schema import arrow_schema

HEADS = flowclass.EngineOptions(heads=True)


@pytest.fixture(scope="module")
def kept(captures: Path) -> pa.Table:
    """Give the flows of all captures with their heads."""
    return flowclass.classify(captures, options=HEADS).to_pyarrow()


def changed_head(table: pa.Table, row: int, **fields: Any) -> pa.Table:
    """Give a table whose row has other values in its head's items; the verdicts stay."""
    heads = table.column("head").to_pylist()
    heads[row] = [item | fields for item in heads[row]]
    place = table.schema.get_field_index("head")
    kind = table.schema.field("head").type
    items = pa.array([item for head in heads for item in head], kind.value_type)
    lengths = pa.array([0, *(len(head) for head in heads)], pa.int32())
    return table.set_column(
        place, table.schema.field("head"), pa.ListArray.from_arrays(pc.cumulative_sum(lengths), items, type=kind)
    )


def test_equal_to_classifying_the_capture(kept: pa.Table) -> None:
    assert kept.schema == arrow_schema(heads=True)
    assert pc.sum(pc.list_value_length(kept.column("head"))).as_py() > 500
    again = flowclass.match(kept).read_all()
    for name in kept.schema.names:
        assert again.column(name).to_pylist() == kept.column(name).to_pylist(), name


def test_equal_however_the_records_are_cut(kept: pa.Table) -> None:
    for size in (1, 7, 50):
        cut = pa.Table.from_batches(kept.to_batches(max_chunksize=size))
        assert flowclass.match(cut.slice(3)).read_all().to_pylist() == kept.slice(3).to_pylist()


def test_segments_keep_their_head(captures: Path) -> None:
    options = flowclass.EngineOptions(heads=True, active_timeout_ns=1_000_000_000)
    table = flowclass.classify(captures, options=options).to_pyarrow()
    later = table.filter(pc.greater(table.column("segment"), 0))
    assert pc.sum(pc.not_equal(later.column("protocol").cast(pa.string()), "unknown")).as_py() > 5
    assert flowclass.match(table).read_all().to_pylist() == table.to_pylist()


@pytest.mark.corpus
def test_equal_on_the_public_captures(corpus: Path) -> None:
    table = flowclass.classify(corpus / "captures", options=HEADS).to_pyarrow()
    again = flowclass.match(table).read_all()
    for name in table.schema.names:
        assert again.column(name).to_pylist() == table.column(name).to_pylist(), name


def test_another_verdict_takes_the_judgement_away(captures: Path) -> None:
    registry = captures.parent / "registry"
    table = flowclass.classify(
        captures, registry=registry / "sample.csv", policy=registry / "policy.toml", options=HEADS
    ).to_pyarrow()
    row = table.column("protocol").to_pylist().index("wireguard")
    again = flowclass.match(changed_head(table, row, prefix=b"\xaa" * 64)).read_all()
    before, after = table.slice(row, 1).to_pylist()[0], again.slice(row, 1).to_pylist()[0]
    assert before["policy_outcome"] is not None
    assert after["protocol"] == "unknown"
    assert after["evidence"] == []
    assert all(after[name] is None for name in (*JUDGED, *VERSIONS))
    rest = [name for name in table.schema.names if name not in (*JUDGED, *VERSIONS, *VERDICT, "head")]
    assert {name: before[name] for name in rest} == {name: after[name] for name in rest}
    others = [place for place in range(table.num_rows) if place != row]
    assert again.take(others).to_pylist() == table.take(others).to_pylist()


def test_a_verdict_may_turn_the_flow(kept: pa.Table) -> None:
    """Whose first packet was the server's: the roles come from the octets, and all columns follow."""
    rows = kept.select(["direction_basis", "packets_rev", "protocol"]).to_pylist()
    wanted = next(
        number
        for number, row in enumerate(rows)
        if row["direction_basis"] == "handshake" and row["packets_rev"] > 0 and row["protocol"] == "wireguard"
    )
    one = kept.slice(wanted, 1)
    turned = one.to_pylist()[0]
    for name in ("ip", "port"):
        turned[f"src_{name}"], turned[f"dst_{name}"] = turned[f"dst_{name}"], turned[f"src_{name}"]
    for name in ("packets", "bytes", "payload_bytes"):
        turned[f"{name}_fwd"], turned[f"{name}_rev"] = turned[f"{name}_rev"], turned[f"{name}_fwd"]
    for item in turned["head"]:
        item["direction"] = {"fwd": "rev", "rev": "fwd"}[item["direction"]]
    again = flowclass.match(pa.Table.from_pylist([turned], kept.schema)).read_all()
    assert again.to_pylist() == one.to_pylist()


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_command(form: str, captures: Path, tmp_path: Path, flowclass_command: Command) -> None:
    run, again = tmp_path / f"run.{form}", tmp_path / "again.parquet"
    assert flowclass_command("classify", captures, "--heads", "-o", run, "-q").code == 0
    done = flowclass_command("match", run, "-o", again, "--json")
    assert done.code == 0, done.err
    said = json.loads(done.out)
    assert said["changed"] == 0
    assert said["flows"] == pq.read_table(again).num_rows > 100
    classified = pq.read_table(run) if form == "parquet" else pa.ipc.open_file(run).read_all()
    assert pq.read_table(again).to_pylist() == classified.to_pylist()
    assert b"flowclass.rules_sha256" in pq.read_schema(again).metadata


def test_errors(captures: Path, tmp_path: Path, flowclass_command: Command) -> None:
    plain = tmp_path / "plain.parquet"
    assert flowclass_command("classify", captures, "-o", plain, "-q").code == 0
    without = flowclass_command("match", plain, "-o", tmp_path / "out.parquet")
    assert without.code == 4
    assert "classify the capture again with --heads" in without.err
    assert not (tmp_path / "out.parquet").exists()
    (tmp_path / "text.parquet").write_text("no parquet at all")
    for name, sentence in (("text.parquet", "neither Parquet nor Arrow"), ("none.parquet", "no such file")):
        failed = flowclass_command("match", tmp_path / name)
        assert failed.code == 4
        assert sentence in failed.err
    assert flowclass_command("match", plain, "-o", plain).code == 2


@pytest.mark.parametrize("seed", range(8))
def test_hostile_records(seed: int, kept: pa.Table) -> None:
    dice = random.Random(seed)
    extremes = {
        "by_first_sender": [0, 1, 255],
        "from_start": [0, 255],
        "offset_ns": [-(2**63), 2**63 - 1, 0],
        "sender_port": [0, 65535],
        "packet": [0, 2**32 - 1],
        "length": [0, 1, 64, 2**32 - 1],
        "start": [0, 63, 4095, 4096, 65535, 2**32 - 1],
        "repeated": [0, 2**32 - 1],
        "prefix": [b"", b"\x16\x03\x01", bytes(5000), dice.randbytes(4096)],
    }
    rows = kept.slice(0, 60).to_pylist()
    for row in rows:
        for item in row["head"]:
            for name, values in extremes.items():
                if dice.random() < 0.4:
                    item[name] = dice.choice(values)
        if dice.random() < 0.3:
            row["head"] = row["head"] * 5
        row["ip_proto"] = dice.choice([row["ip_proto"], 0, 6, 17, 50, 255])
    again = flowclass.match(pa.Table.from_pylist(rows, kept.schema)).read_all()
    assert again.num_rows == len(rows)
    again.validate(full=True)

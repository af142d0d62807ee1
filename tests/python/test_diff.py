"""Two runs compared: against plain Python on the rows, in every format, and on hostile files."""

from __future__ import annotations

import json
from collections import defaultdict
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT, Command
from hypothesis import given, settings
from hypothesis import strategies as st

import flowclass
from flowclass.report.inside import PRIVATE
from flowclass.run_diff import groups, pairing
from flowclass.run_diff.reading import COLUMNS
from flowclass.sinks import FORMATS

REGISTRY = ROOT / "datasets" / "registry" / "sample.csv"
POLICY = ROOT / "datasets" / "registry" / "policy.toml"
LISTED = flowclass.Registry.load(REGISTRY)
NETWORKS = [ip_network(prefix) for prefix in PRIVATE]

Rows = list[dict[str, Any]]

row = st.fixed_dictionaries(
    {
        "flow_id": st.sampled_from("abcdef"),
        "src_ip": st.sampled_from(["10.0.0.1", "10.0.0.2", "fd00::1", "192.0.2.1"]),
        "dst_ip": st.sampled_from(["192.168.1.1", "198.51.100.7", "2001:db8::7"]),
        "protocol": st.sampled_from(["dns", "openvpn", "unknown"]),
        "registration_id": st.sampled_from([None, "ORG-2026-0001", "FRL-2026-0040", "nobody's"]),
        "policy_outcome": st.sampled_from([None, "allow", "violation"]),
        "policy_reason": st.sampled_from([None, "registered", "unregistered"]),
        "bytes_fwd": st.integers(0, 2**40),
        "bytes_rev": st.integers(0, 2**40),
    }
)
runs = st.lists(row, max_size=12)


def table(rows: Rows, size: int = 3) -> pa.Table:
    """Make the columns that are compared, in batches of a few rows."""
    kinds = {"bytes_fwd": pa.uint64(), "bytes_rev": pa.uint64(), "protocol": pa.dictionary(pa.int16(), pa.string())}
    made = pa.table({name: pa.array([one[name] for one in rows], kinds.get(name, pa.string())) for name in COLUMNS})
    batches = [made.slice(start, size) for start in range(0, made.num_rows, size)]
    return pa.concat_tables(batches) if batches else made


def paired(first: Rows, second: Rows) -> tuple[list[tuple[dict[str, Any], dict[str, Any]]], Rows, Rows]:
    """Pair the rows as the documents say it."""
    waiting = defaultdict(list)
    for one in second:
        waiting[one["flow_id"]].append(one)
    pairs = []
    alone = []
    for one in first:
        if waiting[one["flow_id"]]:
            pairs.append((one, waiting[one["flow_id"]].pop(0)))
        else:
            alone.append(one)
    left = {id(one) for rows in waiting.values() for one in rows}
    return pairs, alone, [one for one in second if id(one) in left]


def inside(*rows: dict[str, Any]) -> set[str]:
    ends = {one[name] for one in rows for name in ("src_ip", "dst_ip")}
    return {end for end in ends if any(ip_address(end) in network for network in NETWORKS)}


def turned(change: flowclass.FlowChange) -> tuple[Any, ...]:
    names = ("protocol", "outcome", "reason", "category", "bytes")
    told = [getattr(change, f"{name}_{side}") for name in names for side in "ba"]
    return (*told, change.flows, change.inside_addresses, change.flow_id)


@settings(deadline=None)
@given(first=runs, second=runs, waiting=st.sampled_from([0, 4, 1000]), code=st.sampled_from([1, 2**62]))
def test_equal_to_plain_python(first: Rows, second: Rows, waiting: int, code: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairing, "MOST_WAITING", waiting)
        patch.setattr(groups, "MOST_CODE", code)
        found = flowclass.diff(table(first), table(second), registry=LISTED)
        back = flowclass.diff(table(second), table(first), registry=LISTED)
    pairs, only_first, only_second = paired(first, second)
    categories = {entry.registration_id: entry.category for entry in LISTED.entries}

    def facts(one: dict[str, Any]) -> tuple[Any, ...]:
        name = one["registration_id"]
        category = None if name is None else categories.get(name, "not in the registry")
        return (one["protocol"], one["policy_outcome"], one["policy_reason"], category)

    wanted = defaultdict(list)
    for pair in pairs:
        one, other = (facts(side) for side in pair)
        if one[:3] != other[:3]:
            wanted[one, other].append(pair)
    assert found.paired == len(pairs)
    assert found.same == len(pairs) - sum(len(members) for members in wanted.values())
    assert len(found.changes) == len(wanted)
    for change in found.changes:
        names = ("protocol", "outcome", "reason", "category")
        key = tuple(tuple(getattr(change, f"{name}_{side}") for name in names) for side in "ab")
        members = wanted[key]
        assert change.flows == len(members)
        for place, octets in enumerate((change.bytes_a, change.bytes_b)):
            assert octets == sum(pair[place]["bytes_fwd"] + pair[place]["bytes_rev"] for pair in members)
        assert change.inside_addresses == len(inside(*(one for pair in members for one in pair)))
        assert change.flow_id == min(pair[0]["flow_id"] for pair in members)
    of_outcome = [pair for key, members in wanted.items() if key[0][1] != key[1][1] for pair in members]
    assert found.other_outcome == len(of_outcome)
    assert found.other_outcome_inside_addresses == len(inside(*(one for pair in of_outcome for one in pair)))
    for alone, rows in ((found.alone_a, only_first), (found.alone_b, only_second)):
        assert alone.flow_ids == tuple(one["flow_id"] for one in rows)
        assert alone.bytes == sum(one["bytes_fwd"] + one["bytes_rev"] for one in rows)
        assert alone.inside_addresses == len(inside(*rows))
        assert alone.flows == len(rows) == sum(flows for _, flows in alone.outcomes)
    for place, rows in enumerate((first, second), 1):
        counts = {facts[0]: facts[place] for facts in found.outcomes if facts[place]}
        said = [one["policy_outcome"] for one in rows]
        assert counts == {outcome: said.count(outcome) for outcome in said}
    assert {turned(change) for change in back.changes} == {
        (
            *(getattr(change, f"{name}_{side}") for name in ("protocol", "outcome", "reason", "category", "bytes")
              for side in "ab"),
            change.flows, change.inside_addresses, change.flow_id,
        )
        for change in found.changes
    }  # fmt: skip
    assert (back.alone_a, back.alone_b, back.same) == (found.alone_b, found.alone_a, found.same)


@settings(deadline=None)
@given(rows=runs)
def test_a_run_beside_itself(rows: Rows) -> None:
    found = flowclass.diff(table(rows), table(rows, 5))
    assert found.nothing_changes
    assert (found.paired, found.same, found.changes) == (len(rows), len(rows), ())
    assert found.alone_a == found.alone_b


def test_rows_that_are_far_apart_find_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairing, "MOST_WAITING", 100)
    one = {"src_ip": "10.0.0.1", "dst_ip": "192.0.2.1", "protocol": "dns", "registration_id": None}
    one |= {"policy_outcome": "allow", "policy_reason": None, "bytes_fwd": 1, "bytes_rev": 2}
    rows = [one | {"flow_id": f"{number:05}"} for number in range(5_000)]
    found = flowclass.diff(table(rows, 100), table([*rows[::-1], rows[0] | {"flow_id": "new"}], 100))
    assert (found.same, found.alone_a.flows, found.alone_b.flow_ids) == (5_000, 0, ("new",))
    assert (found.nothing_changes, found.changes) == (False, ())


@pytest.fixture(scope="module")
def classified(captures: Path) -> pa.Table:
    """Give the flows of all captures, judged by the sample."""
    return flowclass.judge(flowclass.classify(captures).to_pyarrow(), registry=REGISTRY, policy=POLICY).read_all()


@pytest.fixture(scope="module")
def later(classified: pa.Table) -> pa.Table:
    """Give the same, as if all had begun when the trial was over."""
    return flowclass.judge(classified, registry=REGISTRY, policy=POLICY, at="2026-12-05").read_all()


def test_what_a_later_date_changes(classified: pa.Table, later: pa.Table) -> None:
    found = flowclass.diff(classified, later, registry=REGISTRY)
    turns = {(change.outcome_a, change.outcome_b, change.reason_a, change.reason_b): change for change in found.changes}
    grace = turns["allow_grace", "violation", "pending_in_window", "pending_overdue"]
    assert (grace.protocol_a, grace.category_a, grace.category_b) == ("openvpn", *["freelancer: software"] * 2)
    assert ("violation_trial", "violation", "inactive", "inactive") in turns
    before, after = (run.column("policy_outcome").to_pylist() for run in (classified, later))
    assert found.other_outcome == sum(one != other for one, other in zip(before, after, strict=True)) > 3
    assert found.a.registry_versions == (LISTED.version,)
    assert found.a.policy_sha256s == (flowclass.Policy.load(POLICY).sha256,)
    assert (found.a.judged_at, found.b.judged_at) == ((), ("1796428800000000000",))
    assert all(change.category_a is None for change in flowclass.diff(classified, later).changes)


@pytest.mark.parametrize("form", FORMATS)
def test_formats(form: str, classified: pa.Table, later: pa.Table, tmp_path: Path, flowclass_command: Command) -> None:
    pq.write_table(classified, tmp_path / "run.parquet")
    pq.write_table(later, tmp_path / "later.parquet")
    by = ("--registry", REGISTRY, "--policy", POLICY)
    made = flowclass_command("judge", tmp_path / "run.parquet", *by, "-o", tmp_path / f"again.{form}", "-q")
    assert made.code == 0, made.err
    beside = flowclass_command("diff", tmp_path / f"again.{form}", tmp_path / "run.parquet")
    assert beside.code == 0, beside.err
    assert "nothing changes: the same " in beside.out
    said = "does not say which registry" in beside.out
    assert said == (form in {"jsonl", "csv"})
    found = flowclass_command("diff", tmp_path / f"again.{form}", tmp_path / "later.parquet", "--json")
    wanted = flowclass.diff(classified, later)
    assert json.loads(found.out)["changes"] == [
        {name: getattr(change, name) for name in change.__dataclass_fields__} for change in wanted.changes
    ]


def test_folders(classified: pa.Table, tmp_path: Path) -> None:
    parts, one = tmp_path / "parts", tmp_path / "one"
    (parts / "2026-11-23").mkdir(parents=True)
    one.mkdir()
    half = classified.num_rows // 2
    pq.write_table(classified.slice(half), parts / "b.parquet")
    with pa.OSFile(str(parts / "2026-11-23" / "a.arrow"), "wb") as file:
        other = classified.slice(0, half).replace_schema_metadata({"flowclass.registry_version": "earlier"})
        with pa.ipc.new_file(file, other.schema) as writer:
            writer.write_table(other)
    (parts / "notes.txt").write_text("not a run")
    (parts / ".tmp-b.parquet").write_text("half a file")
    pq.write_table(classified, one / "flows.parquet")
    found = flowclass.diff(parts, one)
    assert found.nothing_changes
    assert found.a.registry_versions == ("earlier", LISTED.version)


def test_command(classified: pa.Table, later: pa.Table, tmp_path: Path, flowclass_command: Command) -> None:
    one, other, scope = tmp_path / "one.parquet", tmp_path / "other.parquet", tmp_path / "scope.txt"
    pq.write_table(classified, one)
    pq.write_table(later.slice(2), other)
    done = flowclass_command("diff", one, other, "--registry", REGISTRY)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    version = LISTED.version[:12]
    assert f"registry {version}" in lines[0]
    assert lines[1].endswith("as if all had begun at 2026-12-05T00:00:00Z")
    assert any(line.startswith("A alone   2 flows, ") for line in lines)
    assert classified.column("flow_id")[1].as_py() in done.out
    assert any("allow_grace -> violation" in line and "freelancer: software" in line for line in lines)
    config = tmp_path / "config.toml"
    config.write_text(f"registry = '{REGISTRY}'\n")
    assert flowclass_command("diff", one, other, "--config", config).out == done.out
    scope.write_text("# ours\n203.0.113.14\n")
    scoped = json.loads(flowclass_command("diff", one, other, "--scope", scope, "--json").out)
    assert {change["flow_id"] for change in scoped["changes"] if change["inside_addresses"]} == {
        change["flow_id"] for change in scoped["changes"] if change["outcome_a"] == "allow_grace"
    }
    assert scoped["other_outcome_inside_addresses"] == 1
    assert "203.0.113.14" in scoped["inside"]


def test_errors(classified: pa.Table, tmp_path: Path, flowclass_command: Command) -> None:
    run, bad, empty = tmp_path / "run.parquet", tmp_path / "bad", tmp_path / "empty"
    pq.write_table(classified, run)
    empty.mkdir()
    assert flowclass_command("diff", run).code == 2
    assert "flowclass diff flows.parquet if.parquet --registry r.fcr\n" in flowclass_command("diff", "-h").out
    assert flowclass_command("diff", run, tmp_path / "none.parquet").code == 4
    assert flowclass_command("diff", run, empty).code == 4
    assert flowclass_command("diff", run, run, "--registry", POLICY).code == 5
    bad.write_text("no prefix\n")
    assert flowclass_command("diff", run, run, "--scope", bad).code == 5
    for content, sentence in (
        (REGISTRY.read_bytes(), "holds no flow records"),
        (b"", "holds no flow records"),
        (b"flow_id,src_ip\na,b\n", "it has no column"),
        (run.read_bytes()[:-100], "cannot be read"),
        (b'{"flow_id": "a"}\n', "bad:1: is no flow record"),
        (b"ARROW1\0\0nothing", "cannot be read"),
        (b"\xff\xff\xff\xff\0\0\0\0", "cannot be read"),
    ):
        bad.write_bytes(content)
        refused = flowclass_command("diff", run, bad)
        assert refused.code == 4, content[:20]
        assert f"{bad}" in refused.err
        assert sentence in refused.err, refused.err
        assert "Traceback" not in refused.err


def test_an_empty_run(classified: pa.Table, tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").write_bytes(b"")
    (tmp_path / "none.csv").write_text(",".join(classified.column_names) + "\n")
    pq.write_table(classified.slice(0, 0), tmp_path / "none.parquet")
    for name in ("none.jsonl", "none.csv", "none.parquet"):
        found = flowclass.diff(tmp_path / name, classified)
        assert (found.a.flows, found.alone_b.flows, found.paired) == (0, classified.num_rows, 0), name


@pytest.mark.parametrize("column", ["flow_id", "src_ip", "protocol", "bytes_rev"])
def test_hostile_records(column: str, classified: pa.Table) -> None:
    place = classified.schema.get_field_index(column)
    nulls = classified.set_column(place, column, pa.nulls(classified.num_rows, classified.schema.field(column).type))
    with pytest.raises(flowclass.SchemaError, match="has nulls"):
        flowclass.diff(classified, nulls)
    lists = classified.set_column(place, column, pa.array([[1]] * classified.num_rows))
    with pytest.raises(flowclass.SchemaError, match="not those of flow records"):
        flowclass.diff(lists, classified)


def test_texts_that_are_no_utf8(classified: pa.Table) -> None:
    place = classified.schema.get_field_index("policy_reason")
    wild = pa.array([b"\xff\x1b[31m"] * classified.num_rows, pa.binary())
    strange = pa.StringArray.from_buffers(len(wild), *wild.buffers()[1:])
    found = flowclass.diff(classified, classified.set_column(place, "policy_reason", strange))
    assert {change.reason_b for change in found.changes} == {"�\x1b[31m"}

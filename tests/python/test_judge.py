"""Finished flows judged again equal a run with that registry and policy; hostile records harm nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from conftest import ROOT, Command

import flowclass

REGISTRY = ROOT / "datasets" / "registry" / "sample.csv"
POLICY = ROOT / "datasets" / "registry" / "policy.toml"
EXEMPT = b"classes = ['vpn', 'app']\ndefault_outcome = 'violation'\n[tiers]\nviolation = 'probable'\n" + b"".join(
    f"[[exempt]]\nprefix = '{prefix}'\nuntil = 2027-01-01\nreason = 'a test'\n".encode()
    for prefix in ("203.0.113.14", "203.0.113.48/28", "2001:db8::/32")
)


@pytest.fixture(scope="module")
def plain(captures: Path) -> pa.Table:
    """Give the flows of all captures, judged by nothing."""
    return flowclass.classify(captures).to_pyarrow()


@pytest.mark.parametrize("policy", [None, POLICY, EXEMPT], ids=["registry alone", "sample", "exemptions"])
def test_equal_to_classifying_with_them(policy: Path | bytes | None, plain: pa.Table, captures: Path) -> None:
    made = flowclass.Policy.parse(policy) if isinstance(policy, bytes) else policy
    wanted = flowclass.classify(captures, registry=REGISTRY, policy=made).to_pyarrow()
    judged = flowclass.judge(plain, registry=REGISTRY, policy=made).read_all()
    assert judged.schema == wanted.schema
    for name in wanted.schema.names:
        assert judged.column(name).to_pylist() == wanted.column(name).to_pylist(), name
    if isinstance(policy, bytes):
        assert judged.column("policy_reason").to_pylist().count("exempt") > 3
    again = flowclass.judge(wanted, registry=REGISTRY, policy=made).read_all()
    assert again.to_pylist() == wanted.to_pylist()


def test_equal_however_the_records_are_cut(plain: pa.Table) -> None:
    whole = flowclass.judge(plain, registry=REGISTRY, policy=POLICY).read_all().to_pylist()
    for size in (1, 7, 50):
        cut = pa.Table.from_batches(plain.to_batches(max_chunksize=size)).slice(3)
        assert flowclass.judge(cut, registry=REGISTRY, policy=POLICY).read_all().to_pylist() == whole[3:]


def test_at_another_time(plain: pa.Table) -> None:
    """As if all flows began then: no phase holds before the calendar begins, and other entries are valid."""
    early = flowclass.judge(plain, registry=REGISTRY, policy=POLICY, at="2026-10-01").read_all()
    assert set(early.column("policy_phase").to_pylist()) == {None}
    assert set(early.column("policy_outcome").to_pylist()) <= {"not_applicable", "allow", "allow_grace"}
    late = flowclass.judge(plain, registry=REGISTRY, policy=POLICY, at="2040-01-01T00:00:00Z").read_all()
    assert set(late.column("policy_phase").to_pylist()) == {"enforce"}
    assert late.column("time_start").equals(plain.column("time_start"))
    row = late.filter(pc.equal(late.column("registry_match").cast(pa.string()), "expired")).slice(0, 1).to_pylist()[0]
    registry = flowclass.Registry.load(REGISTRY)
    end = row["src_ip"] if row["matched_end"] == "src" else row["dst_ip"]
    assert registry.lookup([end], at="2040-01-01")[0].registration_id == row["registration_id"]
    with pytest.raises(flowclass.ConfigError, match="not an instant"):
        flowclass.judge(plain, registry=REGISTRY, at="soon")


def test_metadata_says_who_judged(plain: pa.Table) -> None:
    marked = plain.replace_schema_metadata({"flowclass.version": "7", "pandas": "x"})
    reader = flowclass.judge(marked, registry=REGISTRY, policy=POLICY, at="1970-01-01T00:00:01")
    assert reader.schema.metadata == {
        b"flowclass.version": b"7",
        b"flowclass.registry_version": flowclass.Registry.load(REGISTRY).version.encode(),
        b"flowclass.policy_sha256": flowclass.Policy.load(POLICY).sha256.encode(),
        b"flowclass.judged_at": b"1000000000",
    }


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_command(form: str, captures: Path, tmp_path: Path, flowclass_command: Command) -> None:
    run, direct, out = tmp_path / f"run.{form}", tmp_path / "direct.parquet", tmp_path / "judged.parquet"
    by = ("--registry", REGISTRY, "--policy", POLICY)
    assert flowclass_command("classify", captures, "-o", run, "-q").code == 0
    assert flowclass_command("classify", captures, "-o", direct, "-q", *by).code == 0
    done = flowclass_command("judge", run, *by, "-o", out, "--json")
    assert done.code == 0, done.err
    assert pq.read_table(out).to_pylist() == pq.read_table(direct).to_pylist()
    said, metadata = json.loads(done.out), pq.read_schema(out).metadata
    assert said["flows"] == said["changed"] == pq.read_table(out).num_rows
    assert said["policy_outcome"]["violation"] > 3
    assert metadata[b"flowclass.registry_version"].decode() == said["registry_version"]
    same = {key: value for key, value in pq.read_schema(direct).metadata.items() if key.startswith(b"flowclass.")}
    assert same | {b"flowclass.judged_at": b""} == {key: metadata[key] for key in metadata if b"flowclass." in key}
    assert flowclass_command("judge", run, *by, "-o", out, "--fail-on-violation").code == 10
    assert flowclass_command("judge", run, *by, "-o", out, "--at", "2026-10-01", "--fail-on-violation").code == 0


def test_the_summary_names_the_versions(captures: Path, tmp_path: Path, flowclass_command: Command) -> None:
    one, out = captures / "wireguard-udp-443.pcapng", tmp_path / "flows.csv"
    said = json.loads(
        flowclass_command("classify", one, "-o", out, "--json", "--registry", REGISTRY, "--policy", POLICY).out
    )
    assert said["registry_version"] == flowclass.Registry.load(REGISTRY).version
    assert said["policy_sha256"] == flowclass.Policy.load(POLICY).sha256
    without = json.loads(flowclass_command("classify", one, "-o", out, "--json").out)
    assert without["registry_version"] is without["policy_sha256"] is None


def test_errors(plain: pa.Table, tmp_path: Path, flowclass_command: Command) -> None:
    run, wrong = tmp_path / "run.parquet", tmp_path / "wrong.toml"
    pq.write_table(plain, run)
    wrong.write_text("clases = 1\n")
    assert flowclass_command("judge", run).code == 2
    assert flowclass_command("judge", run, "--registry", REGISTRY, "-o", run).code == 2
    refused = flowclass_command("judge", run, "--registry", REGISTRY, "--policy", wrong)
    assert refused.code == 5
    assert f"{wrong}:1: key 'clases' is not known" in refused.err
    assert flowclass_command("judge", tmp_path / "none.parquet", "--registry", REGISTRY).code == 4
    no_flows = flowclass_command("judge", REGISTRY, "--registry", REGISTRY)
    assert no_flows.code == 4


@pytest.mark.parametrize(
    ("column", "value", "sentence"),
    [
        ("src_ip", "192.0.2.999", "row 1: '192.0.2.999' is not"),
        ("dst_ip", None, "has nulls"),
        ("tier", "sure", "not in the list"),
    ],
)
def test_hostile_records(column: str, value: str | None, sentence: str, plain: pa.Table) -> None:
    place = plain.schema.get_field_index(column)
    values = plain.column(column).cast(pa.string()).to_pylist()
    values[1] = value
    field = plain.schema.field(column)
    made = pa.array(values, pa.string())
    if pa.types.is_dictionary(field.type):
        made = made.dictionary_encode().cast(field.type)
    hostile = plain.set_column(place, field.with_nullable(True), made)
    with pytest.raises(flowclass.SchemaError, match=sentence):
        flowclass.judge(hostile, registry=REGISTRY).read_all()
    marked = plain.replace_schema_metadata({"flowclass.anonymized": "cryptopan"})
    with pytest.raises(flowclass.SchemaError, match="anonymised"):
        flowclass.judge(marked, registry=REGISTRY)


@pytest.mark.parametrize("column", ["variant", "tier", "matched_end"])
def test_records_without_a_column(column: str, plain: pa.Table) -> None:
    with pytest.raises(flowclass.SchemaError, match=f"it has no column {column}"):
        flowclass.judge(plain.drop_columns([column]), registry=REGISTRY)

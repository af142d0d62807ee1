"""A report with other addresses: the figures of the plain one, and nothing in it that an address could be read from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from conftest import ROOT, Command

from flowclass.anonymize import CryptoPan
from flowclass.errors import SchemaError
from flowclass.report.figures import ReportOptions, figures_of

KEY = bytes(range(32))
PAN = CryptoPan(KEY)
SAMPLE = ROOT / "datasets" / "registry"
SCOPE = ("203.0.113.0/24", "2001:db8::/32")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a judged run."""
    import flowclass

    folder = tmp_path_factory.mktemp("198.51.100.77")
    captures = [ROOT / "datasets" / "captures" / name for name in ("wireguard-udp-443.pcapng", "ntp.pcap")]
    captures += sorted((ROOT / "datasets" / "captures").glob("openvpn-udp-*.pcap"))[:6]
    found = flowclass.classify(captures, registry=SAMPLE / "sample.csv", policy=SAMPLE / "policy.toml").to_pyarrow()
    inputs = json.dumps([{"name": "/192.0.2.77/a.pcap", "size": 1}])
    pq.write_table(found.replace_schema_metadata({"flowclass.inputs": inputs}), folder / "run.parquet")
    return folder / "run.parquet"


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """Give a file with the key."""
    path = tmp_path / "key"
    path.write_bytes(KEY)
    path.chmod(0o600)
    return path


def test_the_same_figures_with_other_addresses(run: Path) -> None:
    plain = figures_of(run, ReportOptions(scope=SCOPE))
    hidden = figures_of(run, ReportOptions(scope=SCOPE, anonymize=PAN))
    for name in ("run", "outcomes", "protocols", "timeline", "registrations", "thresholds"):
        assert hidden[name] == plain[name], name
    assert plain["inside"]["total"] > 1
    assert len(plain["endpoints"]["ranked"]) > 1
    # Of one endpoint's flows with equal evidence the example may be another one: the ids are others.
    for rows in (hidden["endpoints"]["ranked"], plain["endpoints"]["ranked"]):
        assert all(row.pop("flow_id") for row in rows)
        assert [row.pop("server_name") for row in rows]
    for name, place in (("ranked", "endpoints"), ("hosts", "inside")):
        key = "host" if place == "inside" else "address"
        wanted = [{**row, key: PAN.address(row[key])} for row in plain[place][name]]
        assert sorted(map(str, hidden[place][name])) == sorted(map(str, wanted)), place
    assert hidden["inside"]["known"]
    assert hidden["provenance"]["metadata"]["anonymization_key"] == PAN.fingerprint


def test_private_space_is_told_from_the_real_addresses(run: Path) -> None:
    """Of an anonymised run nobody can say which hosts are private; of a plain one reported so one can."""
    assert figures_of(run, ReportOptions(anonymize=PAN))["inside"]["known"]


@pytest.mark.parametrize("form", ["json", "page", "terminal"])
def test_nothing_tells_an_address(
    form: str, run: Path, key_file: Path, tmp_path: Path, flowclass_command: Command
) -> None:
    table = pq.read_table(run)
    options: list[Any] = ["--scope", SCOPE[0], "--scope", SCOPE[1], "--registry", SAMPLE / "sample.csv"]
    options += {"json": ["--json"], "page": ["-o", tmp_path / "report.html"], "terminal": []}[form]
    ended = flowclass_command("report", run, *options, "--anonymize", "cryptopan", "--key-file", key_file)
    assert ended.code == 0, ended.err
    said = (tmp_path / "report.html").read_text() if form == "page" else ended.out
    secret = {value for name in ("src_ip", "dst_ip", "flow_id", "server_name") for value in table[name].to_pylist()}
    assert len(secret - {None}) > 10
    for value in [*sorted(secret - {None}), "192.0.2.77", "198.51.100.77", *SCOPE, KEY.hex()]:
        assert value not in said, value
    assert PAN.fingerprint in said or form == "terminal"
    shown = {PAN.address(address) for name in ("src_ip", "dst_ip") for address in table[name].to_pylist()}
    assert any(str(address) in said for address in shown)


def test_a_run_that_is_anonymised_already(run: Path, tmp_path: Path) -> None:
    """With the same key it stays as it is, with another one it is refused."""
    done = tmp_path / "done.parquet"
    table = pq.read_table(run)
    made = list(PAN.records(table.to_batches()))
    metadata = {**table.schema.metadata, **PAN.metadata()}
    pq.write_table(type(table).from_batches(made).replace_schema_metadata(metadata), done)
    assert figures_of(done, ReportOptions(anonymize=PAN)) == figures_of(done)
    with pytest.raises(SchemaError, match="anonymised already"):
        figures_of(done, ReportOptions(anonymize=CryptoPan(KEY[::-1])))


def test_a_text_that_is_no_address(run: Path, tmp_path: Path) -> None:
    table = pq.read_table(run)
    place = table.column_names.index("dst_ip")
    strange = table.set_column(place, table.schema.field(place), [["<b>"] * table.num_rows])
    pq.write_table(strange, tmp_path / "strange.parquet")
    with pytest.raises(SchemaError, match="cannot be anonymised"):
        figures_of(tmp_path / "strange.parquet", ReportOptions(anonymize=PAN))


def test_the_key_from_the_configuration(
    run: Path, key_file: Path, tmp_path: Path, flowclass_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One file serves every command: each takes what it has, and a wrong value is told by all."""
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "flowclass.toml"
    lines = ['anonymize = "cryptopan"', f'key_file = "{key_file.name}"', 'idle_timeout = "60s"', "widest_ipv4 = 25"]
    config.write_text("\n".join(lines))
    said = json.loads(flowclass_command("report", run, "--json").out)
    assert said["provenance"]["metadata"]["anonymization_key"] == PAN.fingerprint
    listed = tmp_path / "list.csv"
    listed.write_text("registration_id,category,status,prefix\nA,freelancer,approved,8.8.8.0/24\n")
    wide = flowclass_command("registry", "check", listed)
    assert "8.8.8.0/24 is wider than /25" in wide.out
    assert "wider" not in flowclass_command("registry", "check", listed, "--widest-ipv4", "24").out
    built = flowclass_command("registry", "build", listed, "-o", "r.fcr")
    assert (built.code, "wider than /25" in built.err) == (0, True)
    monkeypatch.setenv("FLOWCLASS_WIDEST_IPV4", "8")
    assert "wider" not in flowclass_command("registry", "check", listed).out
    config.write_text("widest_ipv6 = 129")
    assert "widest_ipv6 = 129 is not permitted" in flowclass_command("report", run, "--json").err
    config.write_text("widest_ipv5 = 1")
    for command in (("report", run), ("registry", "check", listed)):
        ended = flowclass_command(*command)
        assert (ended.code, "the nearest known one is 'widest_ipv" in ended.err) == (5, True)


def test_the_output_in_a_configuration_is_not_the_report(
    run: Path, tmp_path: Path, flowclass_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flowclass.toml").write_text('output = "flows.parquet"\n')
    assert flowclass_command("report", run, "--json").code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["flowclass.toml"]

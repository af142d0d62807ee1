"""Flows handed over: to pandas, polars, DuckDB and pyarrow, without copies where they allow it; saved flows read again;
matrices, groups and folds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Command

import flowclass

duckdb = pytest.importorskip("duckdb")
NUMBERS = ["duration_ns", "packets_fwd", "bytes_fwd", "bytes_rev", "ip_proto", "evidence_bits"]


@pytest.fixture(scope="module")
def result(captures: Path) -> flowclass.Result:
    """Give the flows of some captures, with feature columns."""
    some = sorted(captures.glob("*.pcap"))[::9]
    return flowclass.classify(some, options=flowclass.EngineOptions(features=True))


@pytest.fixture(scope="module")
def table(result: flowclass.Result) -> pa.Table:
    """Give the same as a table of one batch."""
    made = result.to_pyarrow()
    assert made.num_rows > 50
    assert made.column("bytes_fwd").num_chunks == 1
    return made


def address(table: pa.Table, name: str) -> int:
    return int(table.column(name).chunk(0).buffers()[1].address)


def test_pyarrow_takes_them_in_one_line(result: flowclass.Result, table: pa.Table) -> None:
    taken = pa.table(result)
    assert taken.equals(table)
    for name in table.schema.names:
        mine = [buffer.address for buffer in table.column(name).chunk(0).buffers() if buffer is not None]
        theirs = [buffer.address for buffer in taken.column(name).chunk(0).buffers() if buffer is not None]
        assert mine == theirs, f"{name} was copied"


def test_numpy_sees_the_buffers_of_the_table(table: pa.Table) -> None:
    for name in NUMBERS:
        seen = table.column(name).chunk(0).to_numpy()
        assert seen.ctypes.data == address(table, name), f"{name} was copied"


def test_native_buffers_reach_pyarrow_uncopied() -> None:
    from flowclass.engine import Engine

    engine = Engine(flowclass.EngineOptions())
    engine.begin_source("")
    engine.push((flowclass.samples() / "dns-udp.pcap").read_bytes())
    engine.end_source()
    (native,) = engine._native.finish() or [None]
    one, other = pa.record_batch(native), pa.record_batch(native)
    for name in NUMBERS:
        assert one.column(name).buffers()[1].address == other.column(name).buffers()[1].address


def test_polars_takes_them_in_one_line(result: flowclass.Result, table: pa.Table) -> None:
    frame = pl.DataFrame(result)
    assert frame.shape == table.shape
    assert frame["protocol"].to_list() == table.column("protocol").to_pylist()
    assert frame.filter(pl.col("protocol_class") == "vpn").height > 5
    for name in NUMBERS:
        assert frame[name].to_numpy(allow_copy=False).ctypes.data == address(table, name), f"{name} was copied"
    assert result.to_polars().equals(frame)


def test_pandas_takes_them_in_one_line(result: flowclass.Result, table: pa.Table) -> None:
    frame = result.to_pandas()
    assert frame.shape == table.shape
    assert frame.protocol.tolist() == table.column("protocol").to_pylist()
    if hasattr(pd.DataFrame, "from_arrow"):
        again = pd.DataFrame.from_arrow(result)
        assert again.bytes_fwd.tolist() == frame.bytes_fwd.tolist()
    arrow = table.select(NUMBERS).to_pandas(types_mapper=pd.ArrowDtype)
    for name in NUMBERS:
        kept = pa.chunked_array(arrow[name].array.__arrow_array__()).chunk(0)
        assert kept.buffers()[1].address == address(table, name), f"{name} was copied"


def test_duckdb_takes_them_in_one_line(result: flowclass.Result, table: pa.Table) -> None:
    flows = result
    said = duckdb.sql("select protocol, count(*) from flows where protocol_class = 'vpn' group by all order by all")
    rows = said.fetchall()
    expected: dict[str, int] = {}
    for protocol, kind in zip(
        table.column("protocol").to_pylist(), table.column("protocol_class").to_pylist(), strict=True
    ):
        if kind == "vpn":
            expected[protocol] = expected.get(protocol, 0) + 1
    assert rows == sorted(expected.items())
    assert flows is result
    assert duckdb.sql("select sum(bytes_fwd) from flows").fetchall() == [(sum(table.column("bytes_fwd").to_pylist()),)]


def test_a_stream_is_handed_over_as_it_comes(captures: Path) -> None:
    flows = flowclass.stream(captures / "dns-udp.pcap")
    assert duckdb.sql("select protocol, count(*) from flows group by all").fetchall() == [("dns", 6)]
    assert flows.balance.closed
    assert pa.table(flowclass.stream(captures / "dns-udp.pcap")).num_rows == 6


def test_what_speaks_arrow_is_taken_back(result: flowclass.Result, table: pa.Table) -> None:
    registry = flowclass.Registry([])
    for flows in (result, table, flowclass.read_flows(result)):
        judged = flowclass.judge(flows, registry=registry).read_all()
        assert set(judged.column("registry_match").to_pylist()) <= {"unregistered", "out_of_scope"}
    assert flowclass.diff(table, flowclass.read_flows(table).to_pyarrow()).nothing_changes


def test_saved_flows_are_read_again(flowclass_command: Command, tmp_path: Path) -> None:
    plain = flowclass.classify(flowclass.samples()).to_pyarrow()
    for name in ("flows.parquet", "flows.arrow"):
        path = tmp_path / name
        assert flowclass_command("classify", flowclass.samples(), "-o", path, "-q").code == 0
        flows = flowclass.read_flows(path)
        assert isinstance(flows, flowclass.Flows)
        assert flows.metadata["flowclass.version"] == flowclass.__version__
        assert sum(batch.num_rows for batch in flows) == sum(batch.num_rows for batch in flows) == plain.num_rows
        assert flows.to_pyarrow().column("flow_id").equals(plain.column("flow_id"))
        assert flows.balance == flowclass.classify(flowclass.samples()).balance
        assert flows.to_numpy().values.shape == (plain.num_rows, 7)


def test_saved_flows_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(flowclass.SourceError, match="cannot be read"):
        flowclass.read_flows(tmp_path / "none.parquet")
    (tmp_path / "text.parquet").write_text("no flows", encoding="utf-8")
    with pytest.raises(flowclass.SourceError, match="neither Parquet nor Arrow"):
        flowclass.read_flows(tmp_path / "text.parquet")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    with pytest.raises(flowclass.SchemaError, match="is no file of flow records"):
        flowclass.read_flows(tmp_path / "other.parquet")
    with pytest.raises(flowclass.SourceError, match="flows of type int are not known"):
        flowclass.read_flows(7)
    reader = flowclass.classify(flowclass.samples())
    flows = flowclass.read_flows(pa.RecordBatchReader.from_stream(reader))
    assert len(list(flows)) > 0
    with pytest.raises(flowclass.SourceError, match="streamed already"):
        list(flows)


def test_a_matrix_is_the_columns(result: flowclass.Result, table: pa.Table) -> None:
    values, names = result.to_numpy(features=["time_start", "bytes_fwd", "tcp_window_max_fwd", "splt_len"])
    assert values.dtype == np.float64
    assert names == ["time_start", "bytes_fwd", "tcp_window_max_fwd", *(f"splt_len[{place}]" for place in range(16))]
    assert values[:, 1].tolist() == table.column("bytes_fwd").to_pylist()
    windows = table.column("tcp_window_max_fwd").to_pylist()
    assert None in windows
    assert [None if np.isnan(value) else value for value in values[:, 2]] == windows
    assert values[:, 0].tolist() == [float(value) for value in table.column("time_start").cast("int64").to_pylist()]
    for row, lengths in zip(values[:, 3:], table.column("splt_len").to_pylist(), strict=True):
        assert [value for value in row if not np.isnan(value)] == lengths


def test_by_default_nothing_names_a_host_or_a_moment(result: flowclass.Result) -> None:
    _, names = result.to_numpy()
    assert {"bytes_fwd", "pkt_len_mean_fwd", "active_ns_max"} <= set(names)
    assert not {"src_port", "dst_port", "time_start", "packet_first", "evidence_bits", "vlan_id"} & set(names)


@pytest.mark.parametrize(
    ("features", "sentence"),
    [
        (["byte_fwd"], "no column byte_fwd; did you mean bytes_fwd"),
        (["src_ip"], "column src_ip is string: a matrix holds numbers"),
        (["protocol"], "column protocol is dictionary"),
        ([], "give a list of columns"),
        ("bytes_fwd", "give a list of columns, or one of the sets iscxvpn2016, cicflowmeter"),
    ],
)
def test_a_matrix_of_what_is_no_number(result: flowclass.Result, features: Any, sentence: str) -> None:
    with pytest.raises(flowclass.ConfigError, match=sentence):
        result.to_numpy(features=features)


def test_a_feature_that_was_not_asked_for() -> None:
    with pytest.raises(flowclass.ConfigError, match="no column pkt_len_mean_fwd: only runs with features have it"):
        flowclass.classify(flowclass.samples()).to_numpy(features=["pkt_len_mean_fwd"])


def test_groups_are_what_is_tied(table: pa.Table) -> None:
    by = ("source_file", "src_ip")
    groups = flowclass.flow_groups(table, by)
    assert groups.shape == (table.num_rows,)
    for name in by:
        of_value: dict[Any, int] = {}
        for value, group in zip(table.column(name).to_pylist(), groups.tolist(), strict=True):
            assert of_value.setdefault(value, group) == group
    # As few ties as are needed: by one column alone, groups are its values.
    assert len(set(flowclass.flow_groups(table, ["source_file"]).tolist())) == len(
        set(table["source_file"].to_pylist())
    )
    seen = list(dict.fromkeys(groups.tolist()))
    assert seen == sorted(seen)
    for wrong in (["nowhere"], [], "src_ip"):
        with pytest.raises(flowclass.ConfigError, match="give columns of the flows"):
            flowclass.flow_groups(table, wrong)


def test_folds_split_as_scikit_learns_do() -> None:
    sklearn = pytest.importorskip("sklearn.model_selection")
    random = np.random.default_rng(5)
    for folds in (2, 3, 5):
        sizes = random.permutation(np.arange(1, 30))
        groups = random.permutation(np.repeat(np.arange(len(sizes)), sizes))
        rows = np.zeros((len(groups), 2))
        ours = list(flowclass.GroupFolds(folds).split(rows, groups=groups))
        # No two groups are of one size, so nothing is left to chance and scikit-learn's folds are the same.
        theirs = list(sklearn.GroupKFold(folds).split(rows, groups=groups))
        for (train, test), (their_train, their_test) in zip(ours, theirs, strict=True):
            assert train.tolist() == their_train.tolist()
            assert test.tolist() == their_test.tolist()
        assert flowclass.GroupFolds(folds).get_n_splits(rows, None, groups) == folds
    score = sklearn.cross_val_score
    dummy = pytest.importorskip("sklearn.dummy").DummyClassifier()
    labels = np.arange(len(groups)) % 2
    assert len(score(dummy, rows, labels, groups=groups, cv=flowclass.GroupFolds(4))) == 4


def test_folds_part_the_flows_and_tear_no_group() -> None:
    groups = np.array(list("aabbbcdddde"))
    seen: list[int] = []
    for train, test in flowclass.GroupFolds(3).split(groups, groups=groups):
        assert sorted([*train, *test]) == list(range(len(groups)))
        assert not set(groups[train]) & set(groups[test])
        seen += test.tolist()
    assert sorted(seen) == list(range(len(groups)))
    for wrong, sentence in (
        (None, "groups must name"),
        (groups[:3], "groups must name"),
        (["a"] * 11, "more than the 1"),
    ):
        with pytest.raises(flowclass.ConfigError, match=sentence):
            list(flowclass.GroupFolds(3).split(groups, groups=wrong))
    for count in (1, 2.0, True):
        with pytest.raises(flowclass.ConfigError, match="from 2"):
            flowclass.GroupFolds(count)  # type: ignore[arg-type]


def test_evaluate_by_paths(captures: Path) -> None:
    some = [captures / "wireguard-udp-51820.pcap", captures / "dns-udp.pcap"]
    done = flowclass.evaluate(some, captures.parent / "labels.jsonl", views=["snaplen-96"])
    assert isinstance(done, flowclass.Evaluation)
    assert done.captures == 2
    assert done.ours.families["wireguard"].tiers["confirmed"] == 1
    assert done.ours.families["dns"].found == 6
    assert done.views["snaplen-96"].captures == 2
    with pytest.raises(flowclass.ConfigError, match="views = \\['snap'\\] is not permitted"):
        flowclass.evaluate(some, captures.parent / "labels.jsonl", views=["snap"])
    with pytest.raises(flowclass.SourceError, match="no such file"):
        flowclass.evaluate(captures / "none.pcap", captures.parent / "labels.jsonl")

"""The public Python API: sources of every kind, results in every form, options with their ranges."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pytest
from capture_files import ETHERNET, exchange, pcap, pcapng

import flowclass
from flowclass.types import Balance

FRAMES = exchange()
CAPTURE = pcap(FRAMES)
PROVENANCE = ["source_file", "packet_first", "packet_last"]


def _flows(source: object, **options: object) -> list[dict[str, object]]:
    table = flowclass.classify(source, **options).to_pyarrow()  # type: ignore[arg-type]
    return table.drop_columns(PROVENANCE).to_pylist()


def test_public_names() -> None:
    for name in flowclass.__all__:
        assert getattr(flowclass, name) is not None


def test_sources_of_every_kind_give_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(CAPTURE)
    expected = _flows(path)
    assert len(expected) == 1
    assert expected[0]["packets_fwd"] == 2
    assert _flows(str(path)) == expected
    assert _flows(tmp_path) == expected
    assert _flows(str(tmp_path / "*.pcap")) == expected
    assert _flows(CAPTURE) == expected
    assert _flows(bytearray(CAPTURE)) == expected
    assert _flows(memoryview(CAPTURE)) == expected
    assert _flows(io.BytesIO(CAPTURE)) == expected
    with path.open("rb") as file:
        assert _flows(file) == expected
    assert _flows([path]) == expected
    assert _flows(flowclass.Packets(iter(FRAMES), link_type=ETHERNET)) == expected


def test_mixed_sources_are_one_stream() -> None:
    later = pcapng(exchange(start=FRAMES[-1][0] + 1))
    result = flowclass.classify([later, CAPTURE])
    table = result.to_pyarrow()
    assert table.num_rows == 1
    assert table.column("packets_fwd").to_pylist() == [4]
    assert [report.format for report in result.sources] == ["pcap-le-nsec", "pcapng-le"]
    assert flowclass.classify([later, CAPTURE], files="each").to_pyarrow().num_rows == 2


def test_frame_numbers_go_on_through_packets() -> None:
    frames = [(time + n * 10**7, frame) for n in range(2000) for time, frame in FRAMES]
    table = flowclass.classify(flowclass.Packets(frames, link_type=ETHERNET)).to_pyarrow()
    assert table.column("packet_first").to_pylist() == [1]
    assert table.column("packet_last").to_pylist() == [8000]


def test_result_forms() -> None:
    result = flowclass.classify(CAPTURE)
    assert result.schema.equals(result.to_pyarrow().schema)
    frame = result.to_pandas()
    assert frame.loc[0, "src_ip"] == "10.0.0.1"
    assert result.to_polars()["dst_port"].to_list() == [7777]
    assert pa.table(result).num_rows == 1  # through __arrow_c_stream__
    assert [batch.num_rows for batch in result] == [1]


def test_stream_without_a_table() -> None:
    result = flowclass.classify(CAPTURE)
    reader = pa.RecordBatchReader.from_stream(result)
    assert reader.schema.equals(result.schema)
    assert reader.read_all().num_rows == 1
    assert result.balance.closed
    with pytest.raises(flowclass.SourceError, match="streamed already"):
        result.to_pyarrow()


def test_what_happened_can_be_asked_first() -> None:
    result = flowclass.classify(CAPTURE)
    assert result.balance == Balance(
        packets_read=4,
        packets_in_flows=4,
        bytes_read=sum(len(frame) for _, frame in FRAMES),
        bytes_in_flows=sum(len(frame) - 14 for _, frame in FRAMES),
        link_overhead_bytes=14 * 4,
    )
    assert result.counters["flows"] == 1
    assert [report.problem for report in result.sources] == ["none"]
    assert result.to_pyarrow().num_rows == 1


def test_small_batches_hold_the_same() -> None:
    capture = pcap([pair for n in range(50) for pair in exchange(client=f"10.1.0.{n}")])
    options = flowclass.EngineOptions(batch_rows=7)
    batches = list(flowclass.classify(capture, options=options))
    assert [batch.num_rows for batch in batches] == [7] * 7 + [1]
    whole = flowclass.classify(capture).to_pyarrow()
    assert pa.Table.from_batches(batches).to_pylist() == whole.to_pylist()


def test_bad_packets_are_no_exception() -> None:
    result = flowclass.classify(CAPTURE[:-3])
    assert result.to_pyarrow().num_rows == 1
    assert result.sources[0].problem == "cut"
    assert result.balance.packets_read == 3
    assert flowclass.classify(b"\x00" * 1000).sources[0].problem == "not_a_capture"


@pytest.mark.parametrize(
    ("field", "value", "permitted"),
    [
        ("idle_timeout_ns", 0, "from 1 to"),
        ("active_timeout_ns", -1, "from 1 to"),
        ("tcp_linger_ns", 10**18, "from 0 to"),
        ("memcap", 1000, "from 1048576 to"),
        ("batch_rows", 0, "from 1 to"),
        ("batch_rows", 1.5, "from 1 to"),
        ("batch_rows", True, "from 1 to"),
    ],
)
def test_options_say_value_and_range(field: str, value: object, permitted: str) -> None:
    with pytest.raises(flowclass.ConfigError, match=rf"{field} = {value!r} is not permitted: .* {permitted}"):
        flowclass.EngineOptions(**{field: value})  # type: ignore[arg-type]


def test_arguments_are_checked(tmp_path: Path) -> None:
    with pytest.raises(flowclass.ConfigError, match="threads = 0"):
        flowclass.classify(CAPTURE, threads=0)
    with pytest.raises(flowclass.ConfigError, match="files = 'all'"):
        flowclass.classify(CAPTURE, files="all")  # type: ignore[arg-type]
    with pytest.raises(flowclass.SourceError, match="no such file or directory"):
        flowclass.classify(tmp_path / "none.pcap")
    with pytest.raises(flowclass.SourceError, match="no source was given"):
        flowclass.classify([])
    with pytest.raises(flowclass.SourceError, match="type int is not known"):
        flowclass.classify([1])
    with pytest.raises(flowclass.SourceError, match="link_type = -1"):
        flowclass.Packets([], link_type=-1)
    with pytest.raises(flowclass.ConfigError):
        flowclass.classify(CAPTURE, registry=tmp_path / "none.csv")


def test_two_engines_at_once() -> None:
    first, second = iter(flowclass.classify(CAPTURE)), iter(flowclass.classify(pcap(exchange(client="10.7.7.7"))))
    assert next(second).column("src_ip").to_pylist() == ["10.7.7.7"]
    assert next(first).column("src_ip").to_pylist() == ["10.0.0.1"]


def test_errors_have_one_root() -> None:
    for error in (flowclass.ConfigError, flowclass.SourceError, flowclass.OutputError, flowclass.SchemaError):
        assert issubclass(error, flowclass.FlowclassError)

"""Users' own functions: what is refused when they are defined, and with which sentence; what they see and may claim."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from capture_files import pcap, udp_frame
from conftest import ROOT, Command
from numba import objmode
from user_functions import EXAMPLE, several, wireguard

import flowclass
from flowclass import _core

RULES = {"magic": "the first octets are the magic"}


def fingerprint(function: Callable[..., Any]) -> flowclass.Fingerprint:
    return flowclass.fingerprint(protocol_class="app", rules=RULES)(function)


def no_rule(head: Any, evidence: Any) -> bool:
    evidence.add("magik", 0, 0, 4, 32)
    return True


def no_attribute(head: Any, evidence: Any) -> bool:
    return head.lenght(0) == 4


def writes(head: Any, evidence: Any) -> bool:
    head.octets(0)[0] = 1
    return True


COUNTED = np.zeros(1)


def keeps_count(head: Any, evidence: Any) -> bool:
    COUNTED[0] += 1
    return True


def takes_too_few(head: Any, evidence: Any) -> bool:
    evidence.add("magic", 0, 0, 4)
    return True


def reads_nowhere(head: Any, evidence: Any) -> bool:
    return head.u8(0) == 1


def no_bits(head: Any, evidence: Any) -> bool:
    evidence.add("magic", 0, 0, 4, "many")
    return True


def makes_a_class(head: Any, evidence: Any) -> bool:
    class Own:
        pass

    return Own is not None


def goes_back(head: Any, evidence: Any) -> bool:
    with objmode(length="int64"):
        length = len("back")
    return length == head.count


def reads_too_far(head: Any, evidence: Any) -> bool:
    return head.octets(0)[7] == 1


def gives_nothing(head: Any, evidence: Any) -> None:
    evidence.add("magic", 0, 0, 4, 32)


def gives_a_number(head: Any, evidence: Any) -> Any:
    return head.count


def takes_one(head: Any) -> bool:
    return True


def prints(head: Any, evidence: Any) -> bool:
    print(head.count)
    return True


def rolls_dice(head: Any, evidence: Any) -> bool:
    return np.random.random() < 0.5


def not_defined(head: Any, evidence: Any) -> bool:
    return head.count > limit  # type: ignore[name-defined]  # noqa: F821


def Capital(head: Any, evidence: Any) -> bool:
    return True


@pytest.mark.filterwarnings("ignore:Code running in object mode")
@pytest.mark.parametrize(
    ("function", "line", "sentence"),
    [
        (no_rule, 1, "no rule 'magik' was declared, did you mean 'magic'?"),
        (no_attribute, 1, "a head has no lenght; did you mean length?"),
        (writes, 1, "a head's octets, and arrays from outside of the function, can only be read"),
        (keeps_count, 1, "arrays from outside of the function, can only be read"),
        (takes_too_few, 1, "evidence.add takes (rule, payload, offset, length, bits)"),
        (reads_nowhere, 1, "head.u8 takes (payload, offset)"),
        (no_bits, 1, "a check's payload, offset, length and bits are numbers"),
        (makes_a_class, 0, "cannot be compiled here"),
        (goes_back, 0, "a block of it goes back to Python: leave objmode out"),
        (reads_too_far, 0, "raised on a head of one payload of 1 octet (IndexError: index is out of bounds)"),
        (
            gives_nothing,
            0,
            "and False where it does not; this one returns nothing",
        ),
        (gives_a_number, 0, "this one returns int64"),
        (takes_one, 0, "takes two arguments, head and evidence, not (head)"),
        (prints, 1, "prints uses print: a user's function may depend on its arguments only"),
        (rolls_dice, 1, "rolls_dice uses numpy.random"),
        (not_defined, 1, "the name limit is not defined"),
        (Capital, 0, "the function's name names its protocol"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_fingerprint_that_cannot_be(function: Callable[..., Any], line: int, sentence: str) -> None:
    with pytest.raises(flowclass.UserFunctionError) as refused:
        fingerprint(function)
    said = str(refused.value)
    assert sentence in said
    assert f"{__file__}, line {function.__code__.co_firstlineno + line}" in said


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"protocol_class": "vpm"}, "protocol_class = 'vpm' is not permitted; did you mean vpn?"),
        ({"rules": {}}, "rules = {} is not permitted: give 1 to 64 names"),
        ({"ip_protos": ("upd",)}, "'upd' is no IP protocol known by name; did you mean udp?"),
        ({"ip_protos": (300,)}, "ip_protos = (300,) is not permitted"),
        ({"first_octets": (256,)}, "first_octets = (256,) is not permitted"),
        ({"lengths": (9, 8)}, "lengths = (9, 8) is not permitted"),
        ({"variants": ("A",)}, "variants = ('A',) is not permitted"),
    ],
)
def test_what_is_declared_is_checked(facts: dict[str, Any], sentence: str) -> None:
    given: dict[str, Any] = {"protocol_class": "app", "rules": RULES, **facts}
    with pytest.raises(flowclass.UserFunctionError) as refused:
        flowclass.fingerprint(**given)
    assert sentence in str(refused.value)


def column_not_there(byte_fwd: Any) -> Any:
    return byte_fwd


def column_of_text(src_ip: Any) -> Any:
    return src_ip


def default_given(bytes_fwd: Any = 1) -> Any:
    return bytes_fwd


def text_given(bytes_fwd: Any) -> Any:
    return "much"


def no_method(bytes_fwd: Any) -> Any:
    much = bytes_fwd + 1
    return much.root()


def always_raises(bytes_fwd: Any) -> Any:
    if bytes_fwd >= 0:
        raise ValueError("no")
    return bytes_fwd


@pytest.mark.parametrize(
    ("function", "line", "sentence"),
    [
        (column_not_there, 0, "there is no column byte_fwd; did you mean bytes_fwd?"),
        (column_of_text, 0, "column src_ip is string: a function reads numbers"),
        (default_given, 0, "parameter bytes_fwd: give plain names of columns"),
        (text_given, 0, "a feature returns a number; this one returns unicode_type"),
        (no_method, 2, "cannot be compiled here (return much.root()): Unknown attribute 'root' of type int64"),
        (always_raises, 0, "raised on a row of zeros and on a row of ones"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_column_that_cannot_be(function: Callable[..., Any], line: int, sentence: str) -> None:
    with pytest.raises(flowclass.UserFunctionError) as refused:
        flowclass.flow_feature()(function)
    assert sentence in str(refused.value)
    assert f"{__file__}, line {function.__code__.co_firstlineno + line}" in str(refused.value)


def test_another_layout_is_refused() -> None:
    from flowclass.udf.layout import compare

    native = _core.user_layouts()
    compare(native)
    for record, (size, fields) in native.items():
        with pytest.raises(flowclass.UserFunctionError, match=f"how a {record} lies in memory"):
            compare(native | {record: (size + 8, fields)})
        for name, (place, width) in fields.items():
            for other in ((place + 1, width), (place, width + 1)):
                with pytest.raises(flowclass.UserFunctionError, match=name):
                    compare(native | {record: (size, fields | {name: other})})


def test_a_head_reads_as_it_is_and_no_further() -> None:
    payload = bytes([7, 1, 2]) + bytes(57)
    everything = [(0, 0, b"other"), (1, 5, payload)]

    @flowclass.fingerprint(
        protocol_class="app", rules={"all": "the payload"}, lengths=(1, 100), variants=("first", "second")
    )
    def whole(head: Any, evidence: Any) -> bool:
        right = head.count == 2 and head.direction(0) == 0 and head.direction(1) == 1
        right = right and head.length(1) == 60 and head.kept(1) == 60 and head.time_ns(1) - head.time_ns(0) == 5
        right = right and head.u8(1, 1) == 1 and head.le16(1, 1) == 0x0201 and head.be16(1, 1) == 0x0102
        right = right and head.be32(1, 0) == 0x07010200 and head.le32(1, 0) == 0x00020107
        right = right and head.be64(1, 0) == 0x0701020000000000 and head.le64(1, 0) == 0x020107
        right = right and head.u8(1, 59) == 0 and head.u8(1, 60) == -1 and head.u8(1, -1) == -1
        right = right and head.le16(1, 59) == -1 and head.be32(1, 57) == -1 and head.le64(1, 53) == -1
        right = right and head.octets(1).size == 60 and head.octets(1)[:3].sum() == 10 and head.octets(0).size == 5
        right = right and head.src_port == 1000 and head.dst_port == 2000 and head.ip_proto == 17
        if head.count == 2:
            evidence.add("all", 1, 0, 60, 480)
            evidence.variant("second")
            evidence.initiator(1)
        return right

    found = whole.match(everything, ports=(1000, 2000))
    assert (found["protocol"], found["tier"], found["bits"]) == ("user.whole", "confirmed", 480)
    assert (found["variant"], found["initiator"]) == ("second", 2)
    assert found["faults"] == {"user.whole": (0, 0)}
    (check,) = found["checks"]
    assert check == {
        "rule": "user.whole.all",
        "packet": 2,
        "time": 5,
        "offset": 0,
        "length": 60,
        "direction": 1,
        "bits": 480,
    }
    assert whole.match(everything, ip_proto=6, ports=(1000, 2000)).get("protocol") != "user.whole"
    long = [(way, time, octets + bytes(60)) for way, time, octets in everything]
    assert whole.match(long, ports=(1000, 2000)).get("protocol") != "user.whole"


def test_a_large_number_is_none() -> None:
    @flowclass.fingerprint(protocol_class="app", rules=RULES)
    def large(head: Any, evidence: Any) -> bool:
        if head.be64(0, 0) == -1 and head.kept(0) == 8:
            evidence.add("magic", 0, 0, 8, 64)
        return True

    assert large.match([(0, 0, b"\xff" * 8)])["bits"] == 64
    assert "bits" not in large.match([(0, 0, b"\x7f" * 8)])


@pytest.mark.parametrize(
    ("length", "bits", "refused"), [(4, 32, 0), (4, 33, 1), (0, 6, 0), (0, 7, 1), (70, 8, 1), (4, -1, 1)]
)
def test_what_no_check_can_hold_is_refused(length: int, bits: int, refused: int) -> None:
    found = claiming().match([(0, 0, bytes([1, length, bits & 0xFF]) + bytes(60))])
    assert found["faults"] == {"user.claim": (0, refused)}
    said = {"user.claim"} & {found.get("protocol"), *(other["protocol"] for other in found["alternatives"])}
    assert bool(said) == (not refused and bits >= 16)


@cache
def claiming() -> flowclass.Fingerprint:
    """Give a fingerprint that claims the length and the bits that the payload says."""

    @flowclass.fingerprint(protocol_class="app", rules=RULES)
    def claim(head: Any, evidence: Any) -> bool:
        bits = head.u8(0, 2)
        evidence.add("magic", 0, 0, max(0, head.u8(0, 1)), bits if bits < 128 else bits - 256)
        return head.kept(0) > 1

    return claim


def test_example_says_what_the_build_says(captures: Path) -> None:
    options = flowclass.EngineOptions(udf=(wireguard(),))
    table = flowclass.classify(captures, options=options).to_pyarrow()
    plain = flowclass.classify(captures).to_pyarrow()
    said, mine = set(), set()
    for row in table.select(["flow_id", "segment", "protocol", "variant", "alternatives"]).to_pylist():
        if row["protocol"] == "wireguard" and row["variant"] is not None:
            continue  # TunnelBear's, Tailscale's and Cloudflare's forms are not in it
        names = {row["protocol"], *(other["protocol"] for other in row["alternatives"])}
        said |= {(row["flow_id"], row["segment"])} if "wireguard" in names else set()
        mine |= {(row["flow_id"], row["segment"])} if "user.wireguard" in names else set()
    assert len(said) > 15
    assert said == mine
    # What it says besides changes nothing: the same flows with the same other columns.
    same = ["flow_id", "bytes_fwd", "server_name", "source_file"]
    assert table.select(same).equals(plain.select(same))


def test_faults_null_and_counted(captures: Path) -> None:
    result = flowclass.classify(captures, options=flowclass.EngineOptions(udf=several()))
    table = result.to_pyarrow()
    faults = result.counters["user_faults"]
    assert set(faults) == {"user.wireguard", "user.faulty", "user_octets_each", "user_lopsided"}
    assert faults["user.wireguard"] == (0, 0)
    assert faults["user.faulty"][0] > 0
    assert faults["user.faulty"][1] > 0
    fwd, rev = (table.column(name).to_numpy().astype(float) for name in ("bytes_fwd", "bytes_rev"))
    score = (fwd - rev) / (fwd + rev)
    port = table.column("dst_port").to_pylist()
    expected = [
        None if given is None or given == 53 or value < 0 else value
        for given, value in zip(port, score.tolist(), strict=True)
    ]
    assert table.column("user_lopsided").to_pylist() == expected
    refused = sum(given not in (None, 53) and value < 0 for given, value in zip(port, score.tolist(), strict=True))
    assert faults["user_lopsided"] == (port.count(53), refused)
    packets = table.column("packets_fwd").to_numpy() + table.column("packets_rev").to_numpy()
    assert table.column("user_octets_each").to_pylist() == ((fwd + rev) / packets).tolist()


def test_columns_of_lists_and_nulls() -> None:
    @flowclass.flow_feature()
    def longest(splt_len: Any, tcp_window_max_fwd: Any) -> Any:
        most = 0
        for length in splt_len:
            most = max(most, int(length))
        return most

    assert longest.field == pa.field("user_longest", pa.int64())
    batch = pa.record_batch(
        {
            "splt_len": pa.array([[9], [1, 5], [], [7]], pa.list_(pa.uint32())),
            "tcp_window_max_fwd": pa.array([1, 2, 3, None], pa.uint16()),
        }
    )
    assert longest.column(batch)[0].to_pylist() == [9, 5, 0, None]
    assert longest.column(batch.slice(1))[0].to_pylist() == [5, 0, None]
    assert longest.column(batch.slice(4))[0].to_pylist() == []
    frames = [(number, udp_frame("10.0.0.1", 1, "10.0.0.2", 2, bytes(number))) for number in range(1, 4)]
    with pytest.raises(flowclass.ConfigError, match="user_longest reads splt_len, tcp_window_max_fwd, which only runs"):
        flowclass.EngineOptions(udf=(longest,))
    options = flowclass.EngineOptions(udf=(longest,), features=True)
    assert flowclass.classify(pcap(frames), options=options).to_pyarrow().column("user_longest").to_pylist() == [None]


def test_no_number_is_null() -> None:
    @flowclass.flow_feature()
    def quotient(bytes_fwd: Any, bytes_rev: Any) -> Any:
        return bytes_fwd / bytes_rev

    batch = pa.record_batch({name: pa.array([0, 4, 4], pa.uint64()) for name in ("bytes_fwd", "bytes_rev")})
    batch = batch.set_column(1, "bytes_rev", pa.array([0, 0, 2], pa.uint64()))
    column, failed, refused = quotient.column(batch)
    assert (column.to_pylist(), failed, refused) == ([None, None, 2.0], 0, 0)


def test_options_take_functions_with_different_names() -> None:
    one = wireguard()
    with pytest.raises(flowclass.ConfigError, match=r"two functions called user\.wireguard"):
        flowclass.EngineOptions(udf=(one, one))
    with pytest.raises(flowclass.ConfigError, match="give a tuple of what"):
        flowclass.EngineOptions(udf=one)  # type: ignore[arg-type]
    with pytest.raises(flowclass.ConfigError, match="give a tuple of what"):
        flowclass.EngineOptions(udf=(lambda head: True,))  # type: ignore[arg-type]


def test_command(flowclass_command: Command, tmp_path: Path, captures: Path) -> None:
    capture = captures / "wireguard-udp-443.pcapng"
    own = tmp_path / "own.py"
    own.write_text(
        "import flowclass\n"
        "@flowclass.flow_feature()\n"
        "def twice(packets_fwd):\n    return 2 * packets_fwd\n"
        "@flowclass.flow_scorer()\n"
        "def wrong(packets_fwd):\n    return packets_fwd\n",
        encoding="utf-8",
    )
    flows, again = tmp_path / "flows.parquet", tmp_path / "again.parquet"
    done = flowclass_command("classify", capture, "--udf", own, "--udf", EXAMPLE, "--heads", "-o", flows)
    assert done.code == 0, done.err
    assert "faults    user_wrong: raised 0 times, claimed" in done.err
    table = pq.read_table(flows)
    assert table.column("user_twice").to_pylist() == [
        2 * packets for packets in table.column("packets_fwd").to_pylist()
    ]
    assert b'"name":"user.wireguard","kind":"fingerprint","sha256":"' in table.schema.metadata[b"flowclass.udf"]
    done = flowclass_command("match", flows, "--udf", EXAMPLE, "-o", again)
    assert done.code == 0, done.err
    assert "0 with another verdict" in done.err
    own.write_text("x = 1\n", encoding="utf-8")
    done = flowclass_command("classify", capture, "--udf", own)
    assert done.code == 5
    assert "defines nothing with flowclass.fingerprint" in done.err
    own.write_text("import nowhere\n", encoding="utf-8")
    assert "ended in ModuleNotFoundError" in flowclass_command("classify", capture, "--udf", own).err


def test_no_file_of_options_runs_code(
    flowclass_command: Command, tmp_path: Path, captures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text("raise SystemExit(99)\n", encoding="utf-8")
    (tmp_path / "flowclass.toml").write_text('udf = "own.py"\n', encoding="utf-8")
    done = flowclass_command("classify", captures / "wireguard-udp-443.pcapng")
    assert done.code == 5
    assert "key 'udf' is not known" in done.err
    (tmp_path / "flowclass.toml").unlink()
    monkeypatch.setenv("FLOWCLASS_UDF", "own.py")
    assert flowclass_command("classify", captures / "wireguard-udp-443.pcapng", "--format", "none").code == 0


def test_numba_is_imported_when_a_function_is_defined() -> None:
    text = "import sys, flowclass; flowclass.fingerprint, flowclass.flow_feature; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True, cwd=ROOT / "tests")
    assert done.stdout == "False\n"


def test_a_users_verdict_is_explained_reported_and_judged(flowclass_command: Command, tmp_path: Path) -> None:
    frames = [
        (1_732_000_000_000_000_000 + at, udp_frame("10.0.0.1", 1, "10.0.0.2", 2, octets))
        for at, octets in ((0, b"KNOCK 1"), (2, b"KNOCK 2"))
    ]
    capture, own, flows = tmp_path / "knock.pcap", tmp_path / "own.py", tmp_path / "flows.parquet"
    capture.write_bytes(pcap(frames))
    own.write_text(
        "import flowclass\n"
        "@flowclass.fingerprint(protocol_class='vpn', rules={'magic': 'KNOCK'})\n"
        "def knock(head, evidence):\n"
        "    for i in range(head.count):\n"
        "        if head.be32(i, 0) == 0x4B4E4F43:\n"
        "            evidence.add('magic', i, 0, 4, 32)\n"
        "    return True\n",
        encoding="utf-8",
    )
    done = flowclass_command("classify", capture, "--udf", own, "-o", flows)
    assert done.code == 0, done.err
    assert "vpn      user.knock" in done.err
    (row,) = pq.read_table(flows).to_pylist()
    assert (row["protocol"], row["protocol_class"], row["tier"]) == ("user.knock", "vpn", "probable")
    assert [check["rule"] for check in row["evidence"]] == ["user.knock.magic"] * 2
    done = flowclass_command("explain", row["flow_id"], "--in", flows, "--pcap", capture)
    assert done.code == 0, done.err
    assert "is user.knock: probable" in done.out
    assert "a check of a user's own fingerprint" in done.out
    assert "user.knock" in flowclass_command("report", flows).out
    listed = tmp_path / "list.csv"
    listed.write_text(
        "registration_id,category,status,prefix,valid_from,approved_at\n"
        "ORG-1,organization,approved,10.0.0.2,2020-01-01,2020-01-01\n",
        encoding="utf-8",
    )
    judged = flowclass.judge(flows, registry=listed).read_all()
    assert judged.column("registry_match").to_pylist() == ["registered"]


def test_a_column_reads_the_buffers_where_they_lie(captures: Path) -> None:
    from flowclass.udf.columns import _parts

    batch = flowclass.classify(captures / "dns-udp.pcap").to_pyarrow().combine_chunks().to_batches()[0]
    for name, kind in (("bytes_fwd", "uint64"), ("evidence_bits", "float32"), ("dst_port", "uint16")):
        seen = _parts(batch.column(name), kind)[-1]
        assert seen.ctypes.data == batch.column(name).buffers()[1].address, f"{name} was copied"
        assert not seen.flags.writeable

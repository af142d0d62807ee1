"""Early verdicts: in time, the same for every cut and number of threads, and what the flows' rows say at the end."""

from __future__ import annotations

import gzip
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from capture_files import exchange, pcap, read_pcap, udp_frame
from conftest import ROOT

import flowclass
from flowclass.engine import Engine
from flowclass.schema import arrow_schema, early_schema

SECOND = 1_000_000_000
HEAD = 2 * SECOND
LONG_HEAD = 15 * SECOND
PROVENANCE = ["source_file", "packet_first", "packet_last"]
# A verdict without what the end of the flow decides: its counters, and what out-of-order packets may move.
SAME = ["protocol", "protocol_class", "variant", "tier", "evidence_bits", "alternatives", "evidence"]
KEY = ["community_id", "parent_flow_id", "src_ip", "dst_ip", "src_port", "dst_port", "ip_proto", "vlan_id", "encap"]
SAID = ["server_name", "alpn", "ja4", "registry_match", "registration_id", "policy_outcome", "policy_reason"]

Rows = list[dict[str, Any]]


def judges() -> dict[str, Any]:
    folder = ROOT / "datasets" / "registry"
    return {
        "registry": flowclass.Registry.load(folder / "sample.csv"),
        "policy": flowclass.Policy.load(folder / "policy.toml"),
    }


def run(
    pieces: Iterable[bytes], *, threads: int = 1, early: bool = True, rows: bool = True, **options: Any
) -> tuple[Rows, Rows]:
    """Give the flows' rows and the early ones."""
    engine = Engine(flowclass.EngineOptions(**options), threads=threads, early=early, rows=rows, **judges())
    engine.begin_source("")
    flows: list[pa.RecordBatch] = []
    verdicts: list[pa.RecordBatch] = []
    for piece in pieces:
        engine.push(piece)
        flows += engine.poll()
        verdicts += engine.poll_early()
    engine.end_source()
    flows += engine.finish()
    verdicts += engine.poll_early()
    return listed(flows, arrow_schema()), listed(verdicts, early_schema())


def listed(batches: list[pa.RecordBatch], schema: pa.Schema) -> Rows:
    # Times as numbers: pandas, where it is installed, would make them objects of its own.
    table = pa.Table.from_batches(batches, batches[0].schema if batches else schema)
    times = [(index, field) for index, field in enumerate(table.schema) if pa.types.is_timestamp(field.type)]
    for index, field in times:
        table = table.set_column(index, field.name, table.column(index).cast(pa.int64()))
    rows: Rows = table.to_pylist()
    return rows


def without(rows: Rows, names: list[str]) -> Rows:
    return [{name: value for name, value in row.items() if name not in names} for row in rows]


def cut(data: bytes, dice: random.Random, most: int) -> list[bytes]:
    pieces = []
    at = 0
    while at < len(data):
        size = dice.randrange(1, most)
        pieces.append(data[at : at + size])
        at += size
    return pieces


@pytest.fixture(scope="module")
def traffic(captures: Path) -> bytes:
    """Give a capture with flows of all sorts at once, some of which have much longer heads than others."""
    dice = random.Random(7)
    frames: list[tuple[int, bytes]] = []
    for path in sorted(set(captures.glob("*.pcap")) - set(captures.glob("*snaplen*"))):
        found, link_type = read_pcap(path)
        if link_type == 1 and found:
            start = 1_732_000_000 * SECOND + dice.randrange(60 * SECOND)
            frames += [(start + time - found[0][0], frame) for time, frame in found[:400]]
    frames.sort(key=lambda pair: pair[0])
    return pcap(frames)


@pytest.fixture(scope="module")
def whole(traffic: bytes) -> tuple[Rows, Rows]:
    return run([traffic])


def test_the_flows_are_those_of_a_run_without(traffic: bytes, whole: tuple[Rows, Rows]) -> None:
    plain, none = run([traffic], early=False)
    assert not none
    assert len(plain) > 200
    assert whole[0] == plain
    assert run([traffic], rows=False) == ([], whole[1])


@pytest.mark.parametrize("seed", range(4))
def test_cuts_and_threads_change_nothing(seed: int, traffic: bytes, whole: tuple[Rows, Rows]) -> None:
    dice = random.Random(seed)
    most = dice.choice([200, 5_000, 200_000, 1_000_000])
    assert run(cut(traffic, dice, most), threads=dice.choice([1, 2, 3, 5])) == whole


def test_every_verdict_came_early_and_stands(whole: tuple[Rows, Rows]) -> None:
    flows, verdicts = whole
    assert verdicts == sorted(verdicts, key=lambda row: row["time_verdict"])
    closed = {row["flow_id"]: row for row in verdicts if row["head_state"] == "closed"}
    opened = {row["flow_id"]: row for row in verdicts if row["head_state"] == "open"}
    assert len(closed) + len(opened) == len(verdicts), "one of each at most"
    assert set(opened) <= set(closed)
    told = [row for row in flows if row["tier"] != "none"]
    assert len({row["protocol"] for row in told}) > 40
    for row in told:
        early = closed[row["flow_id"]]
        own = {name: row[name] for name in SAME}
        if (
            row["linked_flow_id"] is not None
        ):  # the link is found later: one check more, its bits, perhaps a better tier
            link = own["evidence"].pop()
            assert link["rule"].startswith("link.")
            own["evidence_bits"] -= link["bits"]
            own["tier"] = early["tier"]
        assert {name: early[name] for name in SAME} == own
        assert {name: early[name] for name in KEY} == {name: row[name] for name in KEY}
        same_tier = early["tier"] == row["tier"]
        assert not same_tier or {name: early[name] for name in SAID} == {name: row[name] for name in SAID}
        for name in ("packets_fwd", "packets_rev", "bytes_fwd", "bytes_rev", "payload_bytes_fwd", "payload_bytes_rev"):
            assert early[name] <= row[name]


def test_every_verdict_came_in_time(traffic: bytes, whole: tuple[Rows, Rows]) -> None:
    begun = {
        row["flow_id"]: row["time_start"] + row["head"][0]["offset_ns"]
        for row in run([traffic], heads=True)[0]
        if row["head"]
    }
    waited = {row["flow_id"] for row in whole[1] if row["head_state"] == "open"}
    assert waited
    for row in whole[1]:
        delay = row["time_verdict"] - begun[row["flow_id"]]
        if row["head_state"] == "open":
            assert delay == HEAD
        else:
            assert 0 <= delay <= (LONG_HEAD if row["flow_id"] in waited else HEAD)


def test_the_sums_are_those_at_the_last_packet(traffic: bytes, whole: tuple[Rows, Rows], tmp_path: Path) -> None:
    """Cut the capture behind the packet that a verdict names: the flow's row there has the same sums and verdict."""
    frames, link_type = read_pcap(_written(tmp_path, traffic))
    dice = random.Random(3)
    for early in dice.sample([row for row in whole[1] if row["head_state"] == "closed"], 25):
        flows, _ = run([pcap(frames[: early["packet_last"]], link_type=link_type)], early=False)
        (row,) = [row for row in flows if row["flow_id"] == early["flow_id"]]
        for name in set(early) - {"time_verdict", "head_state", *SAME, *SAID}:
            assert row[name] == early[name], name
        assert row["protocol"] == early["protocol"]


def _written(folder: Path, octets: bytes) -> Path:
    path = folder / "whole.pcap"
    path.write_bytes(octets)
    return path


RESET = bytes([0x38]) + b"\x11\x22\x33\x44\x55\x66\x77\x88" + bytes(5)


def datagrams(*times: float, source: str = "10.0.0.1", payload: bytes = RESET) -> list[tuple[int, bytes]]:
    """Give datagrams of one side: an OpenVPN client's first message, which nobody answers."""
    frame = udp_frame(source, 40000, "10.0.0.2", 7777, payload)
    return [(1_732_000_000 * SECOND + round(time * SECOND), frame) for time in times]


def test_a_head_that_waits_has_a_row_at_two_seconds_and_one_at_its_end() -> None:
    other = datagrams(100, source="10.9.9.9", payload=b"x" * 40)
    for times in ((0, 1), (0, 1, 3), (0, 1, 2.0000001, 30)):
        _, verdicts = run([pcap(datagrams(*times) + (other if times[-1] < 30 else []))])
        start = 1_732_000_000 * SECOND
        found = [
            (row["head_state"], row["time_verdict"] - start, row["packets_fwd"])
            for row in verdicts
            if row["src_ip"] == "10.0.0.1"
        ]
        inside = sum(time <= 15 for time in times)
        assert found == [("open", HEAD, 2), ("closed", LONG_HEAD, inside)], times


def test_a_capture_that_ends_says_so_at_its_end() -> None:
    start = 1_732_000_000 * SECOND
    _, verdicts = run([pcap(datagrams(0, 1))])
    assert [(row["head_state"], row["time_verdict"] - start) for row in verdicts] == [("closed", SECOND)]
    _, verdicts = run([pcap(datagrams(0, 1, 4))])
    assert [(row["head_state"], row["time_verdict"] - start) for row in verdicts] == [
        ("open", HEAD),
        ("closed", 4 * SECOND),
    ]


@pytest.mark.parametrize("seed", range(3))
def test_segments_and_full_tables(seed: int, traffic: bytes) -> None:
    dice = random.Random(seed)
    short: dict[str, Any] = {"active_timeout_ns": SECOND // 2, "idle_timeout_ns": 3 * SECOND}
    flows, verdicts = run([traffic], **short)
    assert any(row["segment"] > 0 for row in flows)
    assert run(cut(traffic, dice, 50_000), threads=3, **short) == (flows, verdicts)
    named = {(row["flow_id"], row["segment"]) for row in flows}
    assert {(row["flow_id"], row["segment"]) for row in verdicts} <= named


def test_while_the_flow_goes_on(captures: Path) -> None:
    """The verdict comes out of a pipe that is open, long before the flow's row."""
    frames, _ = read_pcap(captures / "wireguard-udp-51820.pcap")
    late = datagrams(0, source="10.9.9.9", payload=b"x" * 40)
    shown = [*frames[:60], (frames[59][0] + 10 * SECOND, late[0][1])]
    reading, writing = os.pipe()
    got: list[pa.RecordBatch] = []
    with os.fdopen(reading, "rb") as end, os.fdopen(writing, "wb", buffering=0) as pipe:
        pipe.write(pcap(shown))

        def take(batch: pa.RecordBatch) -> None:
            got.append(batch)
            if not pipe.closed:
                assert not rows, "no flow has ended"
                pipe.close()

        rows: list[pa.RecordBatch] = []
        for batch in flowclass.stream(end).with_verdicts(take):
            rows.append(batch)
    assert got[0].schema.equals(early_schema())
    assert got[0].column("protocol").to_pylist() == ["wireguard"]
    assert sum(batch.num_rows for batch in rows) == 2


def test_what_the_callback_raises_ends_the_stream() -> None:
    def refuse(batch: pa.RecordBatch) -> None:
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        list(flowclass.stream(pcap(exchange())).with_verdicts(refuse))


def program(*args: str | Path, stdin: bytes, folder: Path) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "flowclass", *map(str, args)]
    return subprocess.run(command, input=stdin, capture_output=True, cwd=folder, timeout=120, check=False)


def lines(octets: bytes) -> Rows:
    return [json.loads(line) for line in octets.splitlines()]


@pytest.mark.parametrize("command", ["live", "classify"])
def test_the_command(command: str, whole: tuple[Rows, Rows], traffic: bytes, tmp_path: Path) -> None:
    for number in (1, 2):
        done = program(command, "-", "--verdicts", "v.jsonl", "-o", "f.jsonl", "--json", stdin=traffic, folder=tmp_path)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["outputs"] == ["f.jsonl", "v.jsonl"]
        found = lines((tmp_path / "v.jsonl").read_bytes())
        assert len(found) == number * len(whole[1]), "a file is appended to"
        assert set(found[0]) == set(early_schema().names)
    packed = gzip.compress(traffic)
    alone = program(command, "-", "--verdicts", "-", "--format", "none", "-q", stdin=packed, folder=tmp_path)
    assert alone.returncode == 0, alone.stderr
    assert lines(alone.stdout) == found[: len(whole[1])]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--verdicts", "-"], "both want standard output"),
        (["--verdicts", "v.parquet"], "end the name in .jsonl"),
        (["--verdicts", "same.jsonl", "-o", "same.jsonl"], "the same file"),
        (["--verdicts", "tcp://nowhere", "-o", "f.jsonl"], "tcp://HOST:PORT"),
    ],
)
def test_what_cannot_be_meant(given: list[str], said: str, tmp_path: Path) -> None:
    done = program("live", "-", *given, stdin=pcap(exchange()), folder=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr.decode()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", ["", "absent/v.jsonl", "/dev/full"])
def test_a_place_that_takes_nothing(place: str, tmp_path: Path) -> None:
    where = str(tmp_path / place)
    done = program("live", "-", "--verdicts", where, "-o", "f.jsonl", stdin=pcap(exchange()), folder=tmp_path)
    assert done.returncode == 6
    assert where in done.stderr.decode()
    assert not list(tmp_path.iterdir()), "the flows' file is whole or not there"

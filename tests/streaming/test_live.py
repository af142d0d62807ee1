"""Live interfaces against the batch run over the same packets; drops, filters, and interfaces that go."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from capture_files import ETHERNET, START_NS, exchange, udp_frame
from conftest import Command
from wire import NEAR, Wire, frames_of, ip, own_wire

import flowclass

# What does not depend on when the packets came.
TIMELESS = [
    "src_ip", "src_port", "dst_ip", "dst_port", "ip_proto", "vlan_id",
    "inner_vlan_id", "packets_fwd", "packets_rev", "bytes_fwd", "bytes_rev",
    "payload_bytes_fwd", "payload_bytes_rev", "tcp_flags_fwd", "tcp_flags_rev",
    "protocol", "variant", "tier", "community_id",
]  # fmt: skip
CAPTURES = ["dns-udp-ipv6", "http", "https-tls13", "fastd-null", "geneve", "gre-ip", "ikev1-main-psk", "gtp"]
LONG = flowclass.EngineOptions(idle_timeout_ns=3600_000_000_000, active_timeout_ns=3600_000_000_000)


@pytest.fixture
def wire() -> Iterator[Wire]:
    with own_wire() as made:
        yield made


def timeless(batches: Any) -> Counter[tuple[object, ...]]:
    rows = [row for batch in batches for row in batch.to_pylist()]
    return Counter(tuple(row[name] for name in TIMELESS) for row in rows)


def seen(wire: Wire, frames: Sequence[bytes], **live: Any) -> tuple[flowclass.Stream, Counter[tuple[object, ...]]]:
    """Send frames and take as many."""
    stream = flowclass.stream(NEAR, options=LONG, live=flowclass.LiveOptions(packets=len(frames), **live))
    wire.send(frames)
    return stream, timeless(stream)


def batch(frames: Sequence[tuple[int, bytes]]) -> Counter[tuple[object, ...]]:
    return timeless(flowclass.classify(flowclass.Packets(frames, link_type=ETHERNET), options=LONG))


@pytest.mark.parametrize("name", CAPTURES)
def test_rows_are_those_of_the_batch_run(name: str, captures: Path, wire: Wire) -> None:
    frames = frames_of(captures / f"{name}.pcap")
    stream, rows = seen(wire, [frame for _, frame in frames])
    assert rows == batch(frames)
    assert stream.balance.closed
    assert stream.balance.packets_read == len(frames)
    facts = stream.captured[NEAR]
    assert facts == flowclass.CaptureCounters(received=len(frames), handed_on=len(frames))
    assert [report.problem for report in stream.sources] == ["none"]


def test_tags_that_the_kernel_takes_off_are_put_back(wire: Wire) -> None:
    plain = udp_frame("10.0.0.1", 1000, "10.0.0.2", 2000, b"x" * 40)
    tagged = [plain[:12] + tags + plain[12:] for tags in (b"", b"\x81\0\x20\x05", b"\x88\xa8\0\x07\x81\0\0\x09")]
    _, rows = seen(wire, tagged)
    assert rows == batch([(START_NS + number, frame) for number, frame in enumerate(tagged)])
    place = TIMELESS.index("vlan_id")
    assert {(row[place], row[place + 1]) for row in rows} == {(None, None), (5, None), (7, 9)}


def test_octets_beyond_the_snap_length_are_counted_and_not_kept(wire: Wire) -> None:
    stream = flowclass.stream(NEAR, live=flowclass.LiveOptions(packets=2, snap_length=64))
    wire.send([udp_frame("10.0.0.1", 1000, "10.0.0.2", 2000, b"x" * 400)] * 2)
    (row,) = [row for batch in stream for row in batch.to_pylist()]
    assert (row["bytes_fwd"], row["truncated_packets"]) == (856, 2)
    assert row["source_file"] == NEAR
    assert (row["packet_first"], row["packet_last"]) == (1, 2)


def test_only_what_passes_the_filter(wire: Wire) -> None:
    stream = flowclass.stream(NEAR, live=flowclass.LiveOptions(packets=3, filter="udp dst port 2000"))
    wire.send(udp_frame("10.0.0.1", 1000, "10.0.0.2", 2000 + number % 2, b"x") for number in range(6))
    assert [row["dst_port"] for batch in stream for row in batch.to_pylist()] == [2000]
    assert stream.captured[NEAR] == flowclass.CaptureCounters(received=3, handed_on=3)


def test_what_the_ring_has_no_room_for_is_counted(wire: Wire) -> None:
    stream = flowclass.stream(NEAR, live=flowclass.LiveOptions(ring_octets=1 << 16))
    sent = wire.send([frame for _, frame in exchange(2000)])
    stream.close()
    rows = [row for batch in stream for row in batch.to_pylist()]
    facts = stream.captured[NEAR]
    assert facts.kernel_dropped > 0
    assert facts.ring_freezes > 0
    assert facts.received == sent
    assert facts.own_dropped == 0
    assert facts.handed_on == sent - facts.kernel_dropped == stream.balance.packets_read
    assert sum(row["packets_fwd"] + row["packets_rev"] for row in rows) == facts.handed_on
    (report,) = stream.sources
    assert report.problem == "dropped"
    assert f"{facts.kernel_dropped:,} of 2,000 packets" in report.sentence


def test_a_run_that_is_kept_from_reading_for_a_while_loses_nothing(wire: Wire) -> None:
    stream = flowclass.stream(NEAR, options=LONG)
    for _, frame in exchange(100):
        wire.send([frame])
        time.sleep(0.03)  # the kernel closes a block for each two of them
    stream.close()
    assert sum(row["packets_fwd"] + row["packets_rev"] for batch in stream for row in batch.to_pylist()) == 100
    assert stream.captured[NEAR] == flowclass.CaptureCounters(received=100, handed_on=100)


def test_what_is_not_wanted_any_more_is_our_own_drop(wire: Wire) -> None:
    stream = flowclass.stream(NEAR, live=flowclass.LiveOptions(packets=100))
    wire.send([frame for _, frame in exchange(300)])
    assert sum(row["packets_fwd"] + row["packets_rev"] for batch in stream for row in batch.to_pylist()) == 100
    facts = stream.captured[NEAR]
    assert (facts.received, facts.handed_on, facts.kernel_dropped, facts.own_dropped) == (300, 100, 0, 200)


def test_flows_end_when_the_wire_is_silent(wire: Wire) -> None:
    options = flowclass.EngineOptions(idle_timeout_ns=100_000_000)
    stream = flowclass.stream(NEAR, options=options)
    wire.send([frame for _, frame in exchange(10)])
    batches = iter(stream)
    assert next(batches).column("end_reason").to_pylist() == ["idle"]
    stream.close()
    assert list(batches) == []


def test_an_interface_that_goes_ends_the_stream(wire: Wire) -> None:
    stream = flowclass.stream(NEAR)
    wire.send([frame for _, frame in exchange(10)])
    ip("link", "delete", NEAR)
    assert [batch.column("packets_fwd").to_pylist() for batch in stream] == [[5]]
    (report,) = stream.sources
    assert (report.problem, report.sentence) == ("vanished", f"{NEAR}: the interface is gone")
    assert stream.captured[NEAR].handed_on == report.packets == 10


def test_an_interface_that_is_down_for_a_while_is_waited_for(wire: Wire) -> None:
    stream = flowclass.stream(NEAR, options=LONG, live=flowclass.LiveOptions(packets=20))
    wire.send([frame for _, frame in exchange(10)])
    ip("link", "set", NEAR, "down")
    ip("link", "set", NEAR, "up")
    wire.send([frame for _, frame in exchange(10)])
    assert [batch.column("packets_fwd").to_pylist() for batch in stream] == [[10]]
    assert [report.problem for report in stream.sources] == ["none"]


def test_two_interfaces_are_one_stream(wire: Wire) -> None:
    ip("link", "set", "lo", "up")
    stream = flowclass.stream([NEAR, "lo"], live=flowclass.LiveOptions(packets=30, filter="udp"))
    wire.send([frame for _, frame in exchange(20)])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind(("127.0.0.1", 0))
        for _ in range(10):
            sender.sendto(b"x", sender.getsockname())
    rows = [row for batch in stream for row in batch.to_pylist()]
    told = {row["source_file"]: row["packets_fwd"] + row["packets_rev"] for row in rows}
    assert told == {NEAR: 20, "lo": 10}, "and what goes over lo counts once"
    assert {name: facts.handed_on for name, facts in stream.captured.items()} == told


def test_a_group_shares_the_packets_by_flow(wire: Wire) -> None:
    live = flowclass.LiveOptions(fanout="hash", fanout_group=7)
    streams = [flowclass.stream(NEAR, live=live) for _ in range(2)]
    wire.send([frame for number in range(64) for _, frame in exchange(4, client=f"10.0.1.{number}")])
    rows = []
    for stream in streams:
        stream.close()
        rows.append([row for batch in stream for row in batch.to_pylist()])
    assert all(rows), "64 flows do not all hash to one"
    assert Counter(row["packets_fwd"] + row["packets_rev"] for part in rows for row in part) == {4: 64}


def test_async_iteration(wire: Wire) -> None:
    async def take() -> int:
        stream = flowclass.stream(NEAR, live=flowclass.LiveOptions(packets=50))
        wire.send([frame for _, frame in exchange(50)])
        return sum([batch.num_rows async for batch in stream])

    async def give_up() -> None:
        async for _ in flowclass.stream(NEAR):
            pass

    assert asyncio.run(take()) == 1
    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(give_up(), 0.2))


@pytest.mark.parametrize(
    ("interfaces", "options", "words"),
    [
        (["fc-none"], {}, "there is no interface of that name"),
        (["lo"], {}, "the interface is down"),
        (["x" * 16], {}, "is no name of an interface"),
        ([NEAR], {"filter": "udp port banana"}, 'the filter "udp port banana" cannot be compiled'),
        ([NEAR, NEAR], {}, "given more than once"),
        ([], {}, "no interface was given"),
    ],
)
def test_words(interfaces: list[str], options: dict[str, Any], words: str, wire: Wire) -> None:
    from flowclass.sources.live import LiveSource

    with pytest.raises(flowclass.SourceError, match=words):
        LiveSource(interfaces, flowclass.LiveOptions(**options)).open()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"filter": "vlan 5 and udp"}, "the kernel takes VLAN tags off"),
        ({"snap_length": 63}, "snap_length = 63 is not permitted"),
        ({"ring_octets": 100}, "ring_octets = 100 is not permitted"),
        ({"packets": 0}, "packets = 0 is not permitted"),
        ({"duration_s": 0.0}, "duration_s = 0.0 is not permitted"),
        ({"fanout": "lottery"}, "fanout = 'lottery' is not permitted"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], words: str) -> None:
    with pytest.raises(flowclass.ConfigError, match=words):
        flowclass.LiveOptions(**options)


def command(*args: str | Path, **how: Any) -> subprocess.Popen[bytes]:
    line = [sys.executable, "-m", "flowclass", "live", *map(str, args)]
    paths = [str(Path(flowclass.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    return subprocess.Popen(line, env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}, **how)


def test_a_signal_ends_it_with_a_complete_file(tmp_path: Path, wire: Wire) -> None:
    out = tmp_path / "flows.parquet"
    process = command("-i", NEAR, "-o", out, "--json", stdout=subprocess.PIPE)
    wire.when_captured(lambda: wire.send([frame for _, frame in exchange(500)]))
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 143
    summary = json.loads(said)
    assert summary["captured"][NEAR]["received"] == summary["captured"][NEAR]["handed_on"] == 500
    assert summary["balance"]["packets_read"] == 500
    table = pq.read_table(out)
    assert table.column("packets_fwd").to_pylist() == [250]
    assert [path.name for path in tmp_path.iterdir()] == ["flows.parquet"]


def test_another_user_once_the_socket_is_open(tmp_path: Path, wire: Wire) -> None:
    tmp_path.chmod(0o777)
    if not all(os.stat(folder).st_mode & 0o001 for folder in tmp_path.parents):
        tmp_path = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
        tmp_path.chmod(0o777)
    out = tmp_path / "flows.jsonl"
    process = command("-i", NEAR, "-o", out, "--user", "nobody", "--packets", "10", "-q")
    facts: dict[str, str] = {}

    def look() -> None:
        while facts.get("NoNewPrivs") != "1":
            lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            facts.update((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))
        wire.send([frame for _, frame in exchange(10)])

    wire.when_captured(look)
    assert process.wait(timeout=30) == 0
    assert int(facts["CapEff"], 16) == 0
    assert "0" not in facts["Uid"].split()
    assert len(out.read_text().splitlines()) == 1
    shutil.rmtree(tmp_path)


def test_the_pipe_of_a_capture_program(tmp_path: Path, wire: Wire) -> None:
    tcpdump = shutil.which("tcpdump")
    if tcpdump is None:
        pytest.skip("tcpdump is not installed")
    with subprocess.Popen(
        [tcpdump, "-i", NEAR, "-U", "-w", "-", "-c", "100"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as source:
        process = command("-", "-q", stdin=source.stdout, stdout=subprocess.PIPE)
        wire.when_captured(lambda: wire.send([frame for _, frame in exchange(100)]))
        said, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    (row,) = [json.loads(line) for line in said.splitlines()]
    assert (row["packets_fwd"], row["packets_rev"], row["source_file"]) == (50, 50, "-")


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        ((), 2, "give either interfaces with -i"),
        (("-i", "lo", "-"), 2, "give either interfaces with -i"),
        (("-", "--filter", "udp"), 2, "--filter goes with -i only"),
        (("-", "--state", "x"), 2, "--state goes with --watch only"),
        (("-i", "lo", "--fanout", "x"), 2, "write a group from 0 to 65535"),
        (("-i", "lo", "--filter", "vlan"), 5, "the kernel takes VLAN tags off"),
        (("--watch", "/nowhere/at/all"), 4, "this is no folder"),
    ],
)
def test_command_lines_that_cannot_be(args: tuple[str, ...], code: int, words: str, flowclass_command: Command) -> None:
    ended = flowclass_command("live", *args)
    assert ended.code == code
    assert words in ended.err


def test_frames_are_read_from_our_captures_as_they_are(captures: Path) -> None:
    frames = frames_of(captures / "http.pcap")
    assert len(frames) > 10
    assert all(struct.unpack_from(">H", frame, 12)[0] in (0x0800, 0x0806) for _, frame in frames)

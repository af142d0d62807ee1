"""The command line: default command, outputs, configuration, JSON, signals, explain."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
from capture_files import START_NS, exchange, pcap, pcapng, read_pcap, udp_frame
from conftest import ROOT, Command

from flowclass.version import __version__

PROGRAM = [sys.executable, "-m", "flowclass.cli.main"]


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap(exchange()))
    return path


def test_version(flowclass_command: Command) -> None:
    assert flowclass_command("--version").out == f"flowclass {__version__}\n"
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == __version__


def test_classify_is_the_default_command(capture: Path, flowclass_command: Command) -> None:
    assert flowclass_command(capture).out == flowclass_command("classify", capture).out
    assert flowclass_command("-q", capture).err == ""


def test_help_names_the_exit_codes(flowclass_command: Command) -> None:
    shown = flowclass_command("--help")
    assert shown.code == 0
    for code in ("0 all read", "3 done", "4 no usable input", "10 --fail-on-violation", "130, 143"):
        assert code in shown.out
    assert flowclass_command("classify", "--help").code == 0


def test_stdout_carries_data_only(capture: Path, tmp_path: Path, flowclass_command: Command) -> None:
    ended = flowclass_command(capture)
    assert [json.loads(line)["ip_proto"] for line in ended.out.splitlines()] == [17]
    ended = flowclass_command(capture, "-o", tmp_path / "flows.parquet")
    assert ended.out == ""
    assert "wrote " in ended.err
    ended = flowclass_command(capture, "-o", "-", "--format", "csv")
    assert ended.out.startswith('"flow_id"')


def test_table(captures: Path, tmp_path: Path, flowclass_command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    ended = flowclass_command(next(captures.glob("wireguard-*.pcap*")), "--table", "-o", tmp_path / "flows.parquet")
    head, first, *_ = ended.out.splitlines()
    shown = "time (UTC) flow source destination protocol tier bits registry outcome packets bytes"
    assert head.split() == shown.split(" ")
    assert "wireguard" in first
    assert (tmp_path / "flows.parquet").exists()
    monkeypatch.setenv("COLUMNS", "100")  # what does not fit is left out, not cut
    narrow = flowclass_command(next(captures.glob("wireguard-*.pcap*")), "--table").out.splitlines()
    assert "destination" in narrow[0]
    assert "bytes" not in narrow[0]
    assert not any("\u2026" in line or len(line) > 100 for line in narrow)
    assert "wireguard" in narrow[1]


def test_table_is_safe_and_short(tmp_path: Path, flowclass_command: Command) -> None:
    frames = [(START_NS + n, udp_frame("10.0.0.1", 1000 + n, "10.0.0.2", 9, b"x")) for n in range(200)]
    (tmp_path / "many.pcap").write_bytes(pcap(frames))
    ended = flowclass_command(tmp_path / "many.pcap", "--table")
    assert "... and 150 flows more" in ended.out
    assert len(ended.out.splitlines()) == 52


def test_json_summary(capture: Path, tmp_path: Path, flowclass_command: Command) -> None:
    ended = flowclass_command(capture, "-o", tmp_path / "flows.parquet", "--json")
    content = json.loads(ended.out)
    assert content["schema"] == "flowclass.classify/1"
    assert content["flows"] == 1
    assert content["balance"]["closed"] is True
    assert content["balance"]["packets_read"] == 4
    assert content["sources"][0]["problem"] == "none"
    assert content["outputs"] == [str(tmp_path / "flows.parquet")]
    ended = flowclass_command(capture, "--json")
    assert json.loads(ended.err)["flows"] == len(ended.out.splitlines()) == 1


def test_balance_names_what_was_skipped(tmp_path: Path, flowclass_command: Command) -> None:
    arp = b"\xff" * 6 + b"\2" * 6 + b"\x08\x06" + bytes(28)
    (tmp_path / "arp.pcap").write_bytes(pcap([*exchange(), (START_NS, arp)]))
    ended = flowclass_command(tmp_path / "arp.pcap")
    assert ended.code == 0
    assert "5 packets read = 4 in flows + 1 skipped (ethertype_0x0806 1)" in ended.err


def test_precedence(capture: Path, tmp_path: Path, flowclass_command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Command line > environment > --config > ./flowclass.toml > default."""
    monkeypatch.chdir(tmp_path)

    def ends() -> list[str]:
        return flowclass_command(capture, *args).out.splitlines()

    # Frames a second apart: with a short idle timeout each is a flow of its own.
    capture.write_bytes(pcap([(START_NS + n * 10**9, frame) for n, (_, frame) in enumerate(exchange())]))
    args: list[str | Path] = []
    assert len(ends()) == 1
    (tmp_path / "flowclass.toml").write_text('idle_timeout = "100ms"\n')
    assert len(ends()) == 4
    other = tmp_path / "other.toml"
    other.write_text('idle_timeout = "60s"\n')
    args = ["--config", other]
    assert len(ends()) == 1
    monkeypatch.setenv("FLOWCLASS_IDLE_TIMEOUT", "100ms")
    assert len(ends()) == 4
    args = ["--config", other, "--idle-timeout", "60s"]
    assert len(ends()) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('idle_timeuot = "1s"', "key 'idle_timeuot' is not known; the nearest known one is 'idle_timeout'"),
        ("threads = 1.5", "threads = 1.5 is not permitted"),
        ("threads = 4000", "threads = 4000 is not permitted"),
        ('idle_timeout = "soon"', "idle_timeout = 'soon' is not permitted"),
        ("quiet = 1", "quiet = 1 is not permitted: give true or false"),
        ("threads = [1]", "threads = [1] is not permitted"),
        ("= 1", "is not valid TOML"),
    ],
)
def test_wrong_configuration(
    content: str, words: str, capture: Path, tmp_path: Path, flowclass_command: Command
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(content)
    ended = flowclass_command(capture, "--config", config)
    assert ended.code == 5
    assert words in ended.err
    assert str(config) in ended.err


def test_paths_in_a_configuration_are_relative_to_it(capture: Path, tmp_path: Path, flowclass_command: Command) -> None:
    folder = tmp_path / "settings"
    folder.mkdir()
    (folder / "config.toml").write_text('output = "flows.jsonl"\nquiet = true\n')
    ended = flowclass_command(capture, "--config", folder / "config.toml")
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert (folder / "flows.jsonl").exists()


def test_missing_configuration(capture: Path, tmp_path: Path, flowclass_command: Command) -> None:
    ended = flowclass_command(capture, "--config", tmp_path / "no.toml")
    assert ended.code == 5
    assert "no.toml: cannot be read: no such file or directory" in ended.err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_ends_with_complete_files(number: signal.Signals, code: int, tmp_path: Path) -> None:
    output = tmp_path / "flows.jsonl"
    program = subprocess.Popen(
        [*PROGRAM, "classify", "-", "-o", str(output)], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert program.stdin is not None
    program.stdin.write(pcapng(exchange()))
    program.stdin.flush()
    deadline = time.monotonic() + 30
    while not list(tmp_path.glob(".tmp-*")):  # opened once the run has begun
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.3)
    program.send_signal(number)
    _, err = program.communicate(timeout=30)
    assert program.returncode == code, err
    assert len(output.read_text().splitlines()) == 1
    assert b"a signal ended the run" in err
    assert [path.name for path in tmp_path.iterdir()] == ["flows.jsonl"]


def test_reader_of_stdout_that_ends_early(tmp_path: Path) -> None:
    frames = [(START_NS + n, udp_frame("10.0.0.1", 1000 + n, "10.0.0.2", 9, b"x")) for n in range(3000)]
    (tmp_path / "many.pcap").write_bytes(pcap(frames))
    program = subprocess.Popen([*PROGRAM, str(tmp_path / "many.pcap")], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert program.stdout is not None
    program.stdout.read(10)
    program.stdout.close()
    assert program.stderr is not None
    err = program.stderr.read()
    program.stderr.close()
    assert program.wait(timeout=30) == 6
    assert b"broken pipe" in err
    assert b"Traceback" not in err


def test_no_colour_and_no_bar_without_a_terminal(capture: Path) -> None:
    ended = subprocess.run([*PROGRAM, str(capture), "--table"], capture_output=True, check=True)
    assert b"\x1b" not in ended.stdout + ended.stderr


def test_protocols(flowclass_command: Command) -> None:
    content = json.loads(flowclass_command("protocols", "--json").out)
    names = {row["protocol"] for row in content["protocols"]}
    assert {"wireguard", "openvpn", "ike", "esp", "dns", "quic"} <= names
    shown = flowclass_command("protocols")
    assert shown.out.startswith("vpn ")
    one = flowclass_command("protocols", "wireguard").out
    assert "wireguard.initiation" in one
    wrong = flowclass_command("protocols", "wiregard")
    assert wrong.code == 2
    assert "the nearest known one is 'wireguard'" in wrong.err


def test_schema(flowclass_command: Command) -> None:
    import pyarrow as pa

    from flowclass.schema import arrow_schema

    columns = json.loads(flowclass_command("schema", "--format", "json").out)["columns"]
    names = [column["name"] for column in columns]
    assert names == arrow_schema(heads=True, features=True).names
    shown = flowclass_command("schema").out
    listed = [row.split("`")[1] for row in shown.splitlines() if row.startswith("| `")]
    assert listed == [*names, "time_verdict", "head_state"], "then what is an early verdict's own"
    raw = subprocess.run([*PROGRAM, "schema", "--format", "arrow"], capture_output=True, check=True).stdout
    assert pa.ipc.read_schema(pa.BufferReader(raw)).equals(arrow_schema())


def test_registry_lookup_of_standard_input(
    tmp_path: Path, flowclass_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = tmp_path / "registry.csv"
    registry.write_text("registration_id,category,status,prefix\nORG-1,organization,approved,192.0.2.0/24\n")

    def looked_up(octets: bytes, *args: str) -> tuple[int, list[tuple[str, str]], list[str]]:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(octets)))
        ended = flowclass_command("registry", "lookup", *args, "--registry", registry, "--json")
        found = json.loads(ended.out)["lookups"]
        assert len({one["at"] for one in found}) <= 1
        return ended.code, [(one["address"], one["match"]) for one in found], ended.err.splitlines()

    good = b"\xef\xbb\xbf192.0.2.7 2001:DB8::1\r\n# note\n\n198.51.100.1 # why"
    wanted = [("192.0.2.7", "registered"), ("2001:db8::1", "unregistered"), ("198.51.100.1", "unregistered")]
    assert looked_up(good, "-") == (0, wanted, [])
    assert looked_up(good, "9.9.9.9", "-")[1] == [("9.9.9.9", "unregistered"), *wanted]
    assert looked_up(b"", "-") == (0, [], [])
    many = b"".join(b"192.0.2.%d\n" % (number % 256) for number in range(10_000))
    assert looked_up(many, "-")[:2] == (0, [(f"192.0.2.{number % 256}", "registered") for number in range(10_000)])
    code, found, told = looked_up(b"1.2.3\n" + b"x" * 9_000 + b"\n\xff\x00\nfe80::1%eth0\n192.0.2.1\n", "-")
    assert (code, found) == (3, [("192.0.2.1", "registered")])
    assert [line.split(": ")[0] for line in told] == [f"standard input:{number}" for number in (1, 2, 3, 4)]
    assert told[0] == "standard input:1: '1.2.3' is not an IPv4 or IPv6 address: passed over"
    assert "and 80 more" in looked_up(b"x\n" * 100, "-")[2][-1]


def test_registry_lookup_and_check(tmp_path: Path, flowclass_command: Command) -> None:
    registry = tmp_path / "registry.csv"
    registry.write_text(
        "registration_id,category,status,prefix,valid_from,valid_until\n"
        "ORG-1,organization,approved,192.0.2.0/24,2024-01-01,2025-01-01\n"
    )
    args = ["registry", "lookup", "192.0.2.7", "198.51.100.1", "--registry", registry]
    ended = flowclass_command(*args, "--at", "2024-06-01")
    assert ended.code == 0
    assert "192.0.2.7  registered by ORG-1 (192.0.2.0/24) at 2024-06-01T00:00:00Z" in ended.out
    assert "198.51.100.1  unregistered" in ended.out
    found = json.loads(flowclass_command(*args, "--at", "2025-01-01", "--json").out)
    assert [one["match"] for one in found["lookups"]] == ["expired", "unregistered"]
    assert flowclass_command("registry", "check", registry).code == 0
    wrong = flowclass_command("registry", "lookup", "192.0.2", "--registry", registry)
    assert wrong.code == 2
    assert "'192.0.2'" in wrong.err
    unknown = flowclass_command(*args, "--protocol", "wiregard")
    assert (unknown.code, "the nearest known one is 'wireguard'" in unknown.err) == (2, True)
    mapped = flowclass_command("registry", "lookup", "::ffff:192.0.2.7", "--registry", registry)
    assert "of those ask with 192.0.2.7" in mapped.out
    registry.write_text("registration_id,category,status,prefix\nORG-1,organization,approved,192.0.2.0/33\n")
    ended = flowclass_command("registry", "check", registry)
    assert ended.code == 5
    assert f"{registry}:2: prefix = '192.0.2.0/33'" in ended.out
    content = json.loads(flowclass_command("registry", "check", registry, "--json").out)
    assert content["valid"] is False
    assert content["problems"][0]["line"] == 2


def test_explain_shows_the_octets_of_the_frame(captures: Path, tmp_path: Path, flowclass_command: Command) -> None:
    capture = captures / "wireguard-udp-51820-keepalive.pcap"
    if not capture.exists():
        capture = next(captures.glob("wireguard-*.pcap"))
    flowclass_command(capture, "-o", tmp_path / "flows.parquet")
    flowclass_command(capture, "-o", tmp_path / "flows.arrow")
    import pyarrow.parquet as pq

    table = pq.read_table(tmp_path / "flows.parquet")
    row = next(row for row in table.to_pylist() if row["protocol"] == "wireguard")
    frames, _ = read_pcap(capture)
    args = ["explain", row["flow_id"][:10], "--no-tshark", "--pcap", capture, "--in"]
    content = json.loads(flowclass_command(*args, tmp_path / "flows.parquet", "--json").out)
    assert content == json.loads(flowclass_command(*args, tmp_path / "flows.arrow", "--json").out)
    checks = content["flows"][0]["evidence"]
    assert len(checks) == len(row["evidence"]) > 3
    for check in checks:
        frame = check["frame"]
        when, octets = frames[frame["number"] - 1]
        assert when == check["time_ns"]
        start = frame["payload_offset"] + check["offset"]
        assert frame["offset"] == start
        assert octets[start : start + check["length"]].hex() == frame["octets"]
        # Ethernet, IPv4 without options, UDP: the payload begins behind 42 octets, as in any dissector.
        assert frame["payload_offset"] == (42 if octets[12:14] == b"\x08\x00" else 62)
        shown = "".join(re.findall(r"\[([^]]*)\]", " ".join(row[5:] for row in frame["dump"]))).replace(" ", "")
        assert shown == frame["octets"]
    text = flowclass_command(*args, tmp_path / "flows.parquet").out
    assert f"tshark -r {capture} -Y 'frame.number == {checks[0]['frame']['number']}' -x" in text
    assert checks[0]["meaning"] in text


def test_explain_that_cannot(capture: Path, tmp_path: Path, flowclass_command: Command) -> None:
    flows = tmp_path / "flows.parquet"
    flowclass_command(capture, "-o", flows)
    ended = flowclass_command("explain", "zzz", "--in", flows)
    assert (ended.code, ended.out) == (4, "")
    assert "holds no flow 'zzz'" in ended.err
    ended = flowclass_command("explain", "zzz", "--in", capture)
    assert ended.code == 4
    assert "neither Parquet nor Arrow" in ended.err
    ended = flowclass_command("explain", "zzz", "--in", tmp_path / "no.parquet")
    assert ended.code == 4
    assert "cannot be read" in ended.err


def test_binary_formats_are_not_for_a_terminal(capture: Path) -> None:
    pty = pytest.importorskip("pty")
    leader, follower = pty.openpty()
    try:
        ended = subprocess.run(
            [*PROGRAM, str(capture), "--format", "parquet"], stdout=follower, stderr=subprocess.PIPE, check=False
        )
    finally:
        os.close(follower)
        os.close(leader)
    assert ended.returncode == 2
    assert b"not for a terminal" in ended.stderr


def test_table_on_a_terminal(capture: Path) -> None:
    pty = pytest.importorskip("pty")
    leader, follower = pty.openpty()
    try:
        environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "200", "TERM": "xterm"}
        subprocess.run([*PROGRAM, str(capture)], stdout=follower, stderr=subprocess.PIPE, check=True, env=environment)
        shown = os.read(leader, 65536).decode()
    finally:
        os.close(follower)
        os.close(leader)
    assert "destination" in shown
    assert "10.0.0.2:7777" in shown

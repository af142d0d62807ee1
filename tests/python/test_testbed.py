"""The testbed's files and the committed captures: labels agree with bytes read by a second, separate parser."""

from __future__ import annotations

import csv
import hashlib
import ipaddress
import json
import os
import shutil
import struct
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from datasets.testbed import labels as testbed_labels  # noqa: E402
from datasets.testbed import packets, programs, runner, scenario  # noqa: E402
from datasets.testbed.errors import MissingError, ScenarioError, TestbedError  # noqa: E402
from datasets.testbed.options import read_options  # noqa: E402

from testbed_proofs import PROOFS, UNANSWERED  # noqa: E402  isort:skip

DATASETS = ROOT / "datasets"
CAPTURES = DATASETS / "captures"
LABELS = [json.loads(line) for line in (DATASETS / "labels.jsonl").read_text().splitlines()]
RECORDS = [json.loads(line) for line in (DATASETS / "captures.jsonl").read_text().splitlines()]
NAMES = sorted(record["capture"] for record in RECORDS)
MAGIC = {"pcap": b"\xd4\xc3\xb2\xa1", "pcap-nano": b"\x4d\x3c\xb2\xa1", "pcapng": b"\x0a\x0d\x0d\x0a"}
VPN = {"openvpn", "wireguard", "ike", "esp"}

Flow = tuple[int, str, int, str, int]  # protocol, source, its port, destination, its port


def frames(capture: bytes) -> Iterator[bytes]:
    """Give every frame of a little-endian pcap or pcapng."""
    at = 24
    if capture[:4] == MAGIC["pcapng"]:
        at = 0
        while at < len(capture):
            kind, length = struct.unpack_from("<II", capture, at)
            if kind == 6:
                size = int.from_bytes(capture[at + 20 : at + 24], "little")
                yield capture[at + 28 : at + 28 + size]
            at += length
        return
    while at < len(capture):
        size = int.from_bytes(capture[at + 8 : at + 12], "little")
        yield capture[at + 16 : at + 16 + size]
        at += 16 + size


def flow_of(frame: bytes) -> tuple[Flow, bytes] | None:
    """Give 5-tuple and transport payload; None for what is no flow of hosts (ARP, neighbour discovery, reports).

    None too for later fragments, which have no ports; the payload of a first fragment is what there is of it.
    """
    kind, ip = frame[12:14].hex(), frame[14:]
    if kind == "0800":
        protocol, width, start, end = ip[9], 4, 4 * (ip[0] & 15), int.from_bytes(ip[2:4], "big")
        where, later = 12, int.from_bytes(ip[6:8], "big") & 0x1FFF
    elif kind == "86dd":
        protocol, width, start, end = ip[6], 16, 40, 40 + int.from_bytes(ip[4:6], "big")
        where, later = 8, 0
        if protocol == 44:
            protocol, start, later = ip[40], 48, int.from_bytes(ip[42:44], "big") >> 3
    else:
        return None
    ends = [str(ipaddress.ip_address(ip[where + i * width : where + (i + 1) * width])) for i in (0, 1)]
    body = ip[start:end]
    if later or protocol == 0 or (protocol == 58 and body[0] not in (128, 129)):
        return None
    if protocol not in (6, 17):
        return (protocol, ends[0], 0, ends[1], 0), body
    ports = [int.from_bytes(body[i : i + 2], "big") for i in (0, 2)]
    return (protocol, ends[0], ports[0], ends[1], ports[1]), body[8 if protocol == 17 else 4 * (body[12] >> 4) :]


def flow_of_label(label: dict[str, Any]) -> Flow:
    return (label["ip_proto"], label["src_ip"], label["src_port"], label["dst_ip"], label["dst_port"])


def both_ways(flow: Flow) -> frozenset[Flow]:
    return frozenset({flow, (flow[0], flow[3], flow[4], flow[1], flow[2])})


def payloads(capture: str, flow: Flow) -> tuple[list[bytes], list[bytes]]:
    """Give the non-empty payloads of a flow, source's and destination's."""
    out: tuple[list[bytes], list[bytes]] = ([], [])
    for frame in frames((CAPTURES / capture).read_bytes()):
        found = flow_of(frame)
        if found and found[1] and found[0] in both_ways(flow):
            out[0 if found[0] == flow else 1].append(found[1])
    return out


# --- scenario files -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", scenario.all_names())
def test_scenario_file_says_what_its_program_understands(name: str) -> None:
    each = scenario.load(name)
    program = programs.load(each.program)
    read_options(program.options, each.options, name)
    for address in (*each.addresses.client, *each.addresses.server):
        assert ipaddress.ip_address(address).is_private or address.startswith("100.64."), address


def test_wrong_scenarios_are_named(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="no scenario 'nowhere'"):
        scenario.load("nowhere")
    head = 'summary = "s"\nprogram = "ssh"\n[addresses]\nclient = ["10.0.0.2"]\nserver = ["192.0.2.2"]\n'
    cases = {
        head.replace("program", "programm"): "unknown key 'programm'; did you mean 'program'",
        head.replace('["192.0.2.2"]', '["2001:db8::1"]'): "same IP versions",
        head.replace('["192.0.2.2"]', "[]"): "server has no address",
        head.replace('["192.0.2.2"]', '"192.0.2.2"'): "is not a list of str",
        'format = "erf"\n' + head: "format 'erf' is not one of",
        head.replace("[addresses]", "[addresses"): "not TOML",
    }
    for text, message in cases.items():
        (tmp_path / "case.toml").write_text(text)
        with pytest.raises(ScenarioError, match=message):
            scenario.load("case", tmp_path)
    openvpn = programs.load("openvpn")
    for options, message in (
        ({"transport": "udp", "port": 1194}, "the key 'control' is missing"),
        ({"transport": "udp", "port": "1194", "control": "plain"}, "'1194' is not a int"),
        ({"transport": "sctp", "port": 1194, "control": "plain"}, "neither udp nor tcp"),
        ({"transport": "udp", "port": True, "control": "plain"}, "True is not a int"),
    ):
        with pytest.raises(ScenarioError, match=message):
            read_options(openvpn.options, options, "case")
    with pytest.raises(ScenarioError, match="no program 'telepathy'"):
        programs.load("telepathy")


def test_what_a_machine_lacks_is_said_in_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(Path, "exists", lambda self: False)
    with pytest.raises(MissingError) as caught:
        runner.check(scenario.load("openvpn-udp-1194-plain"))
    said = str(caught.value).splitlines()
    assert said[0].startswith("Root is needed")
    assert said[1].startswith("The device /dev/net/tun is missing")
    assert "openvpn is not installed: `apt-get install --no-install-recommends openvpn`." in said
    assert all(sentence.endswith(".") for sentence in said)


# --- captures and labels --------------------------------------------------------------------------


def test_captures_records_scenarios_and_files_pair() -> None:
    assert sorted(path.name for path in CAPTURES.iterdir()) == NAMES
    assert sorted(scenario.load(name).capture for name in scenario.all_names()) == NAMES
    assert {label["capture"] for label in LABELS} == set(NAMES)
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("record", RECORDS, ids=NAMES)
def test_labels_agree_with_bytes(record: dict[str, Any]) -> None:
    content = (CAPTURES / record["capture"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == record["sha256"]
    assert content[:4] == MAGIC[record["format"]]
    assert len(content) < 150_000
    first: dict[frozenset[Flow], tuple[int, Flow]] = {}
    number = 0
    for number, frame in enumerate(frames(content), start=1):
        found = flow_of(frame)
        if found:
            first.setdefault(both_ways(found[0]), (number, found[0]))
    assert number == record["packets"]
    labels = [label for label in LABELS if label["capture"] == record["capture"]]
    assert all(label["sha256"] == record["sha256"] for label in labels)
    # Every flow has a label, every label a flow, and it begins in that frame in that direction.
    assert sorted(first.values()) == sorted((label["frame"], flow_of_label(label)) for label in labels)


@pytest.mark.parametrize("label", LABELS, ids=lambda each: f"{each['capture']}-{each['frame']}")
def test_bytes_prove_the_label(label: dict[str, Any]) -> None:
    sent, received = payloads(label["capture"], flow_of_label(label))
    assert sent or (received and label["family"] in UNANSWERED), "the initiator sent nothing"
    assert received or label["family"] in UNANSWERED, "nobody answered"
    assert PROOFS[label["family"]](label, sent, received)


def test_what_the_captures_cover() -> None:
    openvpn = [label for label in LABELS if label["family"] == "openvpn"]
    modes = {"plain", "tls-auth-sha1", "tls-auth-sha256", "tls-auth-sha512", "tls-crypt", "tls-crypt-v2"}
    for protocol in (6, 17):
        assert {label["variant"] for label in openvpn if label["ip_proto"] == protocol} >= modes
    ports = defaultdict(set)
    for label in openvpn:
        ports[label["dst_port"]].add(label["variant"])
    assert all(len(ports[port]) >= 2 for port in (1194, 443, 53))
    seen = {(label["family"], label["variant"], ":" in label["src_ip"]) for label in LABELS}
    for family, variant in (("wireguard", None), ("ike", "ikev1"), ("ike", "ikev2"), ("esp", "nat-t")):
        assert {(family, variant, False), (family, variant, True)} <= seen
    for family in ("tls", "http", "dns", "ssh", "ntp", "quic", "icmp"):
        assert {(family, None, False), (family, None, True)} <= seen
    assert {record["format"] for record in RECORDS} == set(MAGIC)


def test_the_folder_stays_small() -> None:
    assert sum(path.stat().st_size for path in DATASETS.rglob("*") if path.is_file()) < 20_000_000


@pytest.mark.tshark
@pytest.mark.parametrize("program", programs.names())
def test_tshark_sees_the_same_first_frames(program: str) -> None:
    if not shutil.which("tshark"):
        pytest.skip("tshark is not installed")
    chosen = next(scenario.load(name) for name in scenario.all_names() if scenario.load(name).program == program)
    fields = ["frame.number", "ip.src", "ipv6.src", "ip.dst", "ipv6.dst", "udp.srcport", "tcp.srcport"]
    fields += ["udp.dstport", "tcp.dstport"]
    labels = [label for label in LABELS if label["capture"] == chosen.capture]
    wanted = " or ".join(f"frame.number=={label['frame']}" for label in labels)
    argv = ["tshark", "-n", "-r", str(CAPTURES / chosen.capture), "-Y", wanted, "-T", "fields", "-E", "occurrence=f"]
    argv += [word for field in fields for word in ("-e", field)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    # What has no ports of its own may quote or carry a packet that has.
    bare = {label["frame"] for label in labels if label["ip_proto"] not in (6, 17)}
    seen = []
    for line in done.stdout.splitlines():
        number, v4, v6, to4, to6, udp, tcp, to_udp, to_tcp = (line + "\t" * 9).split("\t")[:9]
        ports = (0, 0) if int(number) in bare else (int(udp or tcp or 0), int(to_udp or to_tcp or 0))
        seen.append((int(number), v4 or v6, ports[0], to4 or to6, ports[1]))
    assert seen == [
        (label["frame"], label["src_ip"], label["src_port"], label["dst_ip"], label["dst_port"]) for label in labels
    ]


# --- the testbed's own parts ----------------------------------------------------------------------


def test_a_flow_nobody_stated_fails_the_recording() -> None:
    capture = CAPTURES / "ssh.pcap"
    label = next(each for each in LABELS if each["capture"] == "ssh.pcap")
    served = testbed_labels.Served(address=label["dst_ip"], port=22, ip_proto=6, family="ssh", flows=2)
    assert testbed_labels.label_flows(capture, [served])[0].frame == label["frame"]
    with pytest.raises(TestbedError, match="nobody stated the flow"):
        testbed_labels.label_flows(capture, [])
    more = testbed_labels.Served(address=label["dst_ip"], port=22, ip_proto=6, family="ssh", flows=3)
    with pytest.raises(TestbedError, match="2 flows instead of 3"):
        testbed_labels.label_flows(capture, [more])


def test_lines_of_a_capture_are_replaced(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    testbed_labels.replace_lines(path, "b.pcap", [{"capture": "b.pcap", "frame": 1}, {"capture": "b.pcap", "frame": 2}])
    testbed_labels.replace_lines(path, "a.pcap", [{"capture": "a.pcap", "frame": 9}])
    testbed_labels.replace_lines(path, "b.pcap", [{"capture": "b.pcap", "frame": 3}])
    read = [json.loads(line) for line in path.read_text().splitlines()]
    assert read == [{"capture": "a.pcap", "frame": 9}, {"capture": "b.pcap", "frame": 3}]


def test_captures_say_nothing_of_the_machine() -> None:
    for record in RECORDS:
        if record["format"] == "pcapng":
            content = (CAPTURES / record["capture"]).read_bytes()
            assert packets.without_machine_facts(content) == content
            assert struct.unpack_from("<I", content, 4)[0] == 28


@pytest.mark.skipif(os.environ.get("FLOWCLASS_TESTBED") != "1", reason="FLOWCLASS_TESTBED=1 is not set")
def test_a_recording_from_start_to_end(tmp_path: Path) -> None:
    recording = runner.run(scenario.load("icmp"), tmp_path)
    assert [label.family for label in recording.labels] == ["icmp"]
    assert recording.packets == packets.count_frames(recording.capture)
    left = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, timeout=10, check=True)
    assert f"flowclass-tb-{os.getpid()}-" not in left.stdout


# --- the sample registry and policy ---------------------------------------------------------------


def test_sample_registry_fits_the_captures() -> None:
    with (DATASETS / "registry" / "sample.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns = (
        "registration_id,category,status,prefix,protocols,valid_from,valid_until,submitted_at,approved_at,note_ref"
    )
    assert ",".join(rows[0]) == columns
    covers: dict[str, set[str]] = defaultdict(set)
    servers = {label["dst_ip"] for label in LABELS if label["family"] in VPN}
    for row in rows:
        first, _, last = row["prefix"].partition("-")
        for server in servers:
            address = ipaddress.ip_address(server)
            if last:
                low, high = ipaddress.ip_address(first), ipaddress.ip_address(last)
                inside = low.version == address.version and int(low) <= int(address) <= int(high)
            else:
                inside = address in ipaddress.ip_network(first)
            if inside:
                ended = row["valid_until"] and row["valid_until"] < RECORDS[0]["recorded_at"]
                covers[server].add("expired" if ended else row["status"])
    assert {status for statuses in covers.values() for status in statuses} >= {
        *("approved", "pending", "expired", "suspended", "revoked", "rejected")
    }
    assert {"approved", "expired"} in covers.values()  # the expired address inside a valid network
    assert servers - set(covers), "every server is covered: none is unregistered"


def test_sample_policy_has_a_phase_for_every_capture() -> None:
    policy = tomllib.loads((DATASETS / "registry" / "policy.toml").read_text(encoding="utf-8"))
    recorded = sorted(record["recorded_at"] for record in RECORDS)
    outcomes = set()
    for moment in recorded:
        running = [
            phase
            for phase in policy["phase"]
            if str(phase["from"]) <= moment and ("until" not in phase or moment < phase["until"].isoformat())
        ]
        assert running, moment
        ending = [phase for phase in running if "until" in phase]
        outcomes.add(max(ending or running, key=lambda phase: str(phase["from"]))["outcome"])
    assert outcomes == {"violation_trial", "violation"}

"""Packets and octets of every outer flow equal tshark's, on our captures and on a part of the public ones.

Where they do not, ``known_differences.toml`` says why; what is not in it fails, and so does what is in it and no longer
differs. FLOWCLASS_DIFFERENTIAL=all compares every public capture, which takes some minutes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from pathlib import Path

import pytest
from labelled import Capture, Key, classified, flow_key, packed, read_list
from tshark_flows import Counts, add, tshark_flows

KNOWN = Path(__file__).parent / "known_differences.toml"
MOST_OCTETS = 1_500_000
MOST_CAPTURES = 300


def our_flows(capture: Capture) -> Counts:
    """Add up our rows of the same outer 5-tuple: segments, timeouts, VLANs."""
    counts: Counts = defaultdict(lambda: [0, 0, 0, 0])
    for rows in classified(capture).outer.values():
        for row in rows:
            source, target = ((packed(row[f"{end}_ip"]), row[f"{end}_port"] or 0) for end in ("src", "dst"))
            sums = (row["packets_fwd"], row["bytes_fwd"], row["packets_rev"], row["bytes_rev"])
            add(counts, source, target, row["ip_proto"], sums)
    return dict(counts)


def _text(key: Key) -> str:
    ends = (f"{ip_address(address)} {port}" for address, port in key[:2])
    return " - ".join(ends) + f" protocol {key[2]}"


def differences(tshark: str, capture: Capture) -> dict[str, tuple[list[int] | None, list[int] | None]]:
    """Give the flows that are not equal: ours, tshark's."""
    ours, theirs = our_flows(capture), tshark_flows(tshark, capture.path)
    return {
        _text(key): (ours.get(key), theirs.get(key))
        for key in sorted({*ours, *theirs})
        if ours.get(key) != theirs.get(key)
    }


def compare(tshark: str, captures: list[Capture]) -> dict[str, dict[str, tuple[list[int] | None, list[int] | None]]]:
    """Compare captures, as many at once as there are processors."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda capture: differences(tshark, capture), captures)
        return {capture.name: differing for capture, differing in zip(captures, found, strict=True) if differing}


PYSHARK_CAPTURES = ("openvpn-udp6-443-plain.pcapng", "wireguard-udp-443.pcapng", "dns-udp.pcap", "icmp.pcap")


@pytest.mark.tshark
@pytest.mark.parametrize("name", PYSHARK_CAPTURES)
def test_packet_by_packet_through_pyshark(name: str, tshark: str, captures: Path) -> None:
    """Another way to the same oracle, and times as well."""
    pytest.importorskip("pyshark")
    script = Path(__file__).with_name("pyshark_packets.py")
    command = [sys.executable, str(script), tshark, str(captures / name)]
    printed = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    counts: Counts = defaultdict(lambda: [0, 0, 0, 0])
    times: dict[Key, list[int]] = defaultdict(list)
    for row in map(json.loads, printed.splitlines()):
        source, target = ((packed(row[f"{end}_ip"]), row[f"{end}_port"] or 0) for end in ("src", "dst"))
        add(counts, source, target, row["ip_proto"], (1, row["octets"], 0, 0))
        times[flow_key(row)].append(row["time"])
    (capture,) = [one for one in read_list(captures.parent) if one.name == name]
    assert our_flows(capture) == dict(counts)
    for key, rows in classified(capture).outer.items():
        assert min(row["time_start"].value for row in rows) == min(times[key])
        assert max(row["time_end"].value for row in rows) == max(times[key])


@pytest.mark.tshark
def test_our_captures(tshark: str, captures: Path) -> None:
    listed = read_list(captures.parent)
    assert sum(len(our_flows(capture)) for capture in listed) > 100
    assert compare(tshark, listed) == {}


@pytest.mark.corpus
@pytest.mark.tshark
def test_public_captures(tshark: str, corpus: Path) -> None:
    """Those of moderate size, every n-th by name (the names begin with a hash)."""
    listed = [capture for capture in read_list(corpus) if capture.path.stat().st_size < MOST_OCTETS]
    listed.sort(key=lambda capture: capture.name)
    if os.environ.get("FLOWCLASS_DIFFERENTIAL") != "all":
        listed = listed[:: -(-len(listed) // MOST_CAPTURES)]
    with KNOWN.open("rb") as file:
        known = {one["name"]: one["flows"] for row in tomllib.load(file)["difference"] for one in row["captures"]}
    compared = {capture.name for capture in listed}
    found = compare(tshark, listed)
    counted = {name: len(differing) for name, differing in found.items()}
    expected = {name: flows for name, flows in known.items() if name in compared}
    unlike = {name: found.get(name) for name in counted | expected if counted.get(name) != expected.get(name)}
    assert not unlike, unlike
    assert len(compared) > 200
    assert len(expected) > 5

"""What ``explain`` shows is what tshark shows: the same octets at the same place of the same frame."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from conftest import Command

VPN = ("wireguard", "openvpn", "ike", "esp")


def _payloads(tshark: str, capture: Path) -> dict[int, str]:
    """Give the UDP or TCP payload of every frame, in hex, as tshark sees it."""
    command = [
        tshark,
        "-r",
        str(capture),
        "-T",
        "fields",
        "-e",
        "frame.number",
        "-e",
        "udp.payload",
        "-e",
        "tcp.payload",
    ]
    printed = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    rows = [line.split("\t") for line in printed.splitlines()]
    return {int(number): (udp or tcp).split(",")[0].replace(":", "") for number, udp, tcp in rows}


@pytest.mark.tshark
@pytest.mark.parametrize("group", ["wireguard", "openvpn-udp", "openvpn-tcp", "ike"])
def test_octets_of_the_evidence(
    group: str, tshark: str, captures: Path, tmp_path: Path, flowclass_command: Command
) -> None:
    compared = 0
    for capture in sorted(captures.glob(f"{group}*.pcap*"))[:4]:
        flowclass_command(capture, "-o", tmp_path / "flows.parquet")
        payloads = _payloads(tshark, capture)
        table = pq.read_table(tmp_path / "flows.parquet", columns=["flow_id", "protocol", "ip_proto"])
        for row in table.to_pylist():
            if row["protocol"] not in VPN or row["ip_proto"] not in (6, 17):
                continue
            shown = flowclass_command(
                "explain",
                row["flow_id"],
                "--in",
                tmp_path / "flows.parquet",
                "--pcap",
                capture,
                "--json",
                "--no-tshark",
            )
            assert shown.code == 0, shown.err
            for check in json.loads(shown.out)["flows"][0]["evidence"]:
                if check["packet"] == 0:
                    continue  # of the flow it is linked with
                frame = check["frame"]
                payload = payloads[frame["number"]]
                first = 2 * check["offset"]
                assert frame["octets"] == payload[first : first + 2 * check["length"]], (capture, check["rule"])
                compared += len(frame["octets"]) // 2
    assert compared > 50

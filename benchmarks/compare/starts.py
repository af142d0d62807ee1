"""What a long trace does not show: how soon the command is at work, and what very many small captures cost.

Takes a folder to make captures in. Gives the wall seconds of `flowclass classify` over a capture of one packet (from
the call to the end, so more than to the first packet), and over ten thousand captures of ten packets.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
from pathlib import Path
from typing import Any

from benchmarks.compare.measure import Cost, run
from benchmarks.templates import RECORD_HEADER, Template, read_templates
from benchmarks.traces import TraceOptions, generate
from benchmarks.truth import AnswerError

__all__ = ["FILES", "PACKETS", "first_packets", "measure_starts", "write_captures"]

FILES, PACKETS = 10_000, 10
_FILE_HEADER = 24


def first_packets(octets: bytes, count: int) -> bytes:
    """Give the first `count` packets of a pcap in this machine's byte order, as a pcap.

    Parameters
    ----------
    octets : bytes
        The pcap.
    count : int
        How many packets; all, where it has fewer.
    """
    at = _FILE_HEADER
    for _ in range(count):
        if at + RECORD_HEADER > len(octets):
            break
        at += RECORD_HEADER + int.from_bytes(octets[at + 8 : at + 12], "little")
    return octets[:at]


def write_captures(folder: Path, files: int) -> int:
    """Write captures of `PACKETS` packets, each from another trace of one flow; give the packets in all."""
    folder.mkdir()
    long = [template for template in read_templates() if len(template.records) >= PACKETS][:20]
    parts = [_capture(folder, template, seed) for seed, template in enumerate(long)]
    for number in range(files):
        (folder / f"{number:05}.pcap").write_bytes(parts[number % len(parts)])
    return files * PACKETS


def _capture(folder: Path, template: Template, seed: int) -> bytes:
    path = folder / "one.pcap"
    truth = path.with_name(path.name + ".truth.json")
    size = max(template.bytes, 1)
    generate(path, TraceOptions(size=size, flows=1, vpn=float(template.is_vpn), seconds=1, seed=seed), [template])
    octets = path.read_bytes()
    path.unlink()
    truth.unlink()
    return first_packets(octets, PACKETS)


def measure_starts(folder: Path, rounds: int) -> list[dict[str, Any]]:
    """Run both, and give a row for each: what it is, wall and processor seconds (medians), peak memory, packets."""
    many = folder / "many"
    packets = write_captures(many, FILES)
    one = folder / "one.pcap"
    one.write_bytes(first_packets((many / "00000.pcap").read_bytes(), 1))
    return [
        _row("a capture of one packet, from the call to the end", one, 1, folder, rounds),
        _row(f"{FILES:,} captures of {PACKETS} packets", many, packets, folder, max(1, rounds // 2)),
    ]


def _row(name: str, source: Path, packets: int, folder: Path, rounds: int) -> dict[str, Any]:
    output = folder / "summary.txt"
    command = [sys.executable, "-m", "flowclass", "classify", str(source), "-q", "--json"]
    command += ["-o", os.devnull, "--format", "arrow"]
    costs: list[Cost] = []
    for _ in range(rounds):
        costs.append(run(command, output))
        read = json.loads(output.read_text(encoding="utf-8"))["balance"]["packets_read"]
        if read != packets:
            raise AnswerError(f"{name}: {read} packets read, {packets} are there")
    return {
        "name": name,
        "packets": packets,
        "wall": statistics.median(cost.wall for cost in costs),
        "processor": statistics.median(cost.processor for cost in costs),
        "peak_memory": max(cost.peak_memory for cost in costs),
    }

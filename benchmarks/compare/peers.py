"""Peers that are Python packages, each in a process of its own: python -m benchmarks.compare.peers NAME TRACE.

Each does the least its package needs to see every packet, and prints how many flows or messages came out.
"""

from __future__ import annotations

import mmap
import struct
import sys
from pathlib import Path


def nfstream(trace: str, *, dissections: int, statistics: bool) -> int:
    """Count nfstream's flows; in one process, as the others are measured."""
    from nfstream import NFStreamer

    streamer = NFStreamer(
        source=trace, n_dissections=dissections, statistical_analysis=statistics, n_meters=1, performance_report=0
    )
    return sum(1 for _ in streamer)


def mercury(trace: str) -> int:
    """Count mercury's records; its package takes packets, so the records of the pcap are walked here."""
    import mercury as package

    machine = package.Mercury(do_analysis=False, packet_filter_cfg=b"all")
    record = struct.Struct("<IIII")
    found = 0
    with Path(trace).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as octets:
        at, end = 24, len(octets)
        while at + 16 <= end:
            length = record.unpack_from(octets, at)[2]
            found += machine.get_mercury_json(octets[at + 16 : at + 16 + length]) is not None
            at += 16 + length
    return found


def main() -> None:
    """Run one."""
    name, trace = sys.argv[1:]
    if name == "mercury":
        print(mercury(trace))
    else:
        print(
            nfstream(trace, dissections=20 if name == "nfstream-ndpi" else 0, statistics=name == "nfstream-statistics")
        )


if __name__ == "__main__":
    main()

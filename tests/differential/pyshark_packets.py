"""Prints what pyshark gives for every IP packet of a capture, one JSON line each.

A program of its own, because pyshark leaves its event loop and signal handlers behind in the process that uses it.
Usage: ``python pyshark_packets.py TSHARK CAPTURE``.
"""

from __future__ import annotations

import json
import sys

import pyshark

HOP_BY_HOP, ICMPV6 = 0, 58


def main(tshark: str, capture: str) -> None:
    with pyshark.FileCapture(capture, keep_packets=False, tshark_path=tshark) as packets:
        for packet in packets:
            v4 = "IP" in packet
            if not v4 and "IPV6" not in packet:
                continue
            ip = packet.ip if v4 else packet.ipv6
            proto = int(ip.proto if v4 else ip.nxt)
            layer = packet[packet.transport_layer] if packet.transport_layer else None
            seconds, fraction = packet.sniff_timestamp.split(".")
            row = {
                "src_ip": str(ip.src),
                "dst_ip": str(ip.dst),
                "src_port": int(layer.srcport) if layer is not None else None,
                "dst_port": int(layer.dstport) if layer is not None else None,
                # Multicast listener reports have hop-by-hop options in front (RFC 3810 §5).
                "ip_proto": ICMPV6 if proto == HOP_BY_HOP and "ICMPV6" in packet else proto,
                "octets": int(ip.len) if v4 else 40 + int(ip.plen),
                "time": int(seconds) * 10**9 + int(fraction.ljust(9, "0")[:9]),
            }
            print(json.dumps(row))


if __name__ == "__main__":
    main(*sys.argv[1:])

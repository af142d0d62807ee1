"""The same fingerprint as an nfstream plug-in: python -m benchmarks.udf.plugin TRACE [--without].

What `examples/python/wireguard.py` asks of a flow's first payloads, asked where nfstream hands them out: in Python,
packet by packet. Prints as JSON how many flows it calls WireGuard, how many packets and flows there were, and the
seconds of processor time that the reading took.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from nfstream import NFPlugin, NFStreamer

MOST_PAYLOADS = 12
HANDSHAKES = ((1, 148), (2, 92))
_WAYS = 2
_UDP = 17


class WireGuard(NFPlugin):  # type: ignore[misc]
    """Adds up bits as the fingerprint does; a flow with 16 bits and no stranger is WireGuard."""

    def on_init(self, packet: Any, flow: Any) -> None:
        """Begin a flow."""
        flow.udps.bits, flow.udps.payloads, flow.udps.stranger = 0, 0, False
        flow.udps.announced, flow.udps.counters, flow.udps.echoed = [-2] * _WAYS, [-5000] * _WAYS, [False] * _WAYS
        self.on_update(packet, flow)

    def on_update(self, packet: Any, flow: Any) -> None:
        """Look at a packet."""
        state = flow.udps
        if packet.protocol != _UDP or packet.payload_size == 0 or state.stranger or state.payloads >= MOST_PAYLOADS:
            return
        state.payloads += 1
        payload, side = packet.ip_packet[packet.ip_size - packet.payload_size :], packet.direction
        kind, length = int.from_bytes(payload[:4], "little"), len(payload)
        at = 8 if kind == 2 else 4
        answers = kind > 1 and int.from_bytes(payload[at : at + 4], "little") == state.announced[1 - side]
        if (kind, length) in HANDSHAKES:
            state.bits += 24
            state.announced[side] = int.from_bytes(payload[4:8], "little")
            if kind == 1 and payload[132:148] == bytes(16):
                state.bits += 66
        elif kind == 4 and length >= 32 and (answers or length % 16 == 0 or length >= 1312):
            counter = int.from_bytes(payload[8:16], "little")
            if 0 < counter - state.counters[side] <= 4096:
                state.bits += 14
            state.counters[side] = counter
        elif kind != 3 or length != 64:
            state.stranger = True
        if answers and not state.echoed[side]:
            state.bits += 32
            state.echoed[side] = True

    def on_expire(self, flow: Any) -> None:
        """Say what it is."""
        flow.udps.wireguard = flow.udps.bits >= 16 and not flow.udps.stranger


def main() -> None:
    """Read one trace."""
    trace, without = sys.argv[1], "--without" in sys.argv
    plugins = None if without else WireGuard()
    begin = time.process_time()
    streamer = NFStreamer(
        source=trace, udps=plugins, n_dissections=0, statistical_analysis=False, n_meters=1, performance_report=0
    )
    flows = packets = found = 0
    for flow in streamer:
        flows += 1
        packets += flow.bidirectional_packets
        found += 0 if without else bool(flow.udps.wireguard)
    usage = time.process_time() - begin
    print(json.dumps({"flows": flows, "packets": packets, "found": found, "main_seconds": usage}))


if __name__ == "__main__":
    main()

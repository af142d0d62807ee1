"""What is sent: our own captures, each time between other addresses, and floods of flows of one packet.

Takes captures. Gives frames, and what a batch run says they are: the truth that live runs are held against.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np

import flowclass
from benchmarks.live.wire import Frames

CAPTURES = (
    "wireguard-udp-51820", "ikev1-main-psk", "fastd-null", "gre-ip", "http", "https-tls13", "geneve", "gtp", "dns-udp",
)  # fmt: skip
ETHERNET, IPV4 = 1, b"\x08\x00"
_START_NS = 1_732_000_000_000_000_000
_SRC, _DST = 26, 30  # where the addresses of an IPv4 packet lie in an Ethernet frame
LONG = 3600 * 1_000_000_000

Verdicts = Counter[tuple[str, str]]
"""Flows by protocol and tier."""


def frames_of(folder: Path, names: Iterable[str] = CAPTURES) -> list[bytes]:
    """Give the IPv4 frames of captures in classic pcap of this machine's byte order."""
    frames = []
    for name in names:
        data = (folder / f"{name}.pcap").read_bytes()
        at = 24
        while at < len(data):
            length = struct.unpack_from("=I", data, at + 8)[0]
            frames.append(data[at + 16 : at + 16 + length])
            at += 16 + length
    return [frame for frame in frames if frame[12:14] == IPV4]


class Rounds:
    """The same frames round after round, each round between addresses of its own.

    Parameters
    ----------
    frames : list of bytes
        IPv4 in Ethernet.
    """

    MOST = 1 << 16

    def __init__(self, frames: list[bytes]) -> None:
        self.frames = Frames(frames)
        self._places = np.concatenate([self.frames.starts + start + 1 for start in (_SRC, _DST)])
        high, low = (self.frames.octets[self._places + place].astype(np.uint16) for place in (0, 1))
        self._middles = high << 8 | low

    def turn(self, number: int) -> Frames:
        """Give the frames of a round, from 0 on."""
        if number >= self.MOST:
            raise ValueError(f"round {number}: there are addresses for {self.MOST} rounds")
        # A sum, and not other octets there: two ends that differ there alone would be each other's in some round.
        middles = self._middles + np.uint16(number)
        self.frames.octets[self._places] = middles >> 8
        self.frames.octets[self._places + 1] = middles & 255
        return self.frames

    def verdicts(self) -> Verdicts:
        """Give what the batch run says of one round."""
        sent, ends = self.turn(0), [*self.frames.starts[1:].tolist(), len(self.frames.octets)]
        whole = sent.octets.tobytes()
        packets = [
            (_START_NS + place * 1000, whole[start:end])
            for place, (start, end) in enumerate(zip(sent.starts.tolist(), ends, strict=True))
        ]
        options = flowclass.EngineOptions(idle_timeout_ns=LONG, active_timeout_ns=LONG)
        result = flowclass.classify(flowclass.Packets(packets, link_type=ETHERNET), options=options)
        found: Verdicts = Counter()
        for batch in result:
            found.update(zip(batch.column("protocol").to_pylist(), batch.column("tier").to_pylist(), strict=True))
        return found


class Flood:
    """New flows of one packet each, a few hundred at a time.

    Parameters
    ----------
    at_once : int
        How many a turn gives.
    """

    def __init__(self, at_once: int = 256) -> None:
        payload = bytes(40)
        udp = struct.pack(">HHHH", 40_000, 9, 8 + len(payload), 0) + payload
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0) + bytes((10, 0, 0, 0, 172, 16, 0, 1))
        frame = b"\x02\0\0\0\0\1\x02\0\0\0\0\2" + IPV4 + ip + udp
        self.frames = Frames([frame] * at_once)
        self._next = 0

    def turn(self) -> Frames:
        """Give the next flows: 2^32 of them are told apart by source address and port."""
        numbers = np.arange(self._next, self._next + len(self.frames), dtype=np.uint64)
        self._next += len(self.frames)
        for place, shift in ((27, 16), (28, 8), (29, 0), (34, 24)):
            self.frames.octets[self.frames.starts + place] = (numbers >> np.uint64(shift)).astype(np.uint8)
        return self.frames


def verdicts_of(groups: Iterable[dict[str, object]]) -> Verdicts:
    """Give what a summary says of the flows."""
    found: Verdicts = Counter()
    for group in groups:
        found[str(group["protocol"]), str(group["tier"])] += int(str(group["flows"]))
    return found

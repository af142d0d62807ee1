"""Forwards packets through an impaired path; run inside the router's namespace, where the kernel does not forward.

Usage: ``python -m datasets.testbed.forwarder SETTINGS RESULT`` (both JSON files; the second is `Forwarder.result`).

    client - near | NAT, impairments -> tap ===== mid <- impairments | far - server

A packet is impaired between the port it comes in by and the wire in the middle (tap to mid), where the recorder
listens; hence the recorder sees both ways as they are after the impairment. The router's kernel has the gateways'
addresses and answers ARP and neighbour solicitations by itself.
"""

from __future__ import annotations

import heapq
import ipaddress
import itertools
import json
import random
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .impairments import Impairments
from .lanes import Lane
from .rewriting import Nat, fit, one_hop_less, view

__all__ = ["READY", "Forwarder", "main"]

READY = "forwarding"
_ALL = 0x0003
_ETHERTYPES = {4: b"\x08\x00", 6: b"\x86\xdd"}
_LONGEST = 65_600


class Forwarder:
    """What the path does with packets; `send` and the clock are given, so that it can be tried without sockets.

    Parameters
    ----------
    path : Impairments
        What is done to packets.
    seed : int
        For everything that is left to chance.
    gateways : dict
        The router's addresses (str) by port, ``near`` and ``far``; errors come from them.
    send : callable
        Takes the port's name and an IP packet.
    """

    def __init__(
        self,
        path: Impairments,
        seed: int,
        gateways: dict[str, list[str]],
        send: Callable[[str, bytes], None],
    ) -> None:
        self._path = path
        self._send = send
        self._gateways = {
            port: {int(ipaddress.ip_address(a).version): ipaddress.ip_address(a).packed for a in addresses}
            for port, addresses in gateways.items()
        }
        self.lanes = {port: Lane(path, random.Random(f"{seed} path {port}")) for port in ("near", "far")}
        self._nat = Nat(path.nat, random.Random(f"{seed} nat")) if path.nat else None
        self._queue: list[tuple[float, int, str, bytes]] = []
        self._order = itertools.count()

    def take(self, port: str, ip: bytes, now: float) -> None:
        """Take a packet that came in by a port: ``near`` or ``far`` (ends), ``tap`` or ``mid`` (the middle)."""
        seen = view(ip)
        if seen is None:
            return
        if port in ("tap", "mid"):
            self._leave(port, ip)
            return
        destination = ipaddress.ip_address(ip[seen.destination])
        own = self._gateways[port].get(seen.version)
        if destination.is_multicast or destination.is_link_local or destination.packed == own:
            return  # the kernel's business
        shorter = one_hop_less(ip)
        if shorter is None or own is None:
            return
        lane = self.lanes[port]
        pieces, error = fit(shorter, self._path.mtu or _LONGEST, own)
        lane.counts.fragmented += len(pieces) > 1
        if error is not None:
            lane.counts.too_big += 1
            self._send(port, error)
        for piece in pieces:
            for leaves, packet in lane.admit(piece, now):
                self._put(leaves, port, packet)

    def tick(self, now: float) -> float | None:
        """Send what is due; gives the time of the next thing to do, or None."""
        for port, lane in self.lanes.items():
            for leaves, packet in lane.release(now):
                self._put(leaves, port, packet)
        while self._queue and self._queue[0][0] <= now:
            _, _, port, packet = heapq.heappop(self._queue)
            if port == "near" and self._nat:
                translated = self._nat.outward(packet)
                if translated is None:
                    continue
                packet = translated
            self._send("tap" if port == "near" else "mid", packet)
        times = [lane.deadline for lane in self.lanes.values() if lane.deadline is not None]
        times += [self._queue[0][0]] if self._queue else []
        return min(times, default=None)

    @property
    def result(self) -> dict[str, Any]:
        """What happened: counts by direction and the table of translations."""
        names = {"near": "client_to_server", "far": "server_to_client"}
        counts = {names[port]: lane.counts.table() for port, lane in self.lanes.items()}
        return {"counts": counts, "nat": self._nat.table if self._nat else []}

    def _leave(self, port: str, ip: bytes) -> None:
        """Pass a packet from the middle to the end it is for."""
        if port == "mid":
            self._send("far", ip)
            return
        back = self._nat.inward(ip) if self._nat else ip
        if back is not None:
            self._send("near", back)

    def _put(self, leaves: float, port: str, packet: bytes) -> None:
        heapq.heappush(self._queue, (leaves, next(self._order), port, packet))


def main(settings: Path, result: Path) -> int:
    """Forward until SIGTERM, then write what happened."""
    told = json.loads(settings.read_text(encoding="utf-8"))
    sockets: dict[str, socket.socket] = {}
    headers: dict[str, bytes] = {}
    selector = selectors.DefaultSelector()
    for port, link in told["links"].items():
        sockets[port] = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL))
        sockets[port].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        sockets[port].bind((link["name"], _ALL))
        headers[port] = bytes.fromhex(link["peer"] + link["own"])
        selector.register(sockets[port], selectors.EVENT_READ, port)

    def send(port: str, ip: bytes) -> None:
        sockets[port].send(headers[port] + _ETHERTYPES[ip[0] >> 4] + ip)

    forwarder = Forwarder(Impairments(**told["path"]), told["seed"], told["gateways"], send)

    def leave(number: int, frame: object) -> None:
        result.write_text(json.dumps(forwarder.result), encoding="utf-8")
        sys.exit(0)

    signal.signal(signal.SIGTERM, leave)
    print(READY, flush=True)
    while True:
        due = forwarder.tick(time.monotonic())
        wait = None if due is None else max(0.0, due - time.monotonic())
        for key, _ in selector.select(wait):
            frame, (_, _, kind, *_) = sockets[key.data].recvfrom(_LONGEST)
            if kind == socket.PACKET_HOST and frame[12:14] in _ETHERTYPES.values():
                forwarder.take(key.data, _without_padding(frame[14:]), time.monotonic())


def _without_padding(ip: bytes) -> bytes:
    """Cut what a link put behind a short packet."""
    if len(ip) >= 20 and ip[0] >> 4 == 4:
        return ip[: int.from_bytes(ip[2:4], "big")]
    return ip[: 40 + int.from_bytes(ip[4:6], "big")]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))

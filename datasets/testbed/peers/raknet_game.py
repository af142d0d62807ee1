"""A game on RakNet: the player asks who is there, connects, and every message comes back.

Usage: ``raknet_game.py serve ADDRESS PORT`` or ``raknet_game.py play ADDRESS PORT MESSAGES``.
"""

# The binding's types are not known everywhere; its classes are of type Any.
# mypy: disable-error-code="misc,no-any-unimported,import-untyped,import-not-found"
from __future__ import annotations

import os
import sys
import time

from raknet import MessageIdentifiers, Packet, PacketPriority, PacketReliability, RakPeer

_WAIT_SECONDS = 15.0
_OWN = MessageIdentifiers.ID_USER_PACKET_ENUM


def _next(peer: RakPeer) -> Packet | None:
    packet = peer.receive()
    if packet is None:
        time.sleep(0.01)
    return packet


def _serve(address: str, port: str) -> None:
    peer = RakPeer()
    peer.max_incoming_connections = 4
    peer.offline_ping_response = b"a game of words"
    peer.startup(address, int(port), 4)
    print("serving", flush=True)
    while True:
        packet = _next(peer)
        if packet is not None and packet.data[0] == _OWN:
            _send(peer, packet.data, packet)


def _send(peer: RakPeer, data: bytes, to: Packet) -> None:
    how = PacketReliability.RELIABLE_ORDERED if len(data) % 2 else PacketReliability.UNRELIABLE_SEQUENCED
    peer.send(data, PacketPriority.HIGH_PRIORITY, how, 0, to.system_address)


def _play(address: str, port: str, messages: str) -> None:
    peer = RakPeer()
    peer.startup()
    peer.ping(address, int(port))
    time.sleep(0.3)
    peer.connect(address, int(port))
    wanted, received = int(messages), 0
    end = time.monotonic() + _WAIT_SECONDS
    while received < wanted and time.monotonic() < end:
        packet = _next(peer)
        if packet is None:
            continue
        if packet.data[0] == MessageIdentifiers.ID_CONNECTION_REQUEST_ACCEPTED:
            for number in range(wanted):
                _send(peer, bytes([_OWN]) + os.urandom(20 + number), packet)
                time.sleep(0.03)
        received += packet.data[0] == _OWN
    peer.shutdown(0.5)
    if received < wanted:
        sys.exit(f"{received} of {wanted} messages came back")


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        _serve(*sys.argv[2:])
    else:
        _play(*sys.argv[2:])

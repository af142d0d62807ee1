"""A game on ENet: every message that the player sends comes back.

Usage: ``enet_game.py serve ADDRESS PORT`` or ``enet_game.py play ADDRESS PORT MESSAGES``.
"""

# pyenet's types are not known anywhere; its classes are of type Any.
# mypy: disable-error-code="misc,no-any-unimported,import-untyped,import-not-found"
from __future__ import annotations

import os
import sys
import time

import enet

_WAIT_SECONDS = 10.0


def _serve(address: str, port: str) -> None:
    host = enet.Host(enet.Address(address.encode(), int(port)), 8, 2, 0, 0)
    print("serving", flush=True)
    while True:
        event = host.service(100)
        if event.type == enet.EVENT_TYPE_RECEIVE:
            event.peer.send(event.channelID, enet.Packet(event.packet.data, event.packet.flags))


def _play(address: str, port: str, messages: str) -> None:
    host = enet.Host(None, 1, 2, 0, 0)
    peer = host.connect(enet.Address(address.encode(), int(port)), 2)
    wanted, sent, received = int(messages), 0, 0
    end = time.monotonic() + _WAIT_SECONDS
    connected = False
    while received < wanted and time.monotonic() < end:
        event = host.service(20)
        connected = connected or event.type == enet.EVENT_TYPE_CONNECT
        received += event.type == enet.EVENT_TYPE_RECEIVE
        if connected and sent < wanted:
            flags = enet.PACKET_FLAG_RELIABLE if sent % 2 else enet.PACKET_FLAG_UNSEQUENCED
            peer.send(sent % 2, enet.Packet(os.urandom(24 + sent), flags))
            sent += 1
    peer.disconnect()
    while time.monotonic() < end and host.service(100).type != enet.EVENT_TYPE_DISCONNECT:
        pass
    if received < wanted:
        sys.exit(f"{received} of {wanted} messages came back")


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        _serve(*sys.argv[2:])
    else:
        _play(*sys.argv[2:])

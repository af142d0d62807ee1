"""Sends octets that mean nothing: a peer that says random payloads over UDP or TCP, and one that takes or answers them.

Usage: ``noise.py serve TRANSPORT ADDRESS PORTS ANSWER`` or
``noise.py send TRANSPORT ADDRESS PORTS LENGTHS COUNT FLOWS PAUSE ANSWER``.
PORTS and LENGTHS are lists with commas; a length ``A-B`` is drawn anew each time. ANSWER is ``answer`` (each message
is answered by another one of the same length) or ``silent``.
"""

from __future__ import annotations

import os
import random
import selectors
import socket
import sys
import time

_TIMEOUT_SECONDS = 5.0
_MOST = 65535


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _serve(transport: str, address: str, ports: str, answer: str) -> None:
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    selector = selectors.DefaultSelector()
    for port in ports.split(","):
        listener = socket.socket(_family(address), kind)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, int(port)))
        if transport == "tcp":
            listener.listen()
        selector.register(listener, selectors.EVENT_READ, transport == "tcp")
    print("serving", flush=True)
    while True:
        for key, _ in selector.select():
            one = key.fileobj
            if not isinstance(one, socket.socket):
                continue
            if key.data:
                selector.register(one.accept()[0], selectors.EVENT_READ, False)
                continue
            said, sender = one.recvfrom(_MOST)
            if not said and transport == "tcp":
                selector.unregister(one)
                one.close()
            elif answer == "answer" and transport == "udp":
                one.sendto(os.urandom(len(said)), sender)
            elif answer == "answer":
                one.sendall(os.urandom(len(said)))


def _lengths(text: str) -> int:
    low, _, high = random.choice(text.split(",")).partition("-")
    return random.randint(int(low), int(high or low))


def _send(transport: str, address: str, ports: str, *rest: str) -> None:
    lengths, count, flows, pause, answer = rest
    for port in ports.split(","):
        for _ in range(int(flows)):
            with socket.socket(
                _family(address), socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
            ) as one:
                one.settimeout(_TIMEOUT_SECONDS)
                one.connect((address, int(port)))
                for _ in range(int(count)):
                    length = _lengths(lengths)
                    one.sendall(os.urandom(length))
                    while answer == "answer" and length > 0:
                        length -= len(one.recv(_MOST))
                    time.sleep(float(pause))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        _serve(*sys.argv[2:])
    else:
        _send(*sys.argv[2:])

"""A client of memcached's text protocol over UDP.

Usage: ``memcached_client.py ADDRESS PORT``. It stores a short value and a long one, fetches both, and asks for counts.
Every datagram begins with a request's number, its own number, how many there are and two reserved octets
(memcached's doc/protocol.txt, "UDP protocol").
"""

from __future__ import annotations

import socket
import sys

_HEADER = 8
_VALUES = {"river": b"clear", "orchard": b"apple " * 120}
_TIMEOUT_SECONDS = 5.0


def _ask(one: socket.socket, number: int, text: bytes) -> bytes:
    one.send(number.to_bytes(2, "big") + bytes((0, 0, 0, 1, 0, 0)) + text)
    parts: dict[int, bytes] = {}
    wanted = 1
    while len(parts) < wanted:
        said = one.recv(65535)
        if int.from_bytes(said[:2], "big") != number:
            sys.exit("an answer to another request came")
        wanted = int.from_bytes(said[4:6], "big")
        parts[int.from_bytes(said[2:4], "big")] = said[_HEADER:]
    return b"".join(parts[index] for index in sorted(parts))


def _talk(address: str, port: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as one:
        one.settimeout(_TIMEOUT_SECONDS)
        one.connect((address, int(port)))
        number = 1
        for key, value in _VALUES.items():
            stored = _ask(one, number, b"set %s 0 60 %d\r\n%s\r\n" % (key.encode(), len(value), value))
            fetched = _ask(one, number + 1, b"get %s\r\n" % key.encode())
            if stored != b"STORED\r\n" or value not in fetched:
                sys.exit(f"{key} was not stored and fetched: {stored!r}, {fetched!r}")
            number += 2
        _ask(one, number, b"stats\r\n")


if __name__ == "__main__":
    _talk(*sys.argv[1:])

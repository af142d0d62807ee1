"""A WireGuard server by boringtun: ends the tunnel in user space and answers every HTTP request in it with a page.

Arguments: address, port, its private key, the client's public key, size of the page.
"""

# Some of the binding's functions have no types.
# mypy: disable-error-code="misc,no-any-unimported,import-untyped,import-not-found,no-untyped-call"
from __future__ import annotations

import asyncio
import sys

import mitmproxy_wireguard

__all__: list[str] = []


async def serve(address: str, port: int, keys: tuple[str, str], size: int) -> None:
    """Serve until somebody ends the process."""
    words = b"river market winter carpet lantern orchard "
    page = (words * (size // len(words) + 1))[:size]

    async def answer(stream: mitmproxy_wireguard.TcpStream) -> None:
        await stream.read(4096)
        stream.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(page) + page)
        await stream.drain()
        stream.write_eof()
        while await stream.read(4096):  # closing earlier would reset the connection
            pass
        stream.close()

    # Names are asked in datagrams; here nobody has one.
    server = await mitmproxy_wireguard.start_server(address, port, keys[0], [keys[1]], answer, lambda *_: None)
    print("boringtun listens", flush=True)
    await server.wait_closed()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]), (sys.argv[3], sys.argv[4]), int(sys.argv[5])))

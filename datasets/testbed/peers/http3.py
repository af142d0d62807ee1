"""A small HTTP/3 server and client on aioquic.

Usage: ``http3.py serve ADDRESS PORT CERTIFICATE KEY SIZE``
or ``http3.py get ADDRESS PORT AUTHORITY NAME VERSION SIZE``.
The server answers every request with SIZE bytes; the client fails unless it gets just as many.
"""

# aioquic's types are not known where it is not installed; then its classes are of type Any.
# mypy: disable-error-code="misc,no-any-unimported"
from __future__ import annotations

import asyncio
import sys
from typing import Any

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.asyncio.server import serve
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ProtocolNegotiated
from aioquic.quic.packet import QuicProtocolVersion

_VERSIONS = {"1": QuicProtocolVersion.VERSION_1, "2": QuicProtocolVersion.VERSION_2}


class _Peer(QuicConnectionProtocol):
    """Both roles: as a server it answers with `size` bytes, as a client it counts what comes."""

    size = 0

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._http: H3Connection | None = None
        self._received = 0
        self._done: asyncio.Future[int] | None = None

    def quic_event_received(self, event: Any) -> None:
        """Feed HTTP/3 with what QUIC received."""
        if isinstance(event, ProtocolNegotiated):
            self._http = H3Connection(self._quic)
        if self._http is None:
            return
        for item in self._http.handle_event(event):
            if isinstance(item, HeadersReceived) and not self._quic.configuration.is_client:
                self._answer(item.stream_id)
            elif isinstance(item, DataReceived) and self._done is not None:
                self._received += len(item.data)
                if item.stream_ended and not self._done.done():
                    self._done.set_result(self._received)

    async def get(self, name: str) -> int:
        """Ask for a page and give its length."""
        if self._http is None:
            self._http = H3Connection(self._quic)
        self._done = asyncio.get_running_loop().create_future()
        headers = [(":method", "GET"), (":scheme", "https"), (":authority", name), (":path", "/page.html")]
        encoded = [(key.encode(), value.encode()) for key, value in headers]
        self._http.send_headers(self._quic.get_next_available_stream_id(), encoded, end_stream=True)
        self.transmit()
        return await asyncio.wait_for(self._done, 15)

    def _answer(self, stream: int) -> None:
        if self._http is not None:
            self._http.send_headers(stream, [(b":status", b"200"), (b"content-type", b"text/plain")])
            self._http.send_data(
                stream, (b"All work and no play. " * (self.size // 22 + 1))[: self.size], end_stream=True
            )
            self.transmit()


def _sized(size: int) -> type[_Peer]:
    return type("SizedPeer", (_Peer,), {"size": size})


async def _serve(address: str, port: str, certificate: str, key: str, size: str) -> None:
    configuration = QuicConfiguration(alpn_protocols=H3_ALPN, is_client=False)
    configuration.supported_versions = list(_VERSIONS.values())
    configuration.load_cert_chain(certificate, key)
    await serve(address, int(port), configuration=configuration, create_protocol=_sized(int(size)))
    print("serving", flush=True)
    await asyncio.Future()


async def _get(address: str, port: str, *others: str) -> None:
    authority, name, version, size = others
    chosen = _VERSIONS[version]
    configuration = QuicConfiguration(alpn_protocols=H3_ALPN, is_client=True, server_name=name)
    configuration.supported_versions = [chosen]
    configuration.original_version = chosen
    configuration.load_verify_locations(authority)
    async with connect(address, int(port), configuration=configuration, create_protocol=_Peer) as peer:
        if not isinstance(peer, _Peer):
            raise TypeError(f"not a peer of this program: {peer!r}")
        got = await peer.get(name)
    if got != int(size):
        sys.exit(f"got {got} bytes instead of {size}")


if __name__ == "__main__":
    asyncio.run(_serve(*sys.argv[2:]) if sys.argv[1] == "serve" else _get(*sys.argv[2:]))

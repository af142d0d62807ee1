"""Takes an address of a stream socket that somebody listens on. Gives a sink that sends any format of octets there.

It connects at once. A reader that is slow holds it back; one that ended is an error at the next write. What a format
knows at its end is sent at ``finish``; what the kernel has taken by then is sent on after this program.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping
from typing import IO, cast

import pyarrow as pa

from flowclass.errors import OutputError
from flowclass.sinks import Sink as AnySink
from flowclass.sinks import open_sink
from flowclass.sinks.address import Address

CONNECT_S = 10.0


class Sink:
    """Sends one stream.

    Parameters
    ----------
    address : Address
        With the scheme ``tcp`` or ``unix``.
    form : str
        A format that is written from its beginning to its end.
    schema : pyarrow.Schema
        Of every batch that will come.
    metadata : mapping of str to str
        What the stream says about the run, where the format has a place for it.

    Raises
    ------
    OutputError
        When nobody listens.
    """

    def __init__(self, address: Address, form: str, schema: pa.Schema, metadata: Mapping[str, str]) -> None:
        self._stream = Stream(address)
        try:
            self._inner: AnySink = open_sink(form, cast("IO[bytes]", self._stream), schema, metadata)
        except BaseException:
            self._stream.close()
            raise

    def write(self, batch: pa.RecordBatch) -> None:
        """Send one batch."""
        try:
            self._inner.write(batch)
        except BaseException:
            self._stream.close()
            raise

    def finish(self, metadata: Mapping[str, str] | None = None) -> None:
        """Send what stands at the end, and end the stream."""
        try:
            self._inner.finish(metadata)
        except BaseException:
            self._stream.close()
            raise
        self._stream.end()

    def abort(self) -> None:
        """End the stream where it is. Also ends a write that waits in another thread."""
        self._stream.close()
        self._inner.abort()


class Stream:
    """What octets of a connection are written to."""

    def __init__(self, address: Address) -> None:
        self.name = str(address)
        try:
            self._socket = _connected(address)
        except OSError as problem:
            why = (problem.strerror or str(problem)).lower()
            raise OutputError(f"{address}: cannot be connected to: {why}; start its reader first") from problem

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Send all of it, waiting where the reader is slow."""
        self._socket.sendall(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is held back here."""

    def end(self) -> None:
        """Say that nothing more comes; what the kernel holds is sent."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        self._socket.close()

    def close(self) -> None:
        """Cut the connection, from any thread."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def _connected(address: Address) -> socket.socket:
    if address.scheme == "unix":
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            made.settimeout(CONNECT_S)
            made.connect(address.name)
        except BaseException:
            made.close()
            raise
    else:
        made = socket.create_connection(address.hosts[0], timeout=CONNECT_S)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    made.settimeout(None)
    return made

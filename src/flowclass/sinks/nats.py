"""NATS JetStream: publishes records and waits for each acknowledgement. Needs the extra ``flowclass[nats]``.

The client runs in a thread of its own, so it answers the server while no records come. The stream must be there: what
is kept, and for how long, is for who runs the server to say. ``Nats-Msg-Id`` lets the server leave out what it has.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Coroutine, Mapping
from importlib import import_module
from itertools import islice
from typing import Any

import pyarrow as pa

from flowclass.errors import ConfigError, OutputError
from flowclass.sinks.address import Address
from flowclass.sinks.messages import Message, headers, messages

CREDENTIALS = "FLOWCLASS_NATS_CREDENTIALS"
ACK_S = 10.0
AT_ONCE = 256
ENVELOPE = 4096  # octets that headers may have


class Sink:
    """Publishes to a subject.

    Parameters
    ----------
    address : Address
        With the scheme ``nats``; its name is the subject. The environment variable ``FLOWCLASS_NATS_CREDENTIALS`` may
        name a file of credentials.
    form : str
        What a message is.
    schema : pyarrow.Schema
        Of every batch that will come.
    metadata : mapping of str to str
        What every message says about the run, in its headers.

    Attributes
    ----------
    complete_rows : int
        Rows whose messages were acknowledged.

    Raises
    ------
    ConfigError
        When the client is not installed.
    OutputError
        When no server answers.
    """

    def __init__(self, address: Address, form: str, schema: pa.Schema, metadata: Mapping[str, str]) -> None:
        del schema
        self._name, self._subject, self._form = str(address), address.name, form
        self._headers = headers(form, metadata)
        self.complete_rows = 0
        self._client: Any = None
        try:
            self._library: Any = import_module("nats")
        except ImportError:
            raise ConfigError(
                f"{address}: the client of NATS is not installed: pip install 'flowclass[nats]'"
            ) from None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="flowclass-nats", daemon=True)
        self._thread.start()
        try:
            self._client = self._call(self._connected(address), "cannot be connected to", "start the server first")
        except BaseException:
            self.abort()
            raise

    def write(self, batch: pa.RecordBatch) -> None:
        """Publish one batch, and wait until all of it is acknowledged."""
        made = messages(batch, self._form, self._client.max_payload - ENVELOPE)
        stream = self._client.jetstream(timeout=ACK_S)
        advice = f"is the server up, and does a stream of it take the subject {self._subject}?"
        while some := list(islice(made, AT_ONCE)):
            self._call(self._published(stream, some), "does not acknowledge", advice)

    def finish(self, metadata: Mapping[str, str] | None = None) -> None:
        """End the connection; all is acknowledged. There is no place for metadata."""
        del metadata
        try:
            self._call(self._client.close(), "does not end", "check the server")
        finally:
            self._stop()

    def abort(self) -> None:
        """End the connection."""
        if self._client is not None and self._thread.is_alive():
            with contextlib.suppress(Exception):
                asyncio.run_coroutine_threadsafe(self._client.close(), self._loop).result(1.0)
        self._stop()

    async def _connected(self, address: Address) -> Any:
        host, port = address.hosts[0]
        where = f"[{host}]" if ":" in host else host
        return await self._library.connect(
            servers=[f"nats://{where}:{port}"],
            name="flowclass",
            connect_timeout=5,
            max_reconnect_attempts=2,
            reconnect_time_wait=1,
            user_credentials=os.environ.get(CREDENTIALS),
            error_cb=_silent,
        )

    async def _published(self, stream: Any, some: list[Message]) -> None:
        sent = [
            stream.publish(
                self._subject, one.value, headers=self._headers | ({"Nats-Msg-Id": one.id} if one.id else {})
            )
            for one in some
        ]
        problem: BaseException | None = None
        for one, answer in zip(some, await asyncio.gather(*sent, return_exceptions=True), strict=True):
            if isinstance(answer, BaseException):
                problem = problem or answer
            else:
                self.complete_rows += one.rows
        if problem is not None:
            raise problem

    def _call(self, what: Coroutine[Any, Any, Any], failing: str, advice: str) -> Any:
        future = asyncio.run_coroutine_threadsafe(what, self._loop)
        try:
            return future.result(ACK_S * 3)
        except Exception as problem:
            future.cancel()
            why = str(problem).strip() or type(problem).__name__
            raise OutputError(f"{self._name}: {failing}: {why}; {advice}") from problem

    def _stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(2.0)
        if not self._thread.is_alive() and not self._loop.is_closed():
            _cancel_all(self._loop)
            self._loop.close()


async def _silent(problem: Exception) -> None:
    """Leave what the client only notes to the call that fails by it."""
    del problem


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    """End what the client left running, so that nothing is destroyed while it is pending."""
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))

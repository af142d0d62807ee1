"""NATS JetStream: a message is acknowledged when its flow has gone out. Needs ``flowclass[nats]``."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Coroutine, Iterable
from importlib import import_module
from typing import Any

from flowclass.errors import ConfigError, SourceError
from flowclass.points.arrivals import Arrival, Token, records_of
from flowclass.sinks.address import Address
from flowclass.sinks.nats import CREDENTIALS

ACK_WAIT_S = 1800.0
ANSWER_S = 30.0


class Consumer:
    """Pulls from a subject.

    Parameters
    ----------
    address : Address
        Its name is the subject; ``*`` and ``>`` stand for several.
    group : str
        The durable consumer's name.
    most_pending : int
        Messages that may be unacknowledged.
    """

    def __init__(self, address: Address, *, group: str, most_pending: int) -> None:
        self._name = str(address)
        try:
            self._library: Any = import_module("nats")
        except ImportError:
            raise ConfigError(
                f"{address}: the client of NATS is not installed: pip install 'flowclass[nats]'"
            ) from None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="flowclass-nats", daemon=True)
        self._thread.start()
        self._open: dict[Token, tuple[Any, int]] = {}
        self.unreadable = 0
        try:
            self._client, self._pull = self._call(self._connected(address, group, most_pending), "cannot be consumed")
        except BaseException:
            self._stop()
            raise

    def take(self, most: int, wait_s: float) -> list[Arrival]:
        """Give what came."""
        out: list[Arrival] = []
        for message in self._call(self._fetched(most, wait_s), "gives nothing"):
            token = (id(self), message.metadata.sequence.stream)
            try:
                found = list(records_of(message.data, (message.headers or {}).get("content-type", "")))
            except ValueError:
                self.unreadable += 1
                self._call(message.ack(), "takes no acknowledgement")
                continue
            self._open[token] = message, len(found)
            out += [Arrival(point=message.subject, record=record, token=token) for record in found]
        return out

    def done(self, tokens: Iterable[Token]) -> None:
        """Acknowledge the messages all of whose records are done with."""
        whole = []
        for token in tokens:
            message, left = self._open[token]
            if left == 1:
                del self._open[token]
                whole.append(message)
            else:
                self._open[token] = message, left - 1
        if whole:
            self._call(_acknowledged(whole), "takes no acknowledgement")

    def close(self) -> None:
        """End the connection."""
        with contextlib.suppress(Exception):
            asyncio.run_coroutine_threadsafe(self._client.close(), self._loop).result(2.0)
        self._stop()

    async def _connected(self, address: Address, group: str, most_pending: int) -> tuple[Any, Any]:
        host, port = address.hosts[0]
        where = f"[{host}]" if ":" in host else host
        client = await self._library.connect(
            servers=[f"nats://{where}:{port}"],
            name="flowclass",
            connect_timeout=5,
            max_reconnect_attempts=2,
            reconnect_time_wait=1,
            user_credentials=os.environ.get(CREDENTIALS),
            error_cb=_silent,
        )
        settings = import_module("nats.js.api").ConsumerConfig(ack_wait=ACK_WAIT_S, max_ack_pending=most_pending)
        return client, await client.jetstream().pull_subscribe(address.name, durable=group, config=settings)

    async def _fetched(self, most: int, wait_s: float) -> list[Any]:
        try:
            found: list[Any] = await self._pull.fetch(most, timeout=wait_s)
        except (TimeoutError, self._library.errors.TimeoutError):
            return []
        return found

    def _call(self, what: Coroutine[Any, Any, Any], failing: str) -> Any:
        future = asyncio.run_coroutine_threadsafe(what, self._loop)
        try:
            return future.result(ANSWER_S)
        except Exception as problem:
            future.cancel()
            why = str(problem).strip() or type(problem).__name__
            raise SourceError(
                f"{self._name}: {failing}: {why}; is the server up, with a stream of the subject?"
            ) from problem

    def _stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(2.0)
        if not self._thread.is_alive() and not self._loop.is_closed():
            self._loop.close()


async def _acknowledged(messages: list[Any]) -> None:
    await asyncio.gather(*(message.ack() for message in messages))


async def _silent(problem: Exception) -> None:
    """Leave what the client only notes to the call that fails by it."""

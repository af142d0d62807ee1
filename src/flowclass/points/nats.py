"""NATS JetStream: a message is acknowledged when its flow has gone out. Needs ``flowclass[nats]``."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from importlib import import_module
from typing import Any

from flowclass.errors import SourceError
from flowclass.points.arrivals import Arrival, Token, records_of
from flowclass.sinks.address import Address
from flowclass.sinks.nats_client import NatsClient

ACK_WAIT_S = 1800.0


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
        self._client = NatsClient(address, SourceError)
        self._open: dict[Token, tuple[Any, int]] = {}
        self.unreadable = 0
        try:
            self._pull = self._call(self._subscribed(address, group, most_pending), "cannot be consumed")
        except BaseException:
            self._client.abort()
            raise

    @property
    def settled(self) -> bool:
        """Say yes: the stream was there when this one subscribed."""
        return True

    def take(self, most: int, wait_s: float) -> list[Arrival]:
        """Give what came."""
        out: list[Arrival] = []
        for message in self._call(self._fetched(most, wait_s), "gives nothing"):
            token = (id(self), message.metadata.sequence.stream)
            if token in self._open:  # given again, while its flow waits here: the newest is the one to acknowledge
                self._open[token] = message, self._open[token][1]
                continue
            try:
                found = list(records_of(message.data, (message.headers or {}).get("content-type", "")))
            except ValueError:
                self.unreadable += 1
                found = []
            if not found:
                self._call(message.ack(), "takes no acknowledgement")
                continue
            self._open[token] = message, len(found)
            out += [Arrival(point=message.subject, record=record, token=token) for record in found]
        return out

    def expected(self) -> list[str]:
        """Give none: a stream holds the records of all points in the order in which they were sent."""
        return []

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
        self._client.abort()

    async def _subscribed(self, address: Address, group: str, most_pending: int) -> Any:
        settings = import_module("nats.js.api").ConsumerConfig(ack_wait=ACK_WAIT_S, max_ack_pending=most_pending)
        return await self._client.client.jetstream().pull_subscribe(address.name, durable=group, config=settings)

    async def _fetched(self, most: int, wait_s: float) -> list[Any]:
        try:
            found: list[Any] = await self._pull.fetch(most, timeout=wait_s)
        except (TimeoutError, self._client.library.errors.TimeoutError):
            return []
        return found

    def _call(self, what: Coroutine[Any, Any, Any], failing: str) -> Any:
        return self._client.call(what, failing, "is the server up, with a stream of the subject?")


async def _acknowledged(messages: list[Any]) -> None:
    await asyncio.gather(*(message.ack() for message in messages))

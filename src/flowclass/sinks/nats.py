"""NATS JetStream: publishes records and waits for each acknowledgement. Needs the extra ``flowclass[nats]``.

The stream must be there: what is kept, and for how long, is for who runs the server to say. ``Nats-Msg-Id`` lets the
server leave out what it has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from itertools import islice
from typing import Any

import pyarrow as pa

from flowclass.errors import OutputError
from flowclass.sinks.address import Address
from flowclass.sinks.messages import Message, headers, messages
from flowclass.sinks.nats_client import NatsClient

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
        self._client = NatsClient(address, OutputError)

    def write(self, batch: pa.RecordBatch) -> None:
        """Publish one batch, and wait until all of it is acknowledged."""
        made = messages(batch, self._form, self._client.client.max_payload - ENVELOPE)
        stream = self._client.client.jetstream(timeout=ACK_S)
        advice = f"is the server up, and does a stream of it take the subject {self._subject}?"
        while some := list(islice(made, AT_ONCE)):
            self._client.call(self._published(stream, some), "does not acknowledge", advice)

    def finish(self, metadata: Mapping[str, str] | None = None) -> None:
        """End the connection; all is acknowledged. There is no place for metadata."""
        del metadata
        self._client.close()

    def abort(self) -> None:
        """End the connection."""
        self._client.abort()

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

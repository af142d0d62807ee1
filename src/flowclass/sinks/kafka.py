"""Kafka: produces records, idempotent and acknowledged by all replicas. Needs the extra ``flowclass[kafka]``."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow as pa

from flowclass.errors import ConfigError, OutputError
from flowclass.sinks.address import Address
from flowclass.sinks.messages import Message, headers, messages

SETTINGS = "FLOWCLASS_KAFKA_SETTINGS"
ACK_S = 30.0
CONNECT_S = 10.0
MOST_WAITING = 8192
MOST_OCTETS = 900_000  # a broker takes 1,000,000 where nothing else was set


class Sink:
    """Produces to a topic.

    Parameters
    ----------
    address : Address
        With the scheme ``kafka``; its name is the topic. The environment variable ``FLOWCLASS_KAFKA_SETTINGS`` may name
        a file with more of the client's settings, ``name=value`` a line: credentials, TLS.
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
        When the client is not installed, or refuses a setting.
    OutputError
        When no broker answers.
    """

    def __init__(self, address: Address, form: str, schema: pa.Schema, metadata: Mapping[str, str]) -> None:
        del schema
        self._name, self._topic, self._form = str(address), address.name, form
        self._headers = list(headers(form, metadata).items())
        self.complete_rows = 0
        self._problem: str | None = None
        try:
            library: Any = import_module("confluent_kafka")
        except ImportError:
            raise ConfigError(
                f"{address}: the client of Kafka is not installed: pip install 'flowclass[kafka]'"
            ) from None
        settings = {
            "bootstrap.servers": ",".join(
                f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in address.hosts
            ),
            "client.id": "flowclass",
            "enable.idempotence": True,
            "acks": "all",
            "compression.type": "zstd",
            "linger.ms": 5,
            "message.timeout.ms": int(ACK_S * 1000),
            "queue.buffering.max.messages": MOST_WAITING,
            "log_level": 0,
        } | more_settings()
        try:
            self._producer: Any = library.Producer(settings)
        except library.KafkaException as problem:
            raise ConfigError(f"{address}: the client of Kafka refuses its settings: {problem}") from None
        try:
            self._producer.list_topics(timeout=CONNECT_S)
        except library.KafkaException as problem:
            self.abort()
            raise OutputError(f"{address}: no broker answers: {problem.args[0].str()}; start it first") from problem

    def write(self, batch: pa.RecordBatch) -> None:
        """Produce one batch, and wait until all of it is acknowledged."""
        until = time.monotonic() + ACK_S
        for one in messages(batch, self._form, MOST_OCTETS):
            self._produce(one)
        while self._producer.flush(1.0):
            if self._problem is not None or time.monotonic() > until + ACK_S:
                break
        if len(self._producer) and self._problem is None:
            self._problem = "it does not acknowledge"
        if self._problem is not None:
            raise OutputError(f"{self._name}: cannot be written: {self._problem}; check the broker and the topic")

    def finish(self, metadata: Mapping[str, str] | None = None) -> None:
        """End; all is acknowledged. There is no place for metadata."""
        del metadata

    def abort(self) -> None:
        """Forget what was not sent."""
        self._producer.purge()
        self._producer.flush(1.0)

    def _produce(self, one: Message) -> None:
        def answered(problem: Any, message: Any, rows: int = one.rows) -> None:
            del message
            if problem is None:
                self.complete_rows += rows
            elif self._problem is None:
                self._problem = str(problem.str())

        while self._problem is None:
            try:
                self._producer.produce(
                    self._topic, one.value, one.key or None, on_delivery=answered, headers=self._headers
                )
                self._producer.poll(0)
                return
            except BufferError:  # the client's queue is full: acknowledgements make room
                self._producer.poll(0.1)
            except Exception as problem:  # KafkaException: e.g. a message larger than the client lets through
                self._problem = str(problem)


def more_settings() -> dict[str, str]:
    """Read more settings of the client from the file that the environment names."""
    path = os.environ.get(SETTINGS)
    if not path:
        return {}
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(f"{path}: the settings of Kafka's client cannot be read: {problem}") from None
    stripped = (line.strip() for line in lines)
    pairs = (line.partition("=") for line in stripped if line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}

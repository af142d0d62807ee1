"""Kafka: offsets are committed up to the oldest message whose flow still waits. Needs ``flowclass[kafka]``."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any

from flowclass.errors import ConfigError, SourceError
from flowclass.points.arrivals import Arrival, Token, records_of
from flowclass.sinks.address import Address
from flowclass.sinks.kafka import more_settings

ANSWER_S = 30.0


class Consumer:
    """Consumes a topic, or all whose names begin so.

    Parameters
    ----------
    address : Address
        Its name is the topic; one that ends in ``.*`` stands for all that begin so.
    group : str
        The consumer group.
    most_pending : int
        Not used: a consumer asks for as much as it takes.
    """

    def __init__(self, address: Address, *, group: str, most_pending: int) -> None:
        del most_pending
        self._name = str(address)
        try:
            self._library: Any = import_module("confluent_kafka")
        except ImportError:
            raise ConfigError(
                f"{address}: the client of Kafka is not installed: pip install 'flowclass[kafka]'"
            ) from None
        settings = {
            "bootstrap.servers": ",".join(
                f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in address.hosts
            ),
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "log_level": 0,
        } | more_settings()
        self._open: dict[tuple[str, int], dict[int, int]] = {}  # records left of a message, by partition and offset
        self._next: dict[tuple[str, int], int] = {}
        self.unreadable = 0
        try:
            self._consumer: Any = self._library.Consumer(settings)
            self._consumer.list_topics(timeout=ANSWER_S)
            name = address.name
            self._consumer.subscribe([f"^{name[:-2]}\\..*" if name.endswith(".*") else name])
        except self._library.KafkaException as problem:
            raise SourceError(f"{address}: cannot be consumed: {problem}; is the broker up?") from None

    def take(self, most: int, wait_s: float) -> list[Arrival]:
        """Give what came."""
        try:
            messages = self._consumer.consume(most, wait_s)
        except self._library.KafkaException as problem:
            raise SourceError(f"{self._name}: gives nothing: {problem}; is the broker up?") from None
        out: list[Arrival] = []
        for message in messages:
            if message.error() is not None:
                continue
            partition, offset = (message.topic(), message.partition()), message.offset()
            self._next[partition] = offset + 1
            content = dict(message.headers() or []).get("content-type", b"").decode("utf-8", "replace")
            try:
                found = list(records_of(message.value() or b"", content))
            except ValueError:
                self.unreadable += 1
                continue
            if found:
                self._open.setdefault(partition, {})[offset] = len(found)
            token = (id(self), partition, offset)
            out += [Arrival(point=message.topic(), record=record, token=token) for record in found]
        return out

    def done(self, tokens: Iterable[Token]) -> None:
        """Commit up to the oldest message of each partition that is not done with."""
        touched = set()
        for token in tokens:
            _, partition, offset = token
            left = self._open[partition]
            left[offset] -= 1
            if left[offset] == 0:
                del left[offset]
                touched.add(partition)
        places = [
            self._library.TopicPartition(*partition, min(self._open[partition], default=self._next[partition]))
            for partition in touched
        ]
        if not places:
            return
        try:
            self._consumer.commit(offsets=places, asynchronous=False)
        except self._library.KafkaException as problem:
            raise SourceError(f"{self._name}: takes no offsets: {problem}; is the broker up?") from None

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

"""Kafka: offsets are committed up to the oldest message whose flow still waits. Needs ``flowclass[kafka]``.

When the group is shared out anew the broker gives again what was not committed. What still waits here is then left
out, and what went out is known to the joiner as repeated, so that nothing is committed before it was written.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import import_module
from re import escape
from typing import Any, TypeAlias

from flowclass.errors import ConfigError, SourceError
from flowclass.points.arrivals import Arrival, Token, records_of
from flowclass.sinks.address import WILD, Address
from flowclass.sinks.kafka import more_settings

ANSWER_S = 30.0
NEW_TOPICS_S = 10
"""After so long a topic that is new is found, where all that begin so are consumed."""

Place: TypeAlias = tuple[str, int]
"""Topic and partition."""


@dataclass(slots=True)
class _Partition:
    """What came of one, and is not done with.

    Parameters
    ----------
    left : dict of int to int
        Records left of a message, by its offset.
    offsets : list of int
        A heap of those offsets, and of some that are done with.
    following : int
        The offset behind the newest message.
    """

    left: dict[int, int] = field(default_factory=dict)
    offsets: list[int] = field(default_factory=list)
    following: int = 0

    def wait(self, offset: int, records: int) -> None:
        self.left[offset] = records
        heapq.heappush(self.offsets, offset)

    def oldest(self) -> int:
        """Give the place up to which all is done with."""
        while self.offsets and self.offsets[0] not in self.left:
            heapq.heappop(self.offsets)
        return self.offsets[0] if self.offsets else self.following


class Consumer:
    """Consumes a topic, or all whose names begin so.

    Parameters
    ----------
    address : Address
        Its name is the topic; one that ends in ``.*`` or ``.>`` stands for all that begin so.
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
        self._partitions: dict[Place, _Partition] = {}
        self._mine: set[Place] = set()
        self._touched: set[Place] = set()
        self._expected: list[str] = []
        self._was_assigned = False
        self._opened = time.monotonic()
        self.unreadable = 0
        settings = {
            "bootstrap.servers": ",".join(
                f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in address.hosts
            ),
            "client.id": "flowclass",
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "topic.metadata.refresh.interval.ms": NEW_TOPICS_S * 1000,
            "log_level": 0,
        } | more_settings()
        try:
            self._consumer: Any = self._library.Consumer(settings)
        except self._library.KafkaException as problem:
            raise ConfigError(f"{address}: the client of Kafka refuses its settings: {problem}") from None
        try:
            self._consumer.list_topics(timeout=ANSWER_S)
            name = address.name
            self._consumer.subscribe(
                [f"^{escape(name[:-1])}.+" if name.endswith(WILD) else name],
                on_assign=self._assigned,
                on_revoke=self._revoked,
                on_lost=self._revoked,
            )
        except self._library.KafkaException as problem:
            self._consumer.close()
            raise SourceError(f"{address}: no broker answers: {problem.args[0].str()}; start it first") from None

    @property
    def settled(self) -> bool:
        """Say whether the group was shared out, or takes very long: where no topic is there yet, it is not."""
        return self._was_assigned or time.monotonic() - self._opened > ANSWER_S

    def take(self, most: int, wait_s: float) -> list[Arrival]:
        """Give what came."""
        try:
            messages = self._consumer.consume(most, wait_s)
        except self._library.KafkaException as problem:
            raise SourceError(f"{self._name}: gives nothing: {problem}; is the broker up?") from None
        out: list[Arrival] = []
        for message in messages:
            if message.error() is None:
                out += self._arrivals(message)
            elif self._is_final(message.error()):
                raise SourceError(f"{self._name}: gives nothing: {message.error().str()}; check topic and rights")
        return out

    def done(self, tokens: Iterable[Token]) -> None:
        """Commit up to the oldest message of each partition that is not done with."""
        for token in tokens:
            _, place, offset = token
            left = self._partitions[place].left
            left[offset] -= 1
            if left[offset] == 0:
                del left[offset]
                self._touched.add(place)
        # What another consumer of the group has now is for that one to commit.
        places = [
            self._library.TopicPartition(*place, self._partitions[place].oldest())
            for place in self._touched & self._mine
        ]
        self._touched.clear()
        if not places:
            return
        try:
            self._consumer.commit(offsets=places, asynchronous=False)
        except self._library.KafkaException as problem:
            if not self._is_shared_out(problem.args[0]):
                raise SourceError(f"{self._name}: takes no offsets: {problem}; is the broker up?") from None

    def expected(self) -> list[str]:
        """Give the partitions that were assigned since the last call and hold what was not taken yet."""
        lanes, self._expected = self._expected, []
        return lanes

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _arrivals(self, message: Any) -> list[Arrival]:
        place, offset = (message.topic(), message.partition()), message.offset()
        partition = self._partitions.setdefault(place, _Partition())
        partition.following = offset + 1
        if offset in partition.left:
            return []  # given again, while its flow waits here
        content = dict(message.headers() or []).get("content-type", b"").decode("utf-8", "replace")
        try:
            found = list(records_of(message.value() or b"", content))
        except ValueError:
            self.unreadable += 1
            found = []
        if not found:
            self._touched.add(place)
            return []
        partition.wait(offset, len(found))
        token = (id(self), place, offset)
        lane = _lane(place)
        return [Arrival(point=place[0], lane=lane, record=record, token=token) for record in found]

    def _assigned(self, consumer: Any, partitions: list[Any]) -> None:
        """Take note of what is this consumer's, and which of it is behind."""
        self._was_assigned = True
        self._mine |= {(one.topic, one.partition) for one in partitions}
        try:
            for one in consumer.committed(partitions, timeout=ANSWER_S):
                least, following = consumer.get_watermark_offsets(one, timeout=ANSWER_S)
                if max(one.offset, least) < following:
                    self._expected.append(_lane((one.topic, one.partition)))
        except self._library.KafkaException:
            return  # then nothing is awaited: what comes late goes out alone

    def _revoked(self, consumer: Any, partitions: list[Any]) -> None:
        del consumer
        self._mine -= {(one.topic, one.partition) for one in partitions}

    def _is_final(self, problem: Any) -> bool:
        codes = self._library.KafkaError
        return bool(problem.fatal()) or problem.code() in (
            codes.TOPIC_AUTHORIZATION_FAILED,
            codes.GROUP_AUTHORIZATION_FAILED,
        )

    def _is_shared_out(self, problem: Any) -> bool:
        """Say whether a commit came to nothing since the group is being shared out anew: then it comes again."""
        codes = self._library.KafkaError
        return problem.code() in (codes.REBALANCE_IN_PROGRESS, codes.ILLEGAL_GENERATION, codes.UNKNOWN_MEMBER_ID)


def _lane(place: Place) -> str:
    return f"{place[0]}[{place[1]}]"

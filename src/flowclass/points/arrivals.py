"""What consumers give: records with the point that saw them, and how to say that they are done with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, TypeAlias

import msgspec

from flowclass.errors import ConfigError
from flowclass.sinks.address import Address

Token: TypeAlias = tuple[Any, ...]
"""What a consumer knows a message by; the first is who the consumer is."""
ARROW = "application/vnd.apache.arrow.stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One record, as it came.

    Parameters
    ----------
    point : str
        Of observation: the subject or topic.
    record : dict
        By the columns of the flow record, as JSON lines have them; or of an early verdict.
    token : tuple
        What the consumer knows its message by. Several records may have one.
    lane : str
        What the point's records come by in their order: a partition of its topic; empty where the point has one.
    """

    point: str
    record: dict[str, Any]
    token: Token
    lane: str = ""


class Consumer(Protocol):
    """Takes records from a broker. A message that is not done with comes again, to this consumer or the next.

    Attributes
    ----------
    unreadable : int
        Messages that hold no records.
    settled : bool
        Whether the broker has said by now what is this consumer's. Before, it means nothing that nothing comes.
    """

    unreadable: int

    @property
    def settled(self) -> bool:
        """Say so."""

    def take(self, most: int, wait_s: float) -> list[Arrival]:
        """Give what came, at most so many messages; nothing where nothing came in time.

        Raises
        ------
        SourceError
            When the broker is gone.
        """

    def expected(self) -> list[str]:
        """Give the lanes, found since the last call, that hold records from before: they are waited for."""

    def done(self, tokens: Iterable[Token]) -> None:
        """Say that messages are done with, once for each record in them."""

    def close(self) -> None:
        """End the connection."""


def open_consumer(address: Address, *, group: str, most_pending: int) -> Consumer:
    """Connect to a broker.

    Parameters
    ----------
    address : Address
        ``nats`` or ``kafka``; the name may end in a wildcard.
    group : str
        What the broker remembers the consumer by, after a restart too.
    most_pending : int
        Messages that may be under way.

    Raises
    ------
    ConfigError
        When records are not consumed from there, or the client is not installed.
    SourceError
        When no broker answers.
    """
    if address.scheme not in ("nats", "kafka"):
        raise ConfigError(f"{address}: records are joined from nats:// and kafka:// only")
    module = import_module(f"flowclass.points.{address.scheme}")
    opened: Consumer = module.Consumer(address, group=group, most_pending=most_pending)
    return opened


def records_of(value: bytes, content: str) -> Iterator[dict[str, Any]]:
    """Read the records of a message.

    Parameters
    ----------
    value : bytes
        The message.
    content : str
        Its content type; JSON where there is none.

    Raises
    ------
    ValueError
        When it holds no records.
    """
    if content == ARROW:
        import pyarrow as pa

        from flowclass.sinks.columns import rows

        try:
            for batch in pa.ipc.open_stream(value):
                yield from rows(batch)
        except (OSError, pa.ArrowInvalid) as problem:
            raise ValueError(str(problem)) from problem
        return
    try:
        found = msgspec.json.decode(value)
    except msgspec.DecodeError as problem:
        raise ValueError(str(problem)) from problem
    if not isinstance(found, dict):
        raise ValueError("a record is a JSON object")
    yield found

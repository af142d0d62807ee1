"""``flowclass merge-stream``: records of several observation points in, each flow once out."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import click
import msgspec

from flowclass.cli.exit_codes import Exit
from flowclass.cli.options import common, setting, with_config
from flowclass.cli.values import clean, duration
from flowclass.errors import OutputError
from flowclass.pipeline.stop import Stop
from flowclass.points.arrivals import Consumer, open_consumer
from flowclass.points.joiner import Joiner, JoinOptions
from flowclass.sinks.address import Address, parse
from flowclass.types import SECOND_NS

AT_ONCE = 512
WAIT_S = 0.5


@click.command(name="merge-stream", short_help="Join the records of several observation points: each flow once.")
@click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS...")
@with_config
@click.option("-o", "--output", metavar="FILE|-", default="-", help="JSON lines are added here; - is standard output.")
@setting("--group", default="flowclass-merge", show_default=True, help="What the broker knows this consumer by.")
@setting("--slack", type=duration, default="2s", show_default=True, help="By which the points' clocks may differ.")
@setting("--wait", type=duration, default="150s", show_default=True, help="In the records' time: for other points.")
@setting(
    "--silence", type=duration, default="60s", show_default=True, help="A point that sends nothing is not awaited."
)
@setting("--most", type=click.IntRange(min=1), default=1_000_000, show_default=True, help="Records that may wait.")
@setting("--end-after", type=duration, help="End when nothing came for so long; by default at a signal.")
@click.option("-q", "--quiet", is_flag=True, help="Only errors on standard error.")
@common
def merge_stream(addresses: tuple[str, ...], **given: Any) -> int:
    """Join the records that several flowclass live send to NATS JetStream or Kafka.

    ADDRESS is nats://HOST[:PORT]/SUBJECT or kafka://HOST[:PORT]/TOPIC; the subject may be flowclass.flows.v1.> and
    the topic flowclass.flows.v1.*, and what a message came by names its observation point. A flow that several points
    saw goes out once, by who knows most of it, with all of them in observed_by. Early verdicts go out as they come.

    Where there are several addresses their names are added to the group's.

    What is not written yet comes again after a restart: a record may be written twice, none is lost.
    """
    joiner = Joiner(JoinOptions(slack_ns=given["slack"], wait_ns=given["wait"], most=given["most"]))
    stop = Stop()
    with ExitStack() as held:
        consumers: list[Consumer] = []
        for address in (parse(address, consumed=True) for address in addresses):
            group = _group(given["group"], address, alone=len(addresses) == 1)
            consumers.append(open_consumer(address, group=group, most_pending=2 * given["most"]))
            held.callback(consumers[-1].close)
        out = _Lines(given["output"], held)
        held.enter_context(stop.on_signals())
        _run(joiner, consumers, out, stop, given)
        out.write(joiner.finish())
        _finish(joiner, consumers, out)
        unreadable = sum(consumer.unreadable for consumer in consumers)
    if unreadable:
        joiner.counts["unreadable"] += unreadable
    _say(joiner, given)
    return Exit.DONE if stop.signal is None else Exit.SIGNAL + stop.signal


def _group(group: str, address: Address, *, alone: bool) -> str:
    """Give each address a group of its own where there are several: members of one group must ask for the same."""
    return group if alone else f"{group}-{re.sub('[^A-Za-z0-9]+', '-', address.name).strip('-')}"


class _Lines:
    """Adds records to a file or standard output."""

    def __init__(self, output: str, held: ExitStack) -> None:
        self._name = output
        self._encoder = msgspec.json.Encoder()
        try:
            self._file: IO[bytes] = sys.stdout.buffer
            if output != "-":
                self._file = Path(output).open("ab")  # noqa: SIM115 (closed with the others)
                held.callback(self._file.close)
        except OSError as problem:
            raise OutputError(f"{output}: cannot be written: {problem.strerror}; check the folder") from problem

    def write(self, records: Iterable[dict[str, Any]]) -> None:
        try:
            for record in records:
                self._file.write(self._encoder.encode(record) + b"\n")
        except OSError as problem:
            raise self._told(problem) from problem

    def keep(self) -> None:
        """Let what was written stay, also when the machine stops."""
        try:
            self._file.flush()
            if self._name != "-":
                os.fsync(self._file.fileno())
        except OSError as problem:
            raise self._told(problem) from problem

    def _told(self, problem: OSError) -> OutputError:
        return OutputError(f"{self._name}: cannot be written: {problem.strerror}; what is not written comes again")


def _run(joiner: Joiner, consumers: list[Consumer], out: _Lines, stop: Stop, given: dict[str, Any]) -> None:
    """Take and join until a signal, or until nothing comes any more."""
    heard: dict[str, float] = {}
    last = time.monotonic()
    while not stop.wanted:
        for consumer in consumers:
            arrivals = consumer.take(AT_ONCE, WAIT_S / len(consumers))
            now = time.monotonic()
            for lane in consumer.expected():
                heard[lane] = now
                joiner.expect(lane)
            for arrival in arrivals:
                last = heard[arrival.lane or arrival.point] = now
                out.write(joiner.add(arrival))
        now = time.monotonic()
        if not all(consumer.settled for consumer in consumers):
            last = now
        for lane in [lane for lane, when in heard.items() if now - when > given["silence"] / SECOND_NS]:
            joiner.forget(lane)
            del heard[lane]
        out.write(joiner.ready())
        _finish(joiner, consumers, out)
        if given["end_after"] is not None and now - last > given["end_after"] / SECOND_NS:
            return


def _finish(joiner: Joiner, consumers: list[Consumer], out: _Lines) -> None:
    """Say to the broker what is done with, once it is kept."""
    tokens = joiner.done()
    if not tokens:
        return
    out.keep()
    for consumer in consumers:
        consumer.done([token for token in tokens if token[0] == id(consumer)])


def _say(joiner: Joiner, given: dict[str, Any]) -> None:
    if given["as_json"]:
        click.echo(msgspec.json.encode(dict(joiner.counts)).decode(), err=given["output"] == "-")
    elif not given["quiet"]:
        listed = ", ".join(f"{name} {count:,}" for name, count in sorted(joiner.counts.items()))
        click.echo(f"joined    {clean(listed)}", err=True)

"""``--verdicts``: where early verdicts go. They are JSON lines everywhere, and written as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click

from flowclass.cli.options import Command, setting
from flowclass.cli.output import NO_ROWS, Output, Place, sink_for
from flowclass.errors import ConfigError
from flowclass.schema import early_schema
from flowclass.sinks import FOREIGN_SUFFIXES, SUFFIXES, open_sink
from flowclass.sinks.address import NAMES, is_address, parse
from flowclass.sinks.atomic import output_error

FORM = "jsonl"
NAME = "flowclass.verdicts.v1"
"""The NATS subject or Kafka topic, where none is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """What a run is to do with early verdicts.

    Parameters
    ----------
    take : callable, optional
        Takes their record batches; without it none are wanted.
    outputs : list of Output
        For the summary.
    """

    take: Callable[[Any], None] | None = None
    outputs: list[Output] = field(default_factory=list)


def with_verdicts(command: Command) -> Command:
    """Declare the option that says where early verdicts go."""
    return setting(
        "--verdicts", metavar="FILE|ADDRESS|-",
        help="A row as soon as a flow's head is closed, as JSON lines; a file is appended to. Flows go to -o besides.",
    )(command)  # fmt: skip


@contextmanager
def early_verdicts(given: Mapping[str, Any]) -> Iterator[Verdicts]:
    """Open what early verdicts go into, for the time of a run.

    Raises
    ------
    click.UsageError
        When the option cannot be meant so.
    OutputError
        When the output cannot be opened, or written to the end.
    """
    said: str | None = given["verdicts"]
    if said is None:
        yield Verdicts()
        return
    place = _place(said, given)
    if not isinstance(place.target, Path):
        sink = sink_for(place, early_schema(), {})
        file = None
    else:
        try:
            file = place.target.open("ab", buffering=0)
        except OSError as problem:
            raise output_error(str(place.target), problem) from problem
        sink = open_sink(FORM, file, early_schema(), {})
    try:
        yield Verdicts(take=sink.write, outputs=[Output(name=place.name, sink=sink, early=True)])
        sink.finish()
    except BaseException:
        sink.abort()
        raise
    finally:
        if file is not None:
            file.close()


def _place(said: str, given: Mapping[str, Any]) -> Place:
    drop = given["on_slow"] == "drop"
    if is_address(said):
        try:
            address = parse(said)
        except ConfigError as problem:
            raise click.UsageError(str(problem)) from None
        if address.name and address.name == NAMES.get(address.scheme):
            address = replace(address, name=NAME)
        return Place(target=address, form=FORM, drop=drop)
    if said == "-":
        if given["table"] or (given["output"] in (None, "-") and given["form"] != NO_ROWS):
            raise click.UsageError(
                "--verdicts - and the flows both want standard output: give -o FILE, or --format none"
            )
        return Place(target=None, form=FORM, drop=drop)
    suffix = Path(said).suffix.lower()
    if (SUFFIXES | FOREIGN_SUFFIXES).get(suffix, FORM) != FORM:
        raise click.UsageError(
            f"--verdicts {said}: early verdicts are written as they come, as JSON lines: end the name in .jsonl"
        )
    if said == given["output"]:
        raise click.UsageError(f"--verdicts {said} and -o name the same file: give another")
    return Place(target=Path(said), form=FORM)

"""The exit codes. Documented, tested, never reused for something else."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from flowclass.errors import ConfigError, FlowclassError, OutputError, SchemaError, SourceError, UserFunctionError
from flowclass.types import SourceReport


class Exit(IntEnum):
    """What a command's end means."""

    DONE = 0
    INTERNAL = 1
    USAGE = 2
    PARTIAL = 3
    NO_INPUT = 4
    CONFIG = 5
    OUTPUT = 6
    VIOLATION = 10
    SIGNAL = 128


def of_error(error: FlowclassError) -> Exit:
    """Give the exit code of an error that ended a command."""
    kinds: tuple[tuple[type[FlowclassError], Exit], ...] = (
        (ConfigError, Exit.CONFIG),
        (UserFunctionError, Exit.CONFIG),
        (OutputError, Exit.OUTPUT),
        (SourceError, Exit.NO_INPUT),
        (SchemaError, Exit.NO_INPUT),
    )
    for kind, code in kinds:
        if isinstance(error, kind):
            return code
    return Exit.INTERNAL


def of_sources(reports: Iterable[SourceReport]) -> Exit:
    """Give the exit code that the inputs alone ask for."""
    listed = list(reports)
    if not any(report.usable for report in listed):
        return Exit.NO_INPUT
    return Exit.PARTIAL if any(report.problem != "none" for report in listed) else Exit.DONE

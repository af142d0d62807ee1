"""What can go wrong before or around the packets. Bad packets are counters, never exceptions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

SHOWN_PROBLEMS = 20
SHOWN_VALUE_LENGTH = 80


class FlowclassError(Exception):
    """The root of all errors raised on purpose: its text says what, where, why, and what to do."""


class ConfigError(FlowclassError):
    """An option, policy or registry that cannot be used."""


class SourceError(FlowclassError):
    """An input that cannot be opened or holds nothing usable."""


class SchemaError(FlowclassError):
    """A table whose columns are not those of the flow record."""


class OutputError(FlowclassError):
    """A result that could not be written."""


class UserFunctionError(FlowclassError):
    """A user's own fingerprint, feature or scorer that cannot be run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowProblem:
    """One defect of one row of a registry source.

    Parameters
    ----------
    file : str
        Name of the source.
    line : int
        Line in the source, from 1; where a row takes several lines, its first.
    column : str
        Name of the column; empty where the whole row is meant.
    value : str
        What stood there.
    reason : str
        What is wrong with it, and what would be right.
    severity : {"error", "warning"}
        An error refuses the registry, a warning does not.
    kind : str
        A key of ``flowclass.registries.kinds.KINDS``.
    """

    file: str
    line: int
    column: str
    value: str
    reason: str
    severity: Literal["error", "warning"] = "error"
    kind: str = "unreadable"

    def __str__(self) -> str:
        shown = self.value if len(self.value) <= SHOWN_VALUE_LENGTH else self.value[:SHOWN_VALUE_LENGTH] + "..."
        where = f"{self.file}:{self.line}"
        what = f" {self.column} = {shown!r}" if self.column else ""
        return f"{where}:{what} {self.severity}: {self.reason}"


class RegistryError(ConfigError):
    """A registry that is refused, with every problem of every row.

    Parameters
    ----------
    message : str
        What was refused and why.
    problems : sequence of RowProblem
        All of them, errors and warnings; the text shows the first errors.
    """

    def __init__(self, message: str, problems: Sequence[RowProblem] = ()) -> None:
        self.problems: tuple[RowProblem, ...] = tuple(problems)
        errors = [problem for problem in self.problems if problem.severity == "error"]
        lines = [message, *(f"  {problem}" for problem in errors[:SHOWN_PROBLEMS])]
        if len(errors) > SHOWN_PROBLEMS:
            lines.append(f"  ... and {len(errors) - SHOWN_PROBLEMS} more")
        super().__init__("\n".join(lines))

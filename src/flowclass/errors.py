"""What can go wrong before or around the packets. Bad packets are counters, never exceptions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

SHOWN_PROBLEMS = 20
SHOWN_VALUE_LENGTH = 80


class FlowclassError(Exception):
    """The root of all errors raised on purpose: its text says what, where, why, and what to do.

    Examples
    --------
    >>> import flowclass
    >>> try:
    ...     flowclass.classify("nowhere.pcap")
    ... except flowclass.FlowclassError as error:
    ...     print(error)
    nowhere.pcap: cannot be read: no such file or directory; check the name
    """


class ConfigError(FlowclassError):
    """An option, policy or registry that cannot be used.

    Examples
    --------
    >>> import flowclass
    >>> flowclass.EngineOptions(batch_rows=0)
    Traceback (most recent call last):
    flowclass.errors.ConfigError: batch_rows = 0 is not permitted: give a whole number from 1 to 16777216
    """


class SourceError(FlowclassError):
    """An input that cannot be opened or holds nothing usable.

    Examples
    --------
    >>> import flowclass
    >>> flowclass.classify([])
    Traceback (most recent call last):
    flowclass.errors.SourceError: no source was given
    """


class SchemaError(FlowclassError):
    """A table whose columns are not those of the flow record.

    Examples
    --------
    >>> import flowclass, pyarrow
    >>> flowclass.read_flows(pyarrow.table({"a": [1]}))
    Traceback (most recent call last):
    flowclass.errors.SchemaError: the table: is no file of flow records: it has no column flow_id, ...
    """


class OutputError(FlowclassError):
    """A result that could not be written.

    Examples
    --------
    >>> import flowclass
    >>> issubclass(flowclass.OutputError, flowclass.FlowclassError)
    True
    """


class UserFunctionError(FlowclassError):
    """A user's own fingerprint, feature or scorer that cannot be run.

    Examples
    --------
    >>> import flowclass
    >>> @flowclass.flow_feature()
    ... def twice(byte_fwd):
    ...     return 2 * byte_fwd
    Traceback (most recent call last):
    flowclass.errors.UserFunctionError: twice (..., line 1): there is no column byte_fwd; did you mean bytes_fwd?; ...
    """


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

    Examples
    --------
    >>> problem = RowProblem(file="list.csv", line=2, column="prefix", value="192.0.2.7/24", reason="has host bits")
    >>> print(RegistryError("list.csv: refused", [problem]))
    list.csv: refused
      list.csv:2: prefix = '192.0.2.7/24' error: has host bits
    """

    def __init__(self, message: str, problems: Sequence[RowProblem] = ()) -> None:
        self.problems: tuple[RowProblem, ...] = tuple(problems)
        errors = [problem for problem in self.problems if problem.severity == "error"]
        lines = [message, *(f"  {problem}" for problem in errors[:SHOWN_PROBLEMS])]
        if len(errors) > SHOWN_PROBLEMS:
            lines.append(f"  ... and {len(errors) - SHOWN_PROBLEMS} more")
        super().__init__("\n".join(lines))

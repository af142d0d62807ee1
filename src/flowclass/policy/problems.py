"""What can be wrong with a policy file, with the line it is on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flowclass.errors import SHOWN_PROBLEMS, SHOWN_VALUE_LENGTH, ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyProblem:
    """One defect of a policy.

    Parameters
    ----------
    file : str
        Name of the policy.
    line : int
        Line in it, from 1.
    key : str
        What is wrong, as ``phase 2: outcome``, ``tiers.violation``, ``[pending]``; empty for the whole file.
    value : object
        What stood there; None where nothing does, or where it is the key that is wrong.
    reason : str
        Why it cannot stand, and what is permitted.
    """

    file: str
    line: int
    key: str
    value: object
    reason: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: "
        if self.value is None:
            return where + (f"{self.key}: {self.reason}" if self.key else self.reason)
        shown = {True: "true", False: "false"}[self.value] if isinstance(self.value, bool) else repr(self.value)
        shown = shown if len(shown) <= SHOWN_VALUE_LENGTH else shown[:SHOWN_VALUE_LENGTH] + "..."
        return f"{where}{self.key} = {shown} is not permitted: {self.reason}"


class PolicyError(ConfigError):
    """A policy that is refused, with all that is wrong with it.

    Parameters
    ----------
    message : str
        What was refused.
    problems : sequence of PolicyProblem
        All of them, in the order of the file; the text shows the first.
    """

    def __init__(self, message: str, problems: Sequence[PolicyProblem] = ()) -> None:
        self.problems: tuple[PolicyProblem, ...] = tuple(problems)
        lines = [message, *(f"  {problem}" for problem in self.problems[:SHOWN_PROBLEMS])]
        if len(self.problems) > SHOWN_PROBLEMS:
            lines.append(f"  ... and {len(self.problems) - SHOWN_PROBLEMS} more")
        super().__init__("\n".join(lines))

"""What a summary asks of a run that has ended, on one machine or on many workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from flowclass.pipeline.options import RunOptions
from flowclass.pipeline.reload import Judges
from flowclass.pipeline.tally import Tally
from flowclass.types import Balance, CaptureCounters, SourceReport


class Finished(Protocol):
    """A run that has ended."""

    @property
    def options(self) -> RunOptions:
        """What decided the records."""

    @property
    def tally(self) -> Tally:
        """How many flows have which verdict."""

    @property
    def balance(self) -> Balance:
        """Packets and octets read = those in flows + those skipped, by reason."""

    @property
    def reports(self) -> Sequence[SourceReport]:
        """What each source was and how reading it ended."""

    @property
    def counters(self) -> Mapping[str, Any]:
        """Everything that was counted."""

    @property
    def captured(self) -> Mapping[str, CaptureCounters]:
        """What became of the packets of live interfaces."""

    @property
    def judges(self) -> Judges:
        """Registry and policy at the end, and what became of others meanwhile."""

    @property
    def clock_restarts(self) -> int:
        """How often the packets' clock was seen to be set back."""

    @property
    def suspended(self) -> bool:
        """Whether it can go on from its checkpoint: its flows were not ended."""

    @property
    def lost(self) -> str:
        """What was not seen before it went on from a checkpoint; empty where nothing was."""

    @property
    def stopped_by(self) -> int | None:
        """The signal that ended the run early, if one did."""

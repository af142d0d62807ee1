"""What became of the rows that a sink was given, and the sentence that says it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What became of the rows that a sink was given.

    Parameters
    ----------
    given, delivered, dropped : int
        Rows. Delivered are those that were acknowledged, where the receiver acknowledges, that stand in files which
        appeared, or that the kernel took to send. Those given and neither delivered nor dropped are on their way.
    files : int
        Files that appeared, where there are several.
    opened_again : int
        How often a receiver that had failed was found again.
    sentence : str
        Why rows were dropped, the last time; empty where a queue was full, or where none were.
    """

    given: int
    delivered: int
    dropped: int
    files: int = 0
    opened_again: int = 0
    sentence: str = ""

    def __str__(self) -> str:
        said = f"{self.given:,} rows = {self.delivered:,} delivered + {self.dropped:,} dropped"
        waiting = self.given - self.delivered - self.dropped
        if waiting:
            said += f" + {waiting:,} on their way"
        if self.files:
            said += f", in {self.files:,} files"
        if self.opened_again:
            said += f", opened again {self.opened_again:,} times"
        if self.dropped:
            said += f"; {self.sentence or 'it was too slow'}"
        return said

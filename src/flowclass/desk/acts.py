"""What the desk is told and what it tells: who does what and why, and the events that follow."""

from __future__ import annotations

from dataclasses import dataclass

from flowclass.errors import RegistryError

_MOST_WORDS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Who does something, why, and when it counts from.

    Parameters
    ----------
    who : str
        The official.
    why : str
        The reason; needed where something is taken from the registrant or given back.
    at : int, optional
        The instant it counts from, ns UTC; by default the one it is recorded at. Never a later one.

    Raises
    ------
    RegistryError
        Where who is missing, or a text is no line of words.
    """

    who: str
    why: str = ""
    at: int | None = None

    def __post_init__(self) -> None:
        for name, text in (("--who", self.who), ("--why", self.why)):
            if not text.isprintable() or len(text) > _MOST_WORDS:
                raise RegistryError(f"{name} is one line of at most {_MOST_WORDS:,} printable characters")
        if not self.who.strip():
            raise RegistryError("--who is missing: the desk keeps who did what")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One event of the history.

    Parameters
    ----------
    event : int
        Its number, from 1.
    registration_id, action : str
        What was done to which registration.
    from_state : str or None
        None where the registration came to the desk by it.
    to_state : str
        Where it stands since.
    who, why : str
        As given.
    effective_at, recorded_at : int
        The instants it counts from and it was written at, ns UTC.
    """

    event: int
    registration_id: str
    action: str
    from_state: str | None
    to_state: str
    who: str
    why: str
    effective_at: int
    recorded_at: int

    @property
    def backdated(self) -> bool:
        """Whether it counts from an instant before it was recorded."""
        return self.effective_at < self.recorded_at

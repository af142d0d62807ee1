"""What a policy says: classes, tiers, the calendar, the pending window, exemptions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from flowclass.errors import ConfigError
from flowclass.registries.row import Network, parse_prefixes

CLASSES = ("vpn", "overlay", "proxy", "covert", "app")
PHASE_OUTCOMES = ("allow_grace", "review", "violation_trial", "violation")
TIERS = ("possible", "probable", "confirmed")
MAX_WINDOW_HOURS = 87_600


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A span of the calendar and what an unregistered flow is in it.

    Parameters
    ----------
    name : str
        For the ``policy_phase`` column.
    start : int
        First instant, ns UTC.
    end : int or None
        First instant behind it, ns UTC; None = it does not end.
    outcome : str
        One of `PHASE_OUTCOMES`.
    """

    name: str
    start: int
    end: int | None = None
    outcome: str

    def __post_init__(self) -> None:
        if not self.name or not self.name.isprintable():
            raise ConfigError(f"phase name = {self.name!r} is not permitted: give a printable name")
        _one_of(f"phase {self.name!r}: outcome", self.outcome, PHASE_OUTCOMES)
        if self.end is not None and self.end <= self.start:
            raise ConfigError(f"phase {self.name!r}: 'until' is not after 'from'; give a later one or leave it out")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemption:
    """Addresses whose flows are let be, for a time.

    Parameters
    ----------
    prefix : str
        An address, a prefix, or a range, as in a registry.
    until : int or None
        First instant behind it, ns UTC; None = it does not end.
    reason : str
        Why, for whoever reads the policy; it stands in no record.
    """

    prefix: str
    until: int | None = None
    reason: str

    def __post_init__(self) -> None:
        try:
            exempt_networks(self.prefix)
        except ValueError as problem:
            raise ConfigError(f"exempt prefix = {self.prefix!r} is not permitted: {problem}") from None
        if not self.reason.strip() or not self.reason.isprintable():
            raise ConfigError(f"exempt {self.prefix}: reason = {self.reason!r} is not permitted: say why it is exempt")


def exempt_networks(prefix: str) -> tuple[Network, ...]:
    """Give the networks that an exemption's prefix means.

    Raises
    ------
    ValueError
        With the reason, where it is no address, prefix or range.
    """
    return tuple(parse_prefixes(prefix.strip()))


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyOptions:
    """What a policy says; the defaults accuse nobody.

    Parameters
    ----------
    classes : tuple of str
        Protocol classes that count.
    default_outcome : str
        The outcome where no phase holds.
    violation_tier, violation_trial_tier, review_tier : str
        The least tier for each outcome; below the first two it is a review, below the last not applicable.
    pending_grace : bool
        Whether a pending registration is ``allow_grace`` within its window.
    pending_window_hours : float
        How long after ``submitted_at``, in hours.
    phases : tuple of Phase
        The calendar. Where phases overlap, one with an end wins, then the latest start, then the earliest end.
    exemptions : tuple of Exemption
        Prefixes whose flows are allowed.
    """

    classes: tuple[str, ...] = ("vpn",)
    default_outcome: str = "allow_grace"
    violation_tier: str = "confirmed"
    violation_trial_tier: str = "confirmed"
    review_tier: str = "possible"
    pending_grace: bool = True
    pending_window_hours: float = 24
    phases: tuple[Phase, ...] = field(default=())
    exemptions: tuple[Exemption, ...] = field(default=())

    def __post_init__(self) -> None:
        if not self.classes:
            raise ConfigError(f"classes = [] is not permitted: give one or more of {', '.join(CLASSES)}")
        for name in self.classes:
            _one_of("classes", name, CLASSES)
        _one_of("default_outcome", self.default_outcome, PHASE_OUTCOMES)
        _one_of("tiers.violation", self.violation_tier, TIERS)
        _one_of("tiers.violation_trial", self.violation_trial_tier, TIERS)
        _one_of("tiers.review", self.review_tier, TIERS)
        if not 0 <= self.pending_window_hours <= MAX_WINDOW_HOURS:
            raise ConfigError(
                f"pending.window_hours = {self.pending_window_hours} is not permitted: give 0 to {MAX_WINDOW_HOURS}"
            )


def _one_of(name: str, value: object, permitted: Sequence[str]) -> None:
    if value not in permitted:
        raise ConfigError(f"{name} = {value!r} is not permitted: give one of {', '.join(permitted)}")

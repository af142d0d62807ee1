"""The policy: which outcomes flows have when, read from TOML, judged by the native core."""

from __future__ import annotations

import difflib
import hashlib
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from flowclass import _core
from flowclass.errors import ConfigError
from flowclass.registries.timestamps import SECOND_NS, datetime_to_ns

CLASSES = ("vpn", "overlay", "proxy", "covert", "app")
PHASE_OUTCOMES = ("allow_grace", "review", "violation_trial", "violation")
TIERS = ("possible", "probable", "confirmed")
MAX_WINDOW_HOURS = 87_600
_HOUR_NS = 3_600 * SECOND_NS


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
    """

    classes: tuple[str, ...] = ("vpn",)
    default_outcome: str = "allow_grace"
    violation_tier: str = "confirmed"
    violation_trial_tier: str = "confirmed"
    review_tier: str = "possible"
    pending_grace: bool = True
    pending_window_hours: float = 24
    phases: tuple[Phase, ...] = field(default=())

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


class Policy:
    r"""An immutable policy.

    Parameters
    ----------
    options : PolicyOptions
        What it says.
    text : bytes
        The file it was read from, for its hash.

    Raises
    ------
    ConfigError
        Where the options contradict each other.

    Examples
    --------
    >>> policy = Policy.parse(b'[[phase]]\nname = "enforce"\nfrom = 2024-12-01\noutcome = "violation"')
    >>> policy.options.phases[0].name
    'enforce'
    """

    __slots__ = ("_native", "_options", "_sha256")

    def __init__(self, options: PolicyOptions | None = None, *, text: bytes | None = None) -> None:
        self._options = options or PolicyOptions()
        self._sha256 = hashlib.sha256(repr(self._options).encode() if text is None else text).hexdigest()
        try:
            self._native = _build(self._options)
        except ValueError as problem:
            raise ConfigError(str(problem)) from None

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Policy:
        """Read a policy from a TOML file.

        Parameters
        ----------
        path : path
            The file.

        Returns
        -------
        Policy
            As the file says.

        Raises
        ------
        ConfigError
            Where it cannot be read, is not TOML, or holds an unknown key or a value that is not permitted.
        """
        source = Path(path)
        try:
            text = source.read_bytes()
        except OSError as problem:
            why = problem.strerror or str(problem)
            raise ConfigError(f"{source}: the policy cannot be read: {why}; check the path") from problem
        try:
            return cls.parse(text)
        except ConfigError as problem:
            raise ConfigError(f"{source}: {problem}") from None

    @classmethod
    def parse(cls, text: bytes) -> Policy:
        """Read a policy from TOML.

        Parameters
        ----------
        text : bytes
            The TOML document, UTF-8.

        Returns
        -------
        Policy
            As the document says.

        Raises
        ------
        ConfigError
            Where it is not TOML, or holds an unknown key or a value that is not permitted.
        """
        try:
            document = tomllib.loads(text.decode("utf-8"))
        except UnicodeDecodeError:
            raise ConfigError("not UTF-8 text; save it as UTF-8") from None
        except tomllib.TOMLDecodeError as problem:
            raise ConfigError(f"not TOML: {problem}") from None
        return cls(_options(document), text=text)

    @property
    def native(self) -> _core.Policy:
        """The native policy, for the engine."""
        return self._native

    @property
    def options(self) -> PolicyOptions:
        """What the policy says."""
        return self._options

    @property
    def sha256(self) -> str:
        """SHA-256, in hex, of the file it was read from; of its options where there was none."""
        return self._sha256

    def __repr__(self) -> str:
        return f"Policy({len(self._options.phases)} phases, sha256 {self._sha256[:12]})"


def _one_of(name: str, value: object, permitted: Sequence[str]) -> None:
    if value not in permitted:
        raise ConfigError(f"{name} = {value!r} is not permitted: give one of {', '.join(permitted)}")


def _check_keys(table: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)[0]
            raise ConfigError(f"{where}key {key!r} is not known; the nearest known one is {near!r}")


def _typed(table: Mapping[str, Any], key: str, kinds: tuple[type, ...], where: str) -> Any:
    value = table[key]
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        names = {str: "a text in quotes", bool: "true or false", int: "a number", float: "a number"}
        names |= {dict: "a table", list: "a list", date: "a date or date-time without quotes"}
        raise ConfigError(f"{where}{key} = {value!r} is not permitted: give {names[kinds[0]]}")
    return value


def _options(document: Mapping[str, Any]) -> PolicyOptions:
    _check_keys(document, ("classes", "default_outcome", "tiers", "pending", "phase"), "")
    given: dict[str, Any] = {}
    if "classes" in document:
        given["classes"] = tuple(_typed(document, "classes", (list,), ""))
    if "default_outcome" in document:
        given["default_outcome"] = _typed(document, "default_outcome", (str,), "")
    if "tiers" in document:
        tiers = _typed(document, "tiers", (dict,), "")
        _check_keys(tiers, ("violation", "violation_trial", "review"), "[tiers]: ")
        given |= {f"{key}_tier": _typed(tiers, key, (str,), "tiers.") for key in tiers}
    if "pending" in document:
        pending = _typed(document, "pending", (dict,), "")
        _check_keys(pending, ("grace", "window_hours"), "[pending]: ")
        kinds: dict[str, tuple[type, ...]] = {"grace": (bool,), "window_hours": (int, float)}
        given |= {f"pending_{key}": _typed(pending, key, kinds[key], "pending.") for key in pending}
    if "phase" in document:
        phases = _typed(document, "phase", (list,), "")
        given["phases"] = tuple(_phase(table, index) for index, table in enumerate(phases, start=1))
    return PolicyOptions(**given)


def _phase(table: object, index: int) -> Phase:
    where = f"phase {index}: "
    if not isinstance(table, dict):
        raise ConfigError(f"{where}it is not a table; write [[phase]] above its keys")
    _check_keys(table, ("name", "from", "until", "outcome"), where)
    for key in ("name", "from", "outcome"):
        if key not in table:
            raise ConfigError(f"{where}the key {key!r} is missing")
    return Phase(
        name=_typed(table, "name", (str,), where),
        start=_moment(table, "from", where),
        end=_moment(table, "until", where) if "until" in table else None,
        outcome=_typed(table, "outcome", (str,), where),
    )


def _moment(table: Mapping[str, Any], key: str, where: str) -> int:
    value = _typed(table, key, (date,), where)
    try:
        return datetime_to_ns(value if isinstance(value, datetime) else datetime.combine(value, time(), UTC))
    except ValueError:
        raise ConfigError(f"{where}{key} = {value} is not permitted: give a date of the years 1678 to 2261") from None


def _build(options: PolicyOptions) -> _core.Policy:
    return _core.Policy.build(
        classes=list(options.classes),
        default_outcome=options.default_outcome,
        tiers=(options.violation_tier, options.violation_trial_tier, options.review_tier),
        pending_grace=options.pending_grace,
        pending_window_ns=round(options.pending_window_hours * _HOUR_NS),
        phases=[(phase.name, phase.start, phase.end, phase.outcome) for phase in options.phases],
    )

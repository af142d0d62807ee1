"""The policy: which outcomes flows have when, read from TOML, judged by the native core."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from flowclass import _core
from flowclass.errors import ConfigError
from flowclass.policy.document import read
from flowclass.policy.options import CLASSES as CLASSES
from flowclass.policy.options import Exemption as Exemption
from flowclass.policy.options import Phase as Phase
from flowclass.policy.options import PolicyOptions as PolicyOptions
from flowclass.policy.options import exempt_networks
from flowclass.policy.problems import PolicyError as PolicyError
from flowclass.policy.problems import PolicyProblem as PolicyProblem
from flowclass.registries.timestamps import SECOND_NS

_HOUR_NS = 3_600 * SECOND_NS


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
            Where it cannot be read.
        PolicyError
            Where it is not TOML, or holds unknown keys or values that are not permitted: all of them, with lines.
        """
        source = Path(path)
        try:
            text = source.read_bytes()
        except OSError as problem:
            why = problem.strerror or str(problem)
            raise ConfigError(f"{source}: the policy cannot be read: {why}; check the path") from problem
        return cls.parse(text, name=str(source))

    @classmethod
    def parse(cls, text: bytes, *, name: str = "policy") -> Policy:
        """Read a policy from TOML.

        Parameters
        ----------
        text : bytes
            The TOML document, UTF-8.
        name : str
            What it is called in errors.

        Returns
        -------
        Policy
            As the document says.

        Raises
        ------
        PolicyError
            Where it is not TOML, or holds unknown keys or values that are not permitted: all of them, with lines.
        """
        return cls(read(text, name), text=text)

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


def _build(options: PolicyOptions) -> _core.Policy:
    return _core.Policy.build(
        classes=list(options.classes),
        default_outcome=options.default_outcome,
        tiers=(options.violation_tier, options.violation_trial_tier, options.review_tier),
        pending_grace=options.pending_grace,
        pending_window_ns=round(options.pending_window_hours * _HOUR_NS),
        phases=[(phase.name, phase.start, phase.end, phase.outcome) for phase in options.phases],
        exemptions=[
            (str(network), exemption.until)
            for exemption in options.exemptions
            for network in exempt_networks(exemption.prefix)
        ],
    )

"""Everything that decides what a run gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from flowclass._core import BorderPairs
from flowclass.errors import ConfigError
from flowclass.types import MAX_THREADS, EngineOptions, check_range

if TYPE_CHECKING:
    from flowclass.policy import Policy
    from flowclass.registry import Registry

Files = Literal["stream", "each"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Everything that decides what a run gives.

    Parameters
    ----------
    registry : Registry, optional
        The registered endpoints.
    policy : Policy, optional
        What follows from them.
    threads : int
        Workers; the records do not depend on it.
    files : {"stream", "each"}
        Whether the sources are one stream, in the order of their first packets, or each its own.
    engine : EngineOptions
        How flows are cut.
    rows : bool
        Whether there are records; without them flows are only counted, for the summary.
    latency_s : float, optional
        Records are given at latest so long after their flows ended, in batches that may be short; by default batches
        are full.
    border : BorderPairs, optional
        The sources are a piece of a stream: packets near its borders are left in ``Run.carried``.
    """

    registry: Registry | None = None
    policy: Policy | None = None
    threads: int = 1
    files: Files = "stream"
    engine: EngineOptions = field(default_factory=EngineOptions)
    rows: bool = True
    latency_s: float | None = None
    border: BorderPairs | None = None

    def __post_init__(self) -> None:
        check_range("threads", self.threads, 1, MAX_THREADS)
        if self.files not in ("stream", "each"):
            raise ConfigError(f"files = {self.files!r} is not permitted: give 'stream' or 'each'")
        if self.policy is not None and self.registry is None:
            raise ConfigError("a policy judges by a registry, and none was given: add one, or leave the policy out")

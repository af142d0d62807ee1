"""Who carries tasks to workers. One file an engine, each with one class ``Engine``, imported when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Literal, Protocol

from flowclass.errors import ConfigError

EngineName = Literal["local", "ray", "spark"]
NAMES: tuple[EngineName, ...] = ("local", "ray", "spark")
PACKAGES = {"ray": "ray", "spark": "pyspark"}


class Engine(Protocol):
    """Carries tasks to workers."""

    def run(self, messages: Sequence[bytes]) -> Iterator[tuple[int, bytes | str]]:
        """Let workers do ``flowclass.distributed.tasks.perform`` for every message.

        Returns
        -------
        iterator of (int, bytes or str)
            As they come: the place of the message, and the answer, or the sentence why there is none. That a worker
            died is no such reason: its task is tried again.

        Raises
        ------
        FlowclassError
            When the engine itself fails.
        """

    def close(self) -> None:
        """Let go of what was started for this run."""


def open_engine(name: EngineName, workers: int | None) -> Engine:
    """Open an engine.

    Parameters
    ----------
    name : {"local", "ray", "spark"}
        Processes of this machine; Ray; Spark.
    workers : int, optional
        How many tasks run at once; by default what the engine decides.

    Raises
    ------
    ConfigError
        When there is no such engine, or what it needs is not installed.
    """
    if name not in NAMES:
        raise ConfigError(f"engine = {name!r} is not permitted: give {', '.join(NAMES)}")
    if workers is not None and workers < 1:
        raise ConfigError(f"workers = {workers!r} is not permitted: give a whole number from 1")
    try:
        opened: Engine = import_module(f"flowclass.distributed.engines.{name}").Engine(workers)
    except ModuleNotFoundError as problem:
        if name not in PACKAGES or (problem.name or "").partition(".")[0] != PACKAGES[name]:
            raise
        raise ConfigError(
            f"the engine {name} needs the package {PACKAGES[name]}: pip install 'flowclass[{name}]'"
        ) from None
    return opened

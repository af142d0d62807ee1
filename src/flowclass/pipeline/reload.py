"""Takes the files of a registry and a policy. Loads them again while a run goes on, when they changed or on request.

What was loaded is verified as at the beginning, in a thread, and then handed on whole. A file that does not hold
changes nothing: the one of before stays in force, and it is said once. Files are looked at a few times a second, and
read when they have not changed for a second, so that one that is still being written is let alone.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from flowclass.errors import ConfigError, FlowclassError
from flowclass.schema import VERSION_DIGITS

if TYPE_CHECKING:
    from flowclass.engine import Engine
    from flowclass.policy import Policy
    from flowclass.registry import Registry

LOOK_S = 0.25
SETTLE_S = 1.0


@dataclass(slots=True)
class Reloads:
    """What became of registries and policies that came while a run went on.

    Parameters
    ----------
    taken : int
        How often others were put in force.
    refused : int
        How often a file did not hold.
    problem : str
        What was wrong with it, the last time.
    """

    taken: int = 0
    refused: int = 0
    problem: str = ""


class _Pair(NamedTuple):
    registry: Registry | None
    policy: Policy | None


class Judges:
    """The registry and the policy of a run, and those that are to be.

    Parameters
    ----------
    registry : Registry, optional
        What is asked.
    policy : Policy, optional
        What judges.

    Attributes
    ----------
    registry : Registry or None
        What is asked now.
    policy : Policy or None
        What judges now.
    reloads : Reloads
        What became of others.
    """

    def __init__(self, registry: Registry | None, policy: Policy | None) -> None:
        self.registry, self.policy = registry, policy
        self.reloads = Reloads()
        self._next: _Pair | None = None
        self._turn = threading.Lock()

    @property
    def coming(self) -> _Pair:
        """What will judge from the next slice on."""
        return self._next or _Pair(self.registry, self.policy)

    def replace(self, *, registry: Registry | None = None, policy: Policy | None = None) -> None:
        """Let another registry be asked, another policy judge, from the next slice of packets on; from any thread.

        Flows that have ended keep what was said of them; which versions it were stands on each row.

        Parameters
        ----------
        registry, policy : Registry, Policy, optional
            What is not given stays.

        Raises
        ------
        ConfigError
            When there would be a policy and no registry.
        """
        with self._turn:
            before = self.coming
            wanted = _Pair(before.registry if registry is None else registry, policy or before.policy)
            if wanted.policy is not None and wanted.registry is None:
                raise ConfigError("a policy judges by a registry, and none was given: give one too")
            self._next = wanted

    def put_in_force(self, engine: Engine) -> None:
        """Let the engine judge by what was set. Between two pushes: no flow is judged by two."""
        if self._next is None:
            return
        with self._turn:
            self.registry, self.policy = self._next
            self._next = None
        engine.set_judges(self.registry, self.policy)
        self.reloads.taken += 1


Identity = tuple[int, int, int, int]


@dataclass(slots=True)
class _File:
    path: Path
    word: str
    tried: Identity | None
    seen: Identity | None = None
    since: float = 0.0
    said: str = ""


@dataclass(slots=True)
class JudgesFiles:
    """The files as they were before they were read; to be made before that.

    Parameters
    ----------
    registry, policy : Path, optional
        The files.
    """

    registry: Path | None
    policy: Path | None
    files: list[_File] = field(init=False)

    def __post_init__(self) -> None:
        given = (("registry", self.registry), ("policy", self.policy))
        self.files = [_File(path=path, word=word, tried=_identity(path)) for word, path in given if path is not None]


class Reloader:
    """Loads files again; a context manager.

    Parameters
    ----------
    judges : Judges
        Of the run.
    files : JudgesFiles
        As they were before the run's were read.
    say : callable
        Takes a sentence for people: what was taken, or why not.
    """

    def __init__(self, judges: Judges, files: JudgesFiles, say: Callable[[str], None]) -> None:
        self._judges, self._files, self._say = judges, files.files, say
        self._asked = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="flowclass-reload", daemon=True)

    def ask(self) -> None:
        """Load all files now, changed or not. May be called in the handler of a signal: it sets a mark and no more."""
        self._asked = True

    def __enter__(self) -> Reloader:
        """Begin to look; nothing is done where there is no file."""
        if self._files:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Look no more; a file that is being read is read to its end and left."""
        self._over.set()
        if self._files:
            self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(LOOK_S):
            self.look(time.monotonic())

    def look(self, now: float) -> None:
        """Look once.

        Parameters
        ----------
        now : float
            Seconds of a clock that does not go back.
        """
        asked = self._asked
        if asked:  # a request that comes here is for the files as they are read below
            self._asked = False
        for file in self._files:
            found = _identity(file.path)
            if found != file.seen:
                file.seen, file.since = found, now
            settled = found is not None and found != file.tried and now - file.since >= SETTLE_S
            if asked or settled:
                file.tried = found
                self._load(file)

    def _load(self, file: _File) -> None:
        try:
            loaded: dict[str, Any] = {file.word: self._loaded(file)}
            was = _version(file.word, getattr(self._judges.coming, file.word))
            now = _version(file.word, loaded[file.word])
            if not self._over.is_set() and now != was:
                self._judges.replace(**loaded)
        except (FlowclassError, OSError, MemoryError) as problem:
            self._refuse(file, str(problem))
            return
        file.said = ""
        self._say(
            f"{file.word}  {file.path}: " + (f"version {now} takes over from {was}" if now != was else f"still {now}")
        )

    def _loaded(self, file: _File) -> Registry | Policy:
        from flowclass.policy import Policy
        from flowclass.registry import Registry

        return Registry.load(file.path) if file.word == "registry" else Policy.load(file.path)

    def _refuse(self, file: _File, sentence: str) -> None:
        self._judges.reloads.refused += 1
        self._judges.reloads.problem = sentence.partition("\n")[0]
        if sentence != file.said:
            file.said = sentence
            self._say(f"error: {sentence}\nthe {file.word} of before stays in force")


def _version(word: str, judge: Any) -> str:
    if judge is None:
        return "none"
    said: str = judge.version if word == "registry" else judge.sha256
    return said[:VERSION_DIGITS]


def _identity(path: Path) -> Identity | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

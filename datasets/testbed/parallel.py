"""Records many scenarios, some at a time, each in a process of its own (their namespaces carry its number)."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Tally", "record_all"]

_ROOT = Path(__file__).resolve().parents[2]
# Far more than any scenario takes; one that hangs must not keep the others from their count.
_LONGEST_SECONDS = 600


@dataclass(slots=True)
class Tally:
    """How a run of many scenarios ended."""

    recorded: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    seconds: float = 0

    def sentence(self) -> str:
        """Say it."""
        said = f"{len(self.recorded)} recorded, {len(self.failed)} failed, {len(self.skipped)} skipped"
        lines = [f"{said}, in {self.seconds // 60:.0f} min {self.seconds % 60:.0f} s."]
        lines += [
            f"{word}: {', '.join(names)}"
            for word, names in (
                ("recorded at the second try", self.again),
                ("failed", self.failed),
                ("skipped", self.skipped),
            )
            if names
        ]
        return "\n".join(lines)


def record_all(
    names: Sequence[str], output: Path, points: Sequence[str], *, jobs: int, say: Callable[[str], None]
) -> Tally:
    """Record scenarios and count how it went; a failure does not keep the others from running.

    Real programs that wait for each other on a busy machine sometimes wait too long: what failed is tried once more, by
    itself, when the others are done, and the count says so.

    Parameters
    ----------
    names : sequence of str
        The scenarios; what they need is here.
    output : Path
        Folder for the results.
    points : sequence of str
        Where to record.
    jobs : int
        How many run at the same time.
    say : callable
        Gets what each of them says.
    """
    tally = Tally()
    begin = time.monotonic()
    running: set[subprocess.Popen[str]] = set()
    lock = threading.Lock()
    closing = threading.Event()

    def record(name: str) -> tuple[int, str]:
        with lock:
            if closing.is_set():
                return 1, f"{name}: not begun"
            process = _start(name, output, points)
            running.add(process)
        try:
            said, _ = process.communicate(timeout=_LONGEST_SECONDS)
        except subprocess.TimeoutExpired:
            process.terminate()
            said = process.communicate()[0] + f"{name}: failed: it took longer than {_LONGEST_SECONDS} s\n"
        finally:
            with lock:
                running.discard(process)
        return process.returncode, said.strip()

    with ThreadPoolExecutor(jobs) as pool:
        try:
            futures = {pool.submit(record, name): name for name in names}
            for done in as_completed(futures):
                code, said = done.result()
                (tally.failed if code else tally.recorded).append(futures[done])
                say(said)
            for name in sorted(tally.failed):
                code, said = record(name)
                say(said)
                if code == 0:
                    tally.failed.remove(name)
                    tally.recorded.append(name)
                    tally.again.append(name)
        except BaseException:
            # They take their namespaces away by themselves; the pool waits for them.
            with lock:
                closing.set()
                for process in running:
                    process.terminate()
            raise
    tally.failed.sort()
    tally.recorded.sort()
    tally.seconds = time.monotonic() - begin
    return tally


def _start(name: str, output: Path, points: Sequence[str]) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "datasets.testbed", "run", name, "-o", str(output.resolve()), "--points", *points]
    return subprocess.Popen(
        argv, cwd=_ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )

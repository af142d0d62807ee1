"""Runs commands in children that end themselves at a chosen step, as by SIGKILL, and says how many steps there are.

A step is a moment just before or just after something lasts or is shown: a sync, a rename, a removal; or after octets
were pushed. A child ends by ``os._exit``: nothing is flushed, nothing is cleaned up.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

KILLED = 137


def steps_of(argv: list[str], kill_at: int | None) -> tuple[int, int]:
    """Run a command in a child; give its exit code, and the steps that it took when it was not killed."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code = 99
        try:
            os.close(reader)
            code = _run(argv, kill_at, writer)
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as told:
        steps = told.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code, int(steps or b"0")


def _run(argv: list[str], kill_at: int | None, writer: int) -> int:
    from flowclass.cli.main import run
    from flowclass.engine import Engine

    taken = 0

    def step() -> None:
        nonlocal taken
        taken += 1
        if taken == kill_at:
            os._exit(KILLED)

    def watched(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            step()
            result = function(*args, **kwargs)
            step()
            return result

        return call

    os.fsync, os.replace, os.unlink = watched(os.fsync), watched(os.replace), watched(os.unlink)  # type: ignore[assignment]
    Engine.push = watched(Engine.push)  # type: ignore[method-assign]
    code = run(argv)
    os.write(writer, b"%d" % taken)
    return code


def _is_over(output: Path, state: Path) -> bool:
    """Say whether the run had come to its end, and only the process had not: its checkpoint is gone again."""
    return not state.exists() and (output.is_file() or any(output.glob("flows-*")))


def main() -> None:
    """Kill one command at every step of a list, and run it again until it ends; print how each went, as JSON."""
    case = json.loads(sys.stdin.read())
    import flowclass.cli.live
    import flowclass.pipeline.batch
    import flowclass.sinks.rotating  # noqa: F401

    code, steps = steps_of(case["whole"], None)
    ends = []
    for number, kill_at in enumerate(range(1, steps + 1, max(1, case["stride"]))):
        argv = [part.replace("{}", str(number)) for part in case["kept"]]
        code, _ = steps_of(argv, kill_at)
        output, state = (Path(case[name].replace("{}", str(number))) for name in ("output", "state"))
        again = 0 if _is_over(output, state) else steps_of(argv, None)[0]
        ends.append([number, kill_at, code, again])
    print(json.dumps({"code": code, "steps": steps, "ends": ends}))


if __name__ == "__main__":
    main()

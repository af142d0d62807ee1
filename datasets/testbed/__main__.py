"""The testbed's command line: list, check, run, all."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from . import runner, scenario
from .errors import TestbedError


def main(argv: list[str] | None = None) -> int:
    """Run the command line; gives the exit code: 0 done, 1 something failed, 2 usage."""
    parser = argparse.ArgumentParser(
        prog="python -m datasets.testbed",
        description="Records real programs talking to each other in network namespaces, with labels.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="show all scenarios")
    commands.add_parser("check", help="say what this machine lacks to record them")
    one = commands.add_parser("run", help="record some scenarios")
    one.add_argument("scenario", nargs="+")
    every = commands.add_parser("all", help="record all scenarios")
    for command in (one, every):
        command.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="folder for the results")
    arguments = parser.parse_args(argv)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    try:
        if arguments.command == "list":
            return _list()
        if arguments.command == "check":
            return _check()
        names = arguments.scenario if arguments.command == "run" else scenario.all_names()
        return _run(names, arguments.output)
    except TestbedError as error:
        print(error, file=sys.stderr)
        return 1


def _list() -> int:
    for name in scenario.all_names():
        print(f"{name:40} {scenario.load(name).summary}")
    return 0


def _check() -> int:
    missing: dict[str, int] = {}
    for name in scenario.all_names():
        for sentence in runner.what_is_missing(scenario.load(name)):
            missing[sentence] = missing.get(sentence, 0) + 1
    for sentence, count in missing.items():
        print(f"{sentence} ({count} scenarios need it)")
    if not missing:
        print("Nothing is missing: every scenario can be recorded here.")
    return 1 if missing else 0


def _run(names: list[str], output: Path) -> int:
    chosen = [scenario.load(name) for name in names]
    for each in chosen:
        runner.check(each)
    failed = []
    for each in chosen:
        begin = time.monotonic()
        try:
            done = runner.run(each, output)
        except TestbedError as error:
            failed.append(each.name)
            print(f"{each.name}: failed: {error}", file=sys.stderr)
            continue
        size = done.capture.stat().st_size
        print(
            f"{each.capture}: {done.packets} packets, {size} bytes, {len(done.labels)} flows, "
            f"{time.monotonic() - begin:.1f} s",
            flush=True,
        )
    if failed:
        print(f"{len(failed)} of {len(chosen)} scenarios failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _leave(number: int, frame: FrameType | None) -> None:
    # An exception, so that namespaces are taken away on the way out.
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())

"""The testbed's command line: list, check, unpack, run, all, card, cut."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from . import card, cut, installed, runner, scenario
from .errors import MissingError, TestbedError
from .parallel import record_all
from .scenario import POINTS, Scenario
from .unpack import FOLDER, unpack

_DATASETS = Path(__file__).resolve().parents[1]


def main(argv: list[str] | None = None) -> int:
    """Run the command line; gives the exit code: 0 done, 1 something failed, 2 usage."""
    arguments = _parser().parse_args(argv)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _leave)
    try:
        match arguments.command:
            case "list":
                return _list(arguments.program)
            case "check":
                return _packages(arguments.packages) if arguments.packages else _check()
            case "unpack":
                return _unpack()
            case "card":
                return _card(arguments.folder, arguments.check)
            case "cut":
                return int(arguments.action(arguments))
            case "run":
                return _run(arguments.scenario, arguments.output, _points(arguments))
            case _:
                return _all(arguments.program, arguments.output, _points(arguments), arguments.jobs)
    except TestbedError as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m datasets.testbed",
        description="Records real programs talking to each other in network namespaces, with labels.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    show = commands.add_parser("list", help="show all scenarios, by program")
    look = commands.add_parser("check", help="say what this machine lacks to record them")
    look.add_argument(
        "--packages",
        nargs="?",
        const="*",
        metavar="INSTALLER",
        help="print the packages that all scenarios need instead: of apt, of pip, of unpack, or by installer",
    )
    commands.add_parser("unpack", help=f"unpack the packages that exclude others into {FOLDER}, with links to them")
    one = commands.add_parser("run", help="record some scenarios, one after the other")
    one.add_argument("scenario", nargs="+")
    every = commands.add_parser("all", help="record all scenarios that this machine can; says which it can't")
    every.add_argument("-j", "--jobs", type=_positive, default=1, metavar="N", help="how many at a time (1)")
    for command in (show, every):
        command.add_argument("--program", action="append", metavar="NAME", help="only this program's; may be repeated")
    for command in (one, every):
        command.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="folder for the results")
        command.add_argument(
            "--points",
            nargs="+",
            choices=POINTS,
            help="where to record; default: everywhere, but only in the middle where DIR is the checkout's datasets/",
        )
    cut.add_command(commands)
    table = commands.add_parser("card", help="write the tables of README.md from the lists beside it")
    table.add_argument("folder", nargs="?", type=Path, default=_DATASETS)
    table.add_argument("--check", action="store_true", help="only say whether they are up to date")
    return parser


def _points(arguments: argparse.Namespace) -> Sequence[str]:
    if arguments.points:
        return list(dict.fromkeys(arguments.points))
    return ("middle",) if arguments.output.resolve() == _DATASETS else POINTS


def _chosen(wanted: Sequence[str] | None) -> dict[str, list[Scenario]]:
    """Give scenarios by program."""
    groups: dict[str, list[Scenario]] = {}
    for each in map(scenario.load, scenario.all_names()):
        groups.setdefault(each.program, []).append(each)
    unknown = sorted(set(wanted or ()) - set(groups))
    if unknown:
        raise TestbedError(f"no scenario is for {', '.join(unknown)}; there are: {', '.join(sorted(groups))}")
    return {program: groups[program] for program in sorted(groups) if not wanted or program in wanted}


def _list(wanted: Sequence[str] | None) -> int:
    groups = _chosen(wanted)
    for program, members in groups.items():
        print(f"{program} ({len(members)})")
        for each in members:
            print(f"  {each.name:46} {each.summary}")
    print(f"{sum(map(len, groups.values()))} scenarios of {len(groups)} programs")
    return 0


def _check() -> int:
    lacking = 0
    for program, members in _chosen(None).items():
        sentences = dict.fromkeys(sentence for each in members for sentence in installed.what_is_missing(each))
        lacking += bool(sentences)
        print(f"{program} ({len(members)}): {' '.join(sentences) or 'can be recorded'}")
    print(
        "Nothing is missing: every scenario can be recorded here."
        if not lacking
        else f"{lacking} programs lack something."
    )
    return 1 if lacking else 0


def _packages(installer: str) -> int:
    found = installed.packages(each for members in _chosen(None).values() for each in members)
    if installer == "*":
        for kind, names in found.items():
            print(f"{kind}: {' '.join(names)}")
    elif installer in found:
        print(" ".join(found[installer]))
    else:
        raise TestbedError(f"no package is of {installer!r}; there are: {', '.join(found)}")
    return 0


def _unpack() -> int:
    if os.geteuid() != 0:
        raise MissingError("Root is needed to write into /opt and /usr: run it with sudo.")
    found = installed.packages(each for members in _chosen(None).values() for each in members)
    for sentence in unpack(found.get("unpack", ())):
        print(sentence)
    return 0


def _card(folder: Path, only_check: bool) -> int:
    if card.up_to_date(folder):
        return 0
    if only_check:
        raise TestbedError(
            f"the tables of {folder / 'README.md'} are old: write them with `python -m datasets.testbed card`"
        )
    card.write(folder)
    return 0


def _run(names: list[str], output: Path, points: Sequence[str]) -> int:
    chosen = [scenario.load(name) for name in names]
    for each in chosen:
        runner.check(each)
    failed = []
    for each in chosen:
        begin = time.monotonic()
        try:
            done = runner.run(each, output, points=points)
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
    if failed and len(chosen) > 1:
        print(f"{len(failed)} of {len(chosen)} scenarios failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _all(wanted: Sequence[str] | None, output: Path, points: Sequence[str], jobs: int) -> int:
    if os.geteuid() != 0:
        raise MissingError(installed.NO_ROOT)
    names: list[str] = []
    skipped: list[str] = []
    for members in _chosen(wanted).values():
        for each in members:
            missing = installed.what_is_missing(each)
            if missing:
                skipped.append(each.name)
                print(f"{each.name}: skipped: {' '.join(missing)}", flush=True)
            else:
                names.append(each.name)
    tally = record_all(names, output, points, jobs=jobs, say=lambda said: print(said, flush=True))
    tally.skipped = skipped
    print(tally.sentence(), flush=True)
    return 1 if tally.failed else 0


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(f"{text} is less than 1")
    return number


def _leave(number: int, frame: FrameType | None) -> None:
    # An exception, so that namespaces are taken away on the way out; a second signal does not stop that.
    for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())

"""Every command of the walk-through and of the how-to pages runs, and shows what the page shows.

What the fingerprints say is compared without its numbers, line by line in any order; all else as it stands. Between
lines, `...` stands for any number of others.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import ROOT

import flowclass

PAGE = ROOT / "docs" / "walkthrough.md"
HOWTO = sorted((ROOT / "docs").glob("howto_*.md"))
SECTION = "## From a registration list to a trial report"
OF_FINGERPRINTS = ("flowclass classify", "flowclass report")
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LEFT_OUT = "..."
MARK = "== end of command"


@dataclass(frozen=True)
class Step:
    """A command and what the page shows of its output."""

    command: str
    shown: tuple[str, ...]


def steps_of(text: str) -> list[Step]:
    found: list[Step] = []
    for block in BLOCK.findall(text):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *shown = part.rstrip("\n").split("\n")
            found.append(Step(command, tuple(shown)))
    return found


def plain(line: str, *, numbers: bool) -> str:
    """Give a line without alignment; without times and hashes, and where asked without numbers."""
    line = re.sub(r"\b[0-9a-f]{64}\b", "<sha256>", line)
    if not numbers:
        line = re.sub(r"\b(?=[a-f]*\d)[0-9a-f]{12}\b|\d[\d,]*", "#", line)
    return " ".join(line.split())


def differs(step: Step, printed: Sequence[str]) -> str | None:
    """Say how the output differs from what is shown; None where it does not."""
    loose = step.command.startswith(OF_FINGERPRINTS)
    have = [plain(line, numbers=not loose) for line in printed]
    want = [line if line == LEFT_OUT else plain(line, numbers=not loose) for line in step.shown]
    missing = [line for line in want if line != LEFT_OUT and line not in have]
    if missing:
        return f"is shown and not printed: {missing}"
    if LEFT_OUT not in want and len(have) != len(want):
        return f"{len(have)} lines were printed, {len(want)} are shown"
    pattern = "".join(r"(?:.*\n)*" if line == LEFT_OUT else re.escape(line) + "\n" for line in want)
    if not loose and re.fullmatch(pattern, "".join(line + "\n" for line in have)) is None:
        return "is shown in another order, or something between is left out silently"
    return None


STEPS = steps_of(PAGE.read_text(encoding="utf-8"))


def run_all(steps: Sequence[Step], folder: Path, programs: Path) -> list[list[str]]:
    """Run all commands in one shell, and give what each printed."""
    (folder / "datasets").symlink_to(ROOT / "datasets")
    for name, words in (("python", ""), ("flowclass", "-m flowclass.cli.main ")):
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {words}"$@"\n')
        (programs / name).chmod(0o755)
    script = "".join(f"{step.command}\ncode=$?; echo '{MARK}'; (exit $code)\n" for step in steps)
    package = str(Path(flowclass.__file__).parents[1])
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("FLOWCLASS_", "COLUMNS"))}
    paths = {"PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": package, "NO_COLOR": "1"}
    done = subprocess.run(
        ["bash"], input=script, cwd=folder, env=variables | paths, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=600, check=False,
    )  # fmt: skip
    parts = done.stdout.split(MARK + "\n")
    assert len(parts) == len(steps) + 1, done.stdout[-2000:]
    return [part.splitlines() for part in parts[:-1]]


@pytest.mark.parametrize("page", [PAGE, *HOWTO], ids=lambda page: page.stem)
def test_every_command_shows_what_the_page_shows(page: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    steps = steps_of(page.read_text(encoding="utf-8"))
    if page == PAGE:
        assert len(steps) > 20
    if shutil.which("tshark") is None:
        steps = [step for step in steps if not step.command.startswith("flowclass verify")]
    assert steps
    printed = run_all(steps, tmp_path_factory.mktemp("walk"), tmp_path_factory.mktemp("programs"))
    told = [
        f"$ {step.command}\n{problem}\n" + "\n".join(lines)
        for step, lines in zip(steps, printed, strict=True)
        if (problem := differs(step, lines)) is not None
    ]
    assert not told, "\n\n".join(told)


def test_the_short_version_is_part_of_the_long_one() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.split(SECTION + "\n")[1].split("\n## ")[0]
    long = {step.command: step.shown for step in STEPS}
    short = steps_of(section)
    assert len(short) > 5
    for step in short:
        assert step.command in long, step.command
        missing = [line for line in step.shown if line != LEFT_OUT and line not in long[step.command]]
        assert not missing, f"{step.command}: {missing}"


@pytest.mark.parametrize(
    ("command", "shown", "lines"),
    [
        ("echo", ["a 1"], ["a 2"]),
        ("echo", ["a", "b"], ["b", "a"]),
        ("echo", ["a", "b"], ["a", "x", "b"]),
        ("echo", ["a", LEFT_OUT], ["x", "a"]),
        ("flowclass report", ["a 1"], ["b 1"]),
        ("flowclass report", ["a 1"], ["a 2", "a 3"]),
    ],
)
def test_a_difference_would_be_noticed(command: str, shown: list[str], lines: list[str]) -> None:
    assert differs(Step(command, tuple(shown)), lines) is not None


def test_what_is_let_pass() -> None:
    assert (
        differs(Step("flowclass report", ("vpn   12 flows 5c4170496bdb", LEFT_OUT)), ["vpn 3 flows 0a4170496bdb"])
        is None
    )
    assert differs(Step("echo", ("a", LEFT_OUT, "b")), ["a", "x", "y", "b"]) is None

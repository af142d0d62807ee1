"""Help, manual pages and completion: every command has examples that parse, its exit codes, and 80 columns at most."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from conftest import Command

from flowclass.cli.exit_codes import Exit
from flowclass.cli.main import app
from flowclass.cli.man import commands_of, write
from flowclass.cli.teach import CODES, EXAMPLES

ALL = dict(commands_of())
NAMES = [name.removeprefix("flowclass").strip() for name in ALL]


@pytest.mark.parametrize("name", NAMES)
def test_the_help(name: str, flowclass_command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    ended = flowclass_command(*name.split(), "--help")
    assert ended.code == 0
    assert "Examples:" in ended.out, f"{name}: give it examples in src/flowclass/cli/teach.py"
    assert "Exit codes:" in ended.out
    assert not [line for line in ended.out.splitlines() if len(line) > 80]


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_the_examples_parse(name: str) -> None:
    """Every option that an example names is one that the command has, with a value that it takes."""
    lines, codes = EXAMPLES[name]
    assert set(codes) <= set(CODES)
    found = 0
    for line in "\n".join(lines).replace("\\\n", " ").split("\n"):
        for piece in re.split(r"\|", line):
            words = shlex.split(piece, comments=True)
            if "flowclass" not in words[:1]:
                continue
            words = words[1 : words.index(">") if ">" in words else None]
            command: click.Command = app
            context = click.Context(app)
            while isinstance(command, click.Group):
                assert words[0] in command.list_commands(context), line
                command = command.get_command(context, words.pop(0)) or command
            with command.make_context("x", words, resilient_parsing=False):
                found += 1
    assert found or name == "completion"


def test_the_codes_are_those_of_the_program() -> None:
    assert set(CODES) - {130} == {int(code) for code in Exit} - {int(Exit.SIGNAL)}


def test_every_command_is_taught() -> None:
    assert set(NAMES) - {""} == set(EXAMPLES)


def test_manual_pages(tmp_path: Path) -> None:
    pages = write(tmp_path)
    assert {page.name for page in pages} >= {"flowclass.1", "flowclass-classify.1", "flowclass-registry-check.1"}
    text = (tmp_path / "flowclass-verify.1").read_text()
    for section in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", "EXIT CODES", "SEE ALSO"):
        assert f".SH {section}" in text
    for page in pages:
        assert not re.findall(r"^[.'](?!TH|SH|PP|TP|B |nf|fi)", page.read_text(), re.MULTILINE), page
    if shutil.which("man") is None:
        return
    shown = subprocess.run(
        ["man", "--warnings", "-E", "UTF-8", "-l", tmp_path / "flowclass-classify.1"],
        capture_output=True, text=True, check=True, env=os.environ | {"MANWIDTH": "80", "PAGER": "cat"},
    )  # fmt: skip
    assert shown.stderr == ""
    assert "--registry PATH" in shown.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell(shell: str, flowclass_command: Command) -> None:
    ended = flowclass_command("completion", shell)
    assert ended.code == 0
    assert "_FLOWCLASS_COMPLETE" in ended.out
    assert "flowclass" in ended.out


@pytest.mark.parametrize(
    ("words", "number", "completed"),
    [
        ("flowclass cl", 1, "plain,classify"),
        ("flowclass registry lo", 2, "plain,lookup"),
        ("flowclass classify --form", 2, "plain,--format"),
        ("flowclass classify --format par", 3, "plain,parquet"),
        ("flowclass verify cap", 2, "file,cap"),
        ("flowclass explain x --pcap cap", 4, "file,cap"),
    ],
)
def test_what_is_completed(words: str, number: int, completed: str) -> None:
    """As a shell asks for it; the script itself is click's."""
    variables = {"_FLOWCLASS_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(number)}
    program = "from flowclass.cli.main import main; import sys; sys.argv = ['flowclass']; main()"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, env=os.environ | variables
    )
    assert completed in done.stdout.splitlines(), done

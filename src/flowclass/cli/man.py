"""Writes manual pages, one for each command, from what ``--help`` says.

Takes the commands. Gives roff (man(7)) in a folder: ``python -m flowclass.cli.man FOLDER``; ``make man`` does so.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from flowclass.cli.main import app
from flowclass.version import __version__


def commands_of() -> Iterator[tuple[str, click.Command]]:
    """Give every command with its whole name, groups first."""
    yield "flowclass", app
    yield from _inside("flowclass", app)


def _inside(path: str, group: click.Group) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group, info_name=path)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from _inside(f"{path} {name}", command)


def page(path: str, command: click.Command, others: list[str]) -> str:
    """Give one manual page.

    Parameters
    ----------
    path : str
        The command's whole name.
    command : click.Command
        The command.
    others : list of str
        Names of related pages.
    """
    context = click.Context(command, info_name=path)
    title = path.replace(" ", "-")
    brief = (command.get_short_help_str(200) or "").rstrip(".")
    usage = " ".join(command.collect_usage_pieces(context))
    lines = [
        f'.TH "{title.upper()}" "1" "" "flowclass {__version__}" "flowclass"',
        ".SH NAME",
        f"{_escaped(title)} \\- {_escaped(brief)}",
        ".SH SYNOPSIS",
        f".B {_escaped(path)}",
        _escaped(usage),
        ".SH DESCRIPTION",
        *_paragraphs(inspect.cleandoc(command.help or "")),
        ".SH OPTIONS",
        *_options(command, context),
    ]
    if isinstance(command, click.Group):
        lines.append(".SH COMMANDS")
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            lines += [".TP", f".B {_escaped(name)}", _escaped(found.get_short_help_str(200))]
    lines += _paragraphs(command.epilog or "")
    if others:
        lines += [".SH SEE ALSO", ", ".join(f"\\fB{_escaped(other)}\\fR(1)" for other in others)]
    return "\n".join(lines) + "\n"


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    for param in command.get_params(context):
        record = param.get_help_record(context)
        if record is not None:
            yield ".TP"
            yield f".B {_escaped(record[0])}"
            yield _escaped(record[1])
        if isinstance(param, click.Option) and isinstance(param.envvar, str):
            yield f"Environment: {_escaped(param.envvar)}."


def _paragraphs(text: str) -> Iterator[str]:
    """Give paragraphs; those that begin with a backspace stand as they are written, and a title ends with a colon."""
    for paragraph in text.split("\n\n"):
        lines = paragraph.strip("\n").split("\n")
        if lines[0] != "\b":
            yield ".PP"
            yield _escaped(" ".join(line.strip() for line in lines))
            continue
        lines = lines[1:]
        if len(lines) > 1 and lines[0].endswith(":"):
            yield f".SH {_escaped(lines[0].removesuffix(':').upper())}"
            lines = lines[1:]
        yield from (".nf", *map(_escaped, lines), ".fi")


def _escaped(text: str) -> str:
    """Give text in which roff finds no request: backslashes, hyphens, and dots or quotes at the beginning."""
    plain = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + plain if plain.startswith((".", "'")) else plain


def write(folder: Path) -> list[Path]:
    """Write all pages; give where they lie."""
    folder.mkdir(parents=True, exist_ok=True)
    found = dict(commands_of())
    written = []
    for path, command in found.items():
        inside = [name.replace(" ", "-") for name in found if name.rpartition(" ")[0] == path]
        parent = path.rpartition(" ")[0].replace(" ", "-")
        file = folder / f"{path.replace(' ', '-')}.1"
        file.write_text(page(path, command, ([parent] if parent else []) + inside), encoding="utf-8")
        written.append(file)
    return written


if __name__ == "__main__":
    click.echo(f"{len(write(Path(sys.argv[1])))} pages in {sys.argv[1]}")

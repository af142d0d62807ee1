"""What the commands of the registrar's desk share: its options, instants, and how changes are shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from flowclass.cli import config
from flowclass.cli.exit_codes import Exit
from flowclass.cli.options import common, setting
from flowclass.cli.values import clean
from flowclass.desk.acts import Act, Change
from flowclass.desk.applications import REFERENCES
from flowclass.desk.desk import Desk
from flowclass.errors import RowProblem
from flowclass.registries.timestamps import format_timestamp, parse_timestamp

Command = TypeVar("Command", bound=Callable[..., Any])


def moment(text: str) -> int:
    """Read an instant, ns UTC.

    Raises
    ------
    click.BadParameter
        When the text is no instant.
    """
    try:
        return parse_timestamp(str(text))
    except ValueError as problem:
        raise click.BadParameter(f"{text!r}: {problem}") from None


def _read_config(ctx: click.Context, param: click.Parameter, value: Path | None) -> Path | None:
    del param
    ctx.default_map = config.desk_defaults(ctx.command, value)
    return value


def at_desk(command: Command) -> Command:
    """Declare the options of every command that opens the desk."""
    command = setting("--desk", required=True, type=click.Path(path_type=Path), help="The registrar's desk.")(command)
    return click.option(
        "--config",
        envvar="FLOWCLASS_CONFIG",
        type=click.Path(path_type=Path),
        is_eager=True,
        expose_value=False,
        callback=_read_config,
        help="Options from a TOML file; ./flowclass.toml is read anyway.",
    )(command)


def acting(command: Command) -> Command:
    """Declare the options of every command that changes something."""
    for option in (
        click.option("--at", type=moment, help="Since when it counts, not in the future; now by default."),
        click.option("--why", default="", help="The reason."),
        setting("--who", required=True, help="The official who does it."),
        at_desk,
    ):
        command = option(command)
    return command


def decision(action: str, short: str, sentence: str) -> click.Command:
    """Make a command that does one thing to registrations, all of them or none, and takes nothing but a reason.

    Parameters
    ----------
    action : str
        The command, and the method of `Desk`.
    short, sentence : str
        Its help.
    """

    def decide(*, ids: tuple[str, ...], desk: Path, who: str, why: str, at: int | None, as_json: bool) -> int:
        act = Act(who=who, why=why, at=at)
        with open_desk(desk) as opened, opened.writing():
            changes = [getattr(opened, action)(registration_id, act) for registration_id in ids]
        show(changes, as_json=as_json)
        return Exit.DONE

    decide.__doc__ = sentence
    argument = click.argument("ids", nargs=-1, required=True, metavar="ID...")
    return click.command(name=action, short_help=short)(argument(acting(common(decide))))


def with_references(command: Command) -> Command:
    """Declare the options that say where the registrar's files lie."""
    for option in (
        click.option(
            "--waive", multiple=True, type=click.Choice(list(REFERENCES)), help="A reference that need not be given."
        ),
        click.option("--file", help="Where the file with the application itself lies."),
        click.option("--letter", help="Where the file with the employer's letter lies."),
        click.option("--identity", help="Where the file with the proof of identity lies."),
        click.option("--taxpayer", help="Where the file with the taxpayer status lies."),
        click.option("--company", help="Where the registrar's file with the company's registration lies."),
    ):
        command = option(command)
    return command


def words(text: str) -> tuple[str, ...]:
    """Take a list apart at ';' and spaces."""
    return tuple(part for part in re.split(r"[;\s]+", text) if part)


def open_desk(path: Path, *, create: bool = False) -> Desk:
    """Open the desk, saying so where it is new."""
    new = create and not path.exists()
    opened = Desk(path, create=create)
    if new:
        click.echo(f"{clean(str(path))}: a new desk", err=True)
    return opened


def show(changes: Sequence[Change], *, as_json: bool, warnings: Sequence[RowProblem] = ()) -> None:
    """Print what was done."""
    for warning in warnings:
        click.echo(clean(str(warning)), err=True)
    if as_json:
        content = {
            "schema": "flowclass.registry.changes/1",
            "changes": [facts(change) for change in changes],
            "warnings": [asdict(warning) for warning in warnings],
        }
        click.echo(msgspec.json.encode(content).decode())
        return
    for change in changes:
        click.echo(clean(f"{change.registration_id}  {_states(change)} at {format_timestamp(change.effective_at)}"))


def facts(change: Change) -> dict[str, Any]:
    """Give an event for programs, without the words of officials."""
    return {
        "event": change.event,
        "registration_id": change.registration_id,
        "action": change.action,
        "from_state": change.from_state,
        "to_state": change.to_state,
        "effective_at": format_timestamp(change.effective_at),
        "recorded_at": format_timestamp(change.recorded_at),
        "backdated": change.backdated,
    }


def _states(change: Change) -> str:
    if change.from_state is None:
        return change.to_state
    if change.from_state == change.to_state:
        return f"{change.to_state}, {'amended' if change.action == 'amend' else 'renewed'}"
    return f"{change.from_state} -> {change.to_state}"

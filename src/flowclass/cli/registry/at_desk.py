"""What the commands of the registrar's desk share: its options, instants, and how changes are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from flowclass.cli import config
from flowclass.cli.options import setting
from flowclass.cli.values import clean
from flowclass.desk.acts import Change
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


def open_desk(path: Path, *, create: bool = False) -> Desk:
    """Open the desk, saying so where it is new."""
    if create and not path.exists():
        click.echo(f"{clean(str(path))}: a new desk", err=True)
    return Desk(path, create=create)


def show(changes: Sequence[Change], *, as_json: bool, warnings: Iterable[RowProblem] = ()) -> None:
    """Print what was done."""
    for warning in warnings:
        click.echo(clean(str(warning)), err=True)
    if as_json:
        content = {"schema": "flowclass.registry.changes/1", "changes": [facts(change) for change in changes]}
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
        return f"{change.to_state}, renewed"
    return f"{change.from_state} -> {change.to_state}"

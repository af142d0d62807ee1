"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from flowclass.cli import config

Command = TypeVar("Command", bound=Callable[..., Any])


def files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Let the shell complete what may be a file, a folder or more, and so has no type of its own."""
    del ctx, param
    return [CompletionItem(incomplete, type="file")]


def setting(*names: str, **facts: Any) -> Callable[[Command], Command]:
    """Declare an option that ``FLOWCLASS_<NAME>`` sets too."""
    long = names[-1] if names[-1].startswith("--") else next(name for name in names if name.startswith("--"))
    variable = "FLOWCLASS_" + long.removeprefix("--").replace("-", "_").upper()
    return click.option(*names, envvar=variable, **facts)


def common(command: Command) -> Command:
    """Declare the options of every command that prints."""
    command = click.option("--debug", is_flag=True, expose_value=False, help="Show where an error came from.")(command)
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")(command)


def with_config(command: Command) -> Command:
    """Declare ``--config`` and read options from files."""
    return with_config_for()(command)


def with_config_for(*keys: str) -> Callable[[Command], Command]:
    """Declare ``--config`` and read some options from files; all where none is named."""

    def read(ctx: click.Context, param: click.Parameter, value: Path | None) -> Path | None:
        del param
        ctx.default_map = config.defaults(ctx.command, value, keys)
        return value

    return click.option(
        "--config",
        envvar="FLOWCLASS_CONFIG",
        type=click.Path(path_type=Path),
        is_eager=True,
        expose_value=False,
        callback=read,
        help="Options from a TOML file; ./flowclass.toml is read anyway.",
    )

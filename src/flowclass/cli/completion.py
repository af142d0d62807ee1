"""``flowclass completion``: the script that lets a shell complete commands, options and files."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from flowclass.errors import ConfigError

VARIABLE = "_FLOWCLASS_COMPLETE"


@click.command(short_help="Print what lets a shell complete commands and options.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> int:
    """Print the script for SHELL; put it where the shell finds it, or evaluate it."""
    from flowclass.cli.main import app

    found = get_completion_class(shell)
    if found is None:
        raise ConfigError(f"click has no completion for {shell}; give bash, zsh or fish")
    click.echo(found(app, {}, "flowclass", VARIABLE).source())
    return 0

"""``flowclass registry``: the commands on the list of registrations, one file for each."""

from __future__ import annotations

from importlib import import_module
from keyword import iskeyword

import click

from flowclass.cli.teach import taught

COMMANDS = {
    "check": "Check every row of a registry.",
    "lookup": "Say what the registry knows of addresses.",
    "build": "Compile lists into one snapshot file.",
    "show": "Say what a registry or snapshot holds.",
    "diff": "Say what changed between two registries.",
    "apply": "Take an application in.",
    "amend": "Change what a pending application asks for.",
    "approve": "Approve what is pending, give back what is suspended.",
    "reject": "Reject what is pending.",
    "suspend": "Suspend what is approved.",
    "revoke": "Revoke what is approved or suspended, for good.",
    "renew": "Prolong what is approved.",
    "history": "Say who did what, when and why.",
    "import": "Take a whole list in.",
    "export": "Write the registry as of any instant.",
    "stats": "Say how long approvals take and what waits too long.",
}


class RegistryCommands(click.Group):
    """Loads a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give the names."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in COMMANDS:
            return None
        name = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        module = import_module(f"flowclass.cli.registry.{name}")
        found: click.Command = getattr(module, name)
        return taught(f"registry {cmd_name}", found)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=RegistryCommands, short_help="The list of registrations: check it, look addresses up in it.")
def registry() -> None:
    """Check a registry, look addresses up in it."""

"""The entry point: finds the command, runs it, and turns errors into sentences and exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from flowclass.cli.exit_codes import Exit, of_error
from flowclass.cli.teach import taught
from flowclass.cli.values import clean
from flowclass.errors import FlowclassError
from flowclass.version import __version__

COMMANDS = {
    "classify": "Say for every flow which protocol it is, with evidence.",
    "live": "The same of packets as they come: interfaces, a folder that fills, a pipe.",
    "merge-stream": "Join the records of several observation points: each flow once.",
    "match": "Match saved heads again, without the capture.",
    "judge": "Judge a finished run by another registry, policy or date.",
    "diff": "Say which outcomes change from one run to another.",
    "explain": "Tell the story of a verdict: the checks, their octets, the losers.",
    "protocols": "List the protocols that are told apart, and their rules.",
    "report": "Report a finished run to the person who must decide.",
    "verify": "Compare our flows of captures with tshark's, packet for packet.",
    "evaluate": "Measure the verdicts on captures whose flows are known.",
    "schema": "Print the columns of a flow record.",
    "registry": "Check a registry and look addresses up in it.",
    "completion": "Print what lets a shell complete commands and options.",
}
DEFAULT = "classify"


class Commands(click.Group):
    """Loads a command when it is asked for; what is no command is a source to classify."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give the names."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        found: click.Command = getattr(import_module(f"flowclass.cli.{name}"), name)
        return taught(cmd_name, found)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default command in front where none is named."""
        if args and args[0] not in COMMANDS and args[0] not in ("--help", "-h", "--version"):
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    del param
    if value:
        click.echo(f"flowclass {__version__}")
        ctx.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Say the version.")
def app() -> None:
    """Say for every network flow which VPN or tunnel protocol it is, with evidence.

    `flowclass a.pcap` means `flowclass classify a.pcap`.

    \b
    Examples:
      flowclass capture.pcapng
      flowclass classify /captures/2026-11 -o flows.parquet
      flowclass explain 7e8e7278 --in flows.parquet --pcap /captures/2026-11
      flowclass classify a.pcap --registry list.csv --policy policy.toml
      flowclass COMMAND --help

    \b
    Exit codes:
      0 all read
      1 internal error
      2 usage
      3 done, but some input was cut, garbled or dropped
      4 no usable input
      5 registry, policy or configuration not valid
      6 output failed
      10 --fail-on-violation and there are some
      130, 143 ended by a signal, with complete files

    \b
    Link types: Ethernet, raw IP, NULL/LOOP, Linux cooked (1 and 2), PPP,
    Cisco HDLC, 802.11 with radiotap, NFLOG.
    """  # noqa: D301 click looks for the octet, not for the two letters


def run(args: Sequence[str], *, own_process: bool = False) -> int:
    """Run one command line.

    Parameters
    ----------
    args : sequence of str
        Without the program's name.
    own_process : bool
        Whether the process is there for this command alone, so that it may give up rights for good.

    Returns
    -------
    int
        The exit code.
    """
    debug = "--debug" in args
    try:
        result: Any = app.main(list(args), prog_name="flowclass", standalone_mode=False, obj=own_process)
        sys.stdout.flush()
        return int(result or 0)
    except click.ClickException as problem:
        problem.show()
        return problem.exit_code
    except (click.Abort, KeyboardInterrupt):
        return Exit.SIGNAL + 2
    except FlowclassError as problem:
        if debug:
            raise
        click.echo("\n".join(clean(line) for line in f"error: {problem}".split("\n")), err=True)
        return of_error(problem)
    except BrokenPipeError:
        _silence_stdout()
        return Exit.OUTPUT
    except Exception as problem:
        if debug:
            raise
        click.echo(
            f"error: flowclass failed inside: {type(problem).__name__}: {problem}; this is a fault of flowclass, not of"
            " the input: please report it with what --debug shows",
            err=True,
        )
        return Exit.INTERNAL


def _silence_stdout() -> None:
    """Keep the interpreter from writing into a pipe that nobody reads."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main() -> None:
    """Run the program's own command line."""
    # The threads that numpy's linear algebra starts when it is imported turn in circles for a while, and nothing here
    # has work for them: a third of the processor time of a short run.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    code = run(sys.argv[1:], own_process=True)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _silence_stdout()
        code = Exit.OUTPUT
    sys.exit(code)


if __name__ == "__main__":
    main()

"""The options that say how wide a prefix may be without a warning."""

from __future__ import annotations

import click

from flowclass.cli.options import Command, setting, with_config_for
from flowclass.registries.kinds import Limits

_USUAL = Limits()


def with_limits(command: Command) -> Command:
    """Declare ``--widest-ipv4`` and ``--widest-ipv6``, which files can set too."""
    for version, most, usual in ((6, 128, _USUAL.widest_ipv6), (4, 32, _USUAL.widest_ipv4)):
        command = setting(
            f"--widest-ipv{version}",
            type=click.IntRange(0, most),
            default=usual,
            show_default=True,
            metavar="BITS",
            help=f"Warn of IPv{version} prefixes that are shorter.",
        )(command)
    return with_config_for("widest_ipv4", "widest_ipv6")(command)

"""The options of every command that can anonymise what it writes."""

from __future__ import annotations

from pathlib import Path

import click

from flowclass.anonymize import METHOD, CryptoPan
from flowclass.cli.options import Command, setting
from flowclass.cli.values import clean


def with_anonymize(command: Command) -> Command:
    """Declare ``--anonymize`` and ``--key-file``."""
    command = setting(
        "--key-file",
        type=click.Path(path_type=Path),
        help="The key of --anonymize: 32 octets, or 64 hexadecimal digits.",
    )(command)
    return setting(
        "--anonymize",
        type=click.Choice([METHOD]),
        help="Write other addresses that keep prefixes, by the key in --key-file, after registry and policy judged.",
    )(command)


def anonymizer_of(anonymize: str | None, key_file: Path | None, *, quiet: bool) -> CryptoPan | None:
    """Give what the two options mean; say on standard error what is unwise.

    Raises
    ------
    click.UsageError
        When one of them was given without the other.
    ConfigError
        When the key cannot be used.
    """
    if anonymize is None and key_file is None:
        return None
    if key_file is None:
        raise click.UsageError("--anonymize needs a key: add --key-file FILE; head -c 32 /dev/urandom > FILE makes one")
    if anonymize is None:
        raise click.UsageError(f"--key-file is the key of --anonymize: add --anonymize {METHOD}, or leave the key out")
    made = CryptoPan.load(key_file)
    if made.caution and not quiet:
        click.echo(f"warning: {clean(made.caution)}", err=True)
    return made

"""``flowclass report``: what a finished run shows, as a page, in the terminal, or for programs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from flowclass.cli.anonymize import anonymizer_of, with_anonymize
from flowclass.cli.exit_codes import Exit
from flowclass.cli.options import common, with_config_for
from flowclass.cli.scope import scope_of
from flowclass.registry import Registry


@click.command(short_help="Report a finished run to the person who must decide.")
@click.argument("run", type=click.Path(path_type=Path))
@with_config_for("registry", "anonymize", "key_file")
@click.option("-o", "--output", "target", type=click.Path(path_type=Path), help="The page to write, e.g. report.html.")
@click.option(
    "--registry",
    "registrations",
    type=click.Path(path_type=Path),
    help="The registry, to list registrations that were never seen and those that end soon, by id alone.",
)
@click.option(
    "--scope",
    multiple=True,
    metavar="PREFIX|FILE",
    help="The operator's own prefix, or a file with one a line: what is inside. May be given many times; by default"
    " private space is.",
)
@with_anonymize
@click.option("-q", "--quiet", is_flag=True, help="No warnings on standard error.")
@click.option("--rows", default=200, show_default=True, type=click.IntRange(1, 100_000), help="Rows of a long table.")
@common
def report(
    *,
    run: Path,
    target: Path | None,
    registrations: Path | None,
    scope: tuple[str, ...],
    rows: int,
    quiet: bool,
    as_json: bool,
    **private: Any,
) -> int:
    """Report the finished run RUN, the file that classify -o wrote (Parquet or Arrow).

    With -o one page is written that needs nothing else and opens from a file; without it the report goes to the
    terminal; --json gives the figures. It says the outcomes, what another threshold of evidence would change, which
    inside hosts would be affected and how sure that is, the endpoints without a valid registration, the registrations
    seen, and what the run rests on. No field of a registration but its id is shown. With --anonymize no address, name
    of a host or of a file is.
    """
    from flowclass.report.figures import ReportOptions, figures_of

    key = anonymizer_of(**private, quiet=quiet)
    own = scope_of(scope)
    registry = None if registrations is None else Registry.load(registrations)
    figures = figures_of(run, ReportOptions(scope=own, registry=registry, most=rows, anonymize=key))
    if target is not None:
        _write(target, figures)
    if as_json:
        click.echo(msgspec.json.encode(figures).decode())
    elif target is None:
        from flowclass.report.terminal import show

        show(figures, sys.stdout)
    return Exit.DONE


def _write(target: Path, figures: dict[str, object]) -> None:
    from flowclass.report.page import page
    from flowclass.sinks.atomic import AtomicFile, output_error

    made = page(figures)
    file = AtomicFile(target)
    try:
        file.file.write(made)
    except OSError as problem:
        file.abort()
        raise output_error(file.name, problem) from problem
    file.commit()
    click.echo(f"wrote     {target}", err=True)

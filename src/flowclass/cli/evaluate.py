"""``flowclass evaluate``: how well the flows are told, measured on captures whose flows are known."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click
import msgspec

from flowclass.accuracy.evaluate import evaluate as measure
from flowclass.accuracy.labels import LabelledCapture, read_labels
from flowclass.accuracy.ndpi import Ndpi
from flowclass.accuracy.scores import Score
from flowclass.cli import accuracy
from flowclass.cli.exit_codes import Exit, of_sources
from flowclass.cli.options import common
from flowclass.cli.values import clean
from flowclass.sources.file import FileSource, Found, find
from flowclass.types import SourceReport

LINE_EVERY_S = 30.0
DRAW_EVERY_S = 0.2


@click.command(short_help="Measure the verdicts on captures whose flows are known.")
@click.argument("sources", nargs=-1, required=True, metavar="SRC...")
@click.option(
    "--labels", required=True, type=click.Path(path_type=Path), help="Labelled flows, one JSON object a line."
)
@click.option(
    "--captures",
    type=click.Path(path_type=Path),
    help="Which captures there are, and which flows are negatives; default: captures.jsonl beside LABELS.",
)
@click.option(
    "--hard-negatives",
    type=click.Path(path_type=Path),
    help="Flows that look like a tunnel and are none; default: hard_negatives.jsonl beside LABELS.",
)
@click.option("--peer", type=click.Choice(["ndpi"]), help="Ask another classifier about the same captures.")
@click.option("-q", "--quiet", is_flag=True, help="Only errors on standard error.")
@common
def evaluate(sources: tuple[str, ...], labels: Path, **given: Any) -> int:
    """Classify the captures in SRC..., each alone, and compare the verdicts with LABELS.

    Per protocol: flows found by tier, missed and wrong, recall and precision with Wilson's intervals of 95 %; false
    positives per million negative flows; every miss and every false positive by capture and frame.
    """
    known = read_labels(labels, captures=given["captures"], hard_negatives=given["hard_negatives"])
    found = find(sources)
    problems = [SourceReport(name=name, problem="unreadable", sentence=sentence) for name, sentence in found.problems]
    opened = _opened(found, known)
    with Ndpi() if given["peer"] == "ndpi" else nullcontext() as asked:
        result = measure(opened, known, peer=asked, progress=None if given["quiet"] else _progress(len(opened)))
        version = "" if asked is None else asked.version
    reports = problems + result.reports
    for report in reports:
        if report.problem != "none":
            click.echo(f"{'error' if not report.usable else 'note'}: {clean(report.sentence)}", err=True)
    if result.captures == 0:
        click.echo("error: none of the captures given is one that LABELS speaks of; labels go by file names", err=True)
        return Exit.NO_INPUT
    if given["as_json"]:
        content = accuracy.as_json(result, known, version)
        click.echo(msgspec.json.encode(content).decode())
    else:
        for line in accuracy.as_text(result, known, version):
            click.echo(clean(line))
    return of_sources(reports)


def _opened(found: Found, known: dict[str, LabelledCapture]) -> list[FileSource]:
    """Give the captures found, and files that look like none but have labels: these must not be passed over."""
    labelled = [Path(name) for name in found.passed_over if Path(name).name in known]
    return found.sources + [FileSource(path) for path in labelled]


def _progress(total: int) -> Callable[[int, Score], None]:
    began = time.monotonic()
    said = began
    on_terminal = sys.stderr.isatty()

    def say(done: int, score: Score) -> None:
        nonlocal said
        now = time.monotonic()
        if on_terminal and (done == total or now - said >= DRAW_EVERY_S):
            said = now
            text = f"{done:,} of {total:,} captures, {score.negatives:,} negative flows"
            click.echo("\r\x1b[K" + ("" if done == total else text), err=True, nl=False)
        elif not on_terminal and now - said >= LINE_EVERY_S:
            said = now
            click.echo(f"{now - began:.0f} s: {done:,} of {total:,} captures", err=True)

    return say

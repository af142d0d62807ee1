"""``flowclass evaluate``: how well the flows are told, measured on captures whose flows are known."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click
import msgspec

from flowclass.accuracy.evaluate import Evaluation
from flowclass.accuracy.evaluate import evaluate as measure
from flowclass.accuracy.labels import LabelledCapture, read_labels
from flowclass.accuracy.ndpi import Ndpi
from flowclass.accuracy.scores import Score
from flowclass.accuracy.views import CUT, VIEWS
from flowclass.cli import accuracy
from flowclass.cli.accuracy_table import markdown, scores_of, write_between_marks, write_text
from flowclass.cli.exit_codes import Exit, of_sources
from flowclass.cli.options import common, files
from flowclass.cli.values import clean
from flowclass.sources.file import FileSource, Found, find
from flowclass.types import SourceReport

LINE_EVERY_S = 30.0
DRAW_EVERY_S = 0.2


def _views(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...]:
    del ctx, param
    asked = tuple(dict.fromkeys(name.strip() for name in (value or "").split(",") if name.strip()))
    unknown = [name for name in asked if name not in (*VIEWS, "all")]
    if unknown:
        raise click.BadParameter(f"there is no view {unknown[0]!r}; give all, or some of {', '.join(CUT)}")
    return CUT if "all" in asked else tuple(name for name in asked if name in CUT)


@click.command(short_help="Measure the verdicts on captures whose flows are known.")
@click.argument("sources", nargs=-1, required=True, metavar="SRC...", shell_complete=files)
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
@click.option(
    "--views",
    metavar="all|LIST",
    callback=_views,
    help=f"Judge these views of every capture too, separated by commas: {', '.join(CUT)}.",
)
@click.option("--markdown", type=click.Path(path_type=Path), help="Write the tables by view as Markdown.")
@click.option(
    "--table-into",
    type=click.Path(path_type=Path),
    help="Write them into a document, between the lines <!-- evaluate PART: begin --> and <!-- evaluate PART: end -->.",
)
@click.option("--part", default="accuracy", show_default=True, help="PART of the document.")
@click.option(
    "--require-recall",
    type=click.FloatRange(0, 1),
    help="Exit with 10 when, on the full captures, a smaller share of the flows that must be found was found.",
)
@click.option(
    "--require-no-false",
    is_flag=True,
    help="Exit with 10 when a flow that is no tunnel was called a VPN, in any tier, in any view.",
)
@click.option("-q", "--quiet", is_flag=True, help="Only errors on standard error.")
@common
def evaluate(sources: tuple[str, ...], labels: Path, **given: Any) -> int:
    """Classify the captures in SRC..., each alone, and compare the verdicts with LABELS.

    Per protocol: flows found by tier, missed and wrong, recall and precision with Wilson's intervals of 95 %; false
    positives per million negative flows; every miss and every false positive by capture and frame. With --views the
    same of views of the captures, cut on the way: begun after the handshake, one direction, short frames, loss.
    """
    known = read_labels(labels, captures=given["captures"], hard_negatives=given["hard_negatives"])
    found = find(sources)
    problems = [SourceReport(name=name, problem="unreadable", sentence=sentence) for name, sentence in found.problems]
    opened = _opened(found, known)
    with Ndpi() if given["peer"] == "ndpi" else nullcontext() as asked:
        progress = None if given["quiet"] else _progress(len(opened))
        result = measure(opened, known, views=given["views"], peer=asked, progress=progress)
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
    if given["markdown"] is not None:
        write_text(given["markdown"], "\n".join(markdown(result)) + "\n")
    if given["table_into"] is not None:
        write_between_marks(given["table_into"], given["part"], markdown(result))
    unmet = list(_unmet(result, given["require_recall"], no_false=given["require_no_false"]))
    for sentence in unmet:
        click.echo(f"error: {sentence}", err=True)
    return Exit.VIOLATION if unmet else of_sources(reports)


def _unmet(result: Evaluation, recall: float | None, *, no_false: bool) -> Iterator[str]:
    """Say which requirements are not met."""
    share = result.ours.recall
    if recall is not None and (share.value is None or share.value < recall):
        yield f"{share.right:,} of {share.of:,} flows were found, fewer than the share of {recall} that is required"
    if no_false:
        for name, score in scores_of(result).items():
            called = score.negatives_vpn + score.ordinary_vpn
            if called:
                yield f"{called:,} flows that are no tunnel were called a VPN in the view {name}"


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

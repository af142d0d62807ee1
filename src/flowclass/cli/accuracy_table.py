"""Takes an evaluation over views. Gives it as Markdown, and writes that between two marks of a document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from flowclass.accuracy.compare import TUNNELS
from flowclass.accuracy.evaluate import Evaluation
from flowclass.accuracy.intervals import Share
from flowclass.accuracy.scores import TIERS, Family, Score
from flowclass.accuracy.views import FULL
from flowclass.accuracy.worth import PREVALENCES, worth
from flowclass.cli.values import clean
from flowclass.engine import matchers
from flowclass.errors import OutputError
from flowclass.sinks.atomic import AtomicFile, output_error
from flowclass.version import __version__

MILLION = 1_000_000
STRONGEST_FIRST = tuple(reversed(TIERS))


def scores_of(result: Evaluation) -> dict[str, Score]:
    """Give the scores by view, the full one first."""
    return {FULL: result.ours} | {name: view.score for name, view in result.views.items()}


def markdown(result: Evaluation, *, day: str | None = None) -> Iterator[str]:
    """Give an evaluation as lines of Markdown.

    Parameters
    ----------
    result : Evaluation
        What was measured.
    day : str, optional
        When; by default today, UTC.
    """
    scores = scores_of(result)
    yield from _facts(result, day or datetime.now(UTC).date().isoformat())
    yield ""
    yield "### By view"
    yield from _table(_view_rows(result, scores), left=1)
    yield ""
    yield "### What an alarm is worth"
    yield (
        "Alarms that are right, %, when that share of all flows is a tunnel: as measured, and at least (lower bound of"
        " the recall, upper bound of the false positives)."
    )
    yield ""
    yield from _table(_worth_rows(scores), left=1)
    yield ""
    yield "### By protocol and view"
    yield "Flows `confirmed` / `probable` / `possible` / `none`, and recall in % (95 %)."
    yield ""
    yield from _table(_matrix_rows(scores), left=1)
    yield ""
    yield "### By protocol: false positives, and what an alarm is worth"
    yield (
        "On the full captures. False positives: flows of anything else that got this name, `confirmed` or `probable`,"
        " in a million. The alarm's worth, %, when that share of all flows is this protocol: as measured, and at least."
    )
    yield ""
    yield from _table(_protocol_rows(result.ours), left=1)
    absent = _absent(result.ours)
    if absent:
        yield ""
        names = ", ".join(absent)
        yield f"Tunnels that have a fingerprint and no flow here that must be found ({len(absent)}): {names}."


def write_between_marks(path: Path, part: str, lines: Iterable[str]) -> None:
    """Replace what stands between a part's two marks.

    Raises
    ------
    OutputError
        When the document has not both marks once, in order, or cannot be written.
    """
    begin, end = f"<!-- evaluate {part}: begin -->", f"<!-- evaluate {part}: end -->"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise OutputError(f"{path}: cannot be read: {problem}; give a document that has the marks") from problem
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise OutputError(f"{path}: has not the lines {begin} and {end}, once each and in this order; add them")
    before, after = text[: text.index(begin) + len(begin)], text[text.index(end) :]
    write_text(path, before + "\n" + "\n".join(lines) + "\n" + after)


def write_text(path: Path, text: str) -> None:
    """Write a file that appears whole or not at all."""
    file = AtomicFile(path)
    try:
        file.file.write(text.encode())
        file.commit()
    except OSError as problem:
        file.abort()
        raise output_error(str(path), problem) from problem


def _facts(result: Evaluation, day: str) -> Iterator[str]:
    score = result.ours
    labelled = sum(family.labelled for family in score.families.values())
    yield (
        f"Measured on {day} with flowclass {__version__}: {result.captures:,} captures,"
        f" {labelled + score.negatives:,} flows, of which {score.recall.of:,} must be found"
        f" ({score.tunnel_recall.of:,} of them tunnels) and {score.negatives + score.ordinary:,} are no tunnel"
        f" ({score.ordinary:,} of a known ordinary protocol)."
    )
    if result.synthetic:
        yield f"{result.synthetic:,} captures are synthetic: their packets were written by a program of ours."
    if result.programs:
        shown = (f"{name} {', '.join(sorted(versions))}" for name, versions in sorted(result.programs.items()))
        yield f"Programs that made or recorded the traffic: {clean('; '.join(shown))}."
    if result.origins:
        most_first = sorted(result.origins.items(), key=lambda item: (-item[1], item[0]))
        yield f"Published by: {clean(', '.join(f'{name} ({count:,})' for name, count in most_first))}."
    if result.not_cut:
        yield (
            f"No view could be cut of {len(result.not_cut):,} captures:"
            " none of their frames has an IP packet that the cutter can read."
        )


def _view_rows(result: Evaluation, scores: dict[str, Score]) -> Iterator[tuple[str, ...]]:
    yield ("view", "captures", "flows", *STRONGEST_FIRST, "recall % (95 %)", "no tunnel", "false", "possible",
           "VPN", "false in a million (95 %)")  # fmt: skip
    for name, score in scores.items():
        tiers = {tier: sum(family.tiers[tier] for family in score.families.values()) for tier in TIERS}
        yield (
            f"`{name}`",
            f"{result.captures if name == FULL else result.views[name].captures:,}",
            f"{score.recall.of:,}",
            *(f"{tiers[tier]:,}" for tier in STRONGEST_FIRST),
            percent(score.recall),
            f"{score.false_alarms.of:,}",
            f"{score.false_alarms.right:,}",
            f"{score.negatives_possible + score.ordinary_possible:,}",
            f"{score.negatives_vpn + score.ordinary_vpn:,}",
            per_million(score.false_alarms),
        )


def _worth_rows(scores: dict[str, Score]) -> Iterator[tuple[str, ...]]:
    yield ("view", "tunnels", "recall % (95 %)", *(f"{_plain(100 * share)} %" for share in PREVALENCES))
    for name, score in scores.items():
        recall = score.tunnel_recall
        yield (f"`{name}`", f"{recall.of:,}", percent(recall), *_worths(recall, score.false_alarms))


def _matrix_rows(scores: dict[str, Score]) -> Iterator[tuple[str, ...]]:
    names = sorted({name for score in scores.values() for name, family in score.families.items() if family.flows})
    yield ("protocol", *(f"`{name}`" for name in scores))
    for name in names:
        yield (name, *(_cell(score.families.get(name, Family())) for score in scores.values()))


def _cell(family: Family) -> str:
    if not family.flows:
        return ""
    tiers = "/".join(f"{family.tiers[tier]}" for tier in STRONGEST_FIRST)
    least, most = family.recall.interval or (0.0, 1.0)
    return f"{tiers} {100 * family.found / family.flows:.0f} ({100 * least:.0f}-{100 * most:.0f})"


def _protocol_rows(score: Score) -> Iterator[tuple[str, ...]]:
    yield ("protocol", "flows", "wrong", "false", "false in a million (95 %)",
           *(f"{_plain(100 * share)} %" for share in PREVALENCES))  # fmt: skip
    for name, family in sorted(score.families.items()):
        if family.flows or family.false_claims:
            false = score.false_alarms_of(name)
            worths = _worths(family.recall, false)
            yield (name, f"{family.flows:,}", f"{family.wrong:,}", f"{false.right:,}", per_million(false), *worths)


def _worths(recall: Share, false: Share) -> Iterator[str]:
    for prevalence in PREVALENCES:
        one = worth(recall, false, prevalence)
        yield "" if one is None else f"{_plain(100 * one.value)}, {_plain(100 * one.least)}"


def _absent(score: Score) -> list[str]:
    known = {one["protocol"] for one in matchers() if one["protocol_class"] in TUNNELS}
    return sorted(known - {name for name, family in score.families.items() if family.flows})


def percent(share: Share) -> str:
    """Give a share with its interval, in %."""
    if share.value is None or share.interval is None:
        return ""
    least, most = share.interval
    return f"{100 * share.value:.1f} ({100 * least:.1f}-{100 * most:.1f})"


def per_million(share: Share) -> str:
    """Give a share with its interval, in a million."""
    if share.value is None or share.interval is None:
        return ""
    least, most = (bound * MILLION for bound in share.interval)
    return f"{share.value * MILLION:,.0f} ({least:,.0f}-{most:,.0f})"


def _plain(value: float) -> str:
    """Give a number with three digits at most that say something, and no more than two after the point."""
    text = f"{value:.2f}" if value < 1 else f"{value:.1f}"
    return text.rstrip("0").rstrip(".")


def _table(rows: Iterable[tuple[str, ...]], *, left: int) -> Iterator[str]:
    heads, *body = rows
    yield _row(heads)
    yield _row(["---" if place < left else "---:" for place in range(len(heads))])
    yield from (_row(row) for row in body)


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(clean(cell).replace("|", "\\|") for cell in cells) + " |"

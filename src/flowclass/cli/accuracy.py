"""Takes an evaluation. Gives it as a table and sentences for people, and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flowclass.accuracy.evaluate import Evaluation
from flowclass.accuracy.intervals import Share, wilson
from flowclass.accuracy.labels import LabelledCapture
from flowclass.accuracy.scores import TIERS, Family, Finding, Score
from flowclass.accuracy.views import FULL
from flowclass.accuracy.worth import PREVALENCES, worth

MILLION = 1_000_000
MOST_NAMES = 5


def as_text(result: Evaluation, known: dict[str, LabelledCapture], version: str) -> Iterator[str]:
    """Give an evaluation for people, as lines."""
    ours = result.ours
    yield from _table(list(_family_rows(ours)))
    yield ""
    yield _recall_line(ours)
    yield from _negative_lines(ours)
    if sum(ours.hints.values()):
        right, silent, wrong = (f"{ours.hints[what]:,}" for what in ("right", "silent", "wrong"))
        yield f"hints     flows that may be found: {right} right, {silent} without a tunnel's name, {wrong} wrong"
    yield from _left_out(result, known)
    if result.views:
        yield ""
        yield from _table(list(_view_rows(result)))
    if result.peer is not None:
        yield ""
        yield f"nDPI ({version}) on the same flows; a guess by port or address counts as possible"
        yield from _table(list(_peer_rows(ours, result.peer)))
        yield _recall_line(result.peer)
        yield from _negative_lines(result.peer)
        if result.peer_failures:
            yield f"not read  {len(result.peer_failures):,} captures, whose flows count as missed:"
            yield from (f"  {name}: {why}" for name, why in result.peer_failures)
        yield "          what nDPI missed and what it said wrongly is listed with --json"
    yield ""
    yield f"missed    {len(ours.misses):,}"
    yield from (_finding_line(miss) for miss in ours.misses)
    yield f"false     {len(ours.false_positives):,}"
    yield from (_finding_line(one) for one in ours.false_positives)


def _view_rows(result: Evaluation) -> Iterator[tuple[str, ...]]:
    yield ("view", "captures", "flows", *reversed(TIERS), "recall % (95 %)", "no tunnel", "false", "possible", "VPN",
           "alarm % at 1 in 1,000")  # fmt: skip
    for name, score in {FULL: result.ours, **{name: view.score for name, view in result.views.items()}}.items():
        value = worth(score.tunnel_recall, score.false_alarms, 0.001)
        yield (
            name,
            f"{result.captures if name == FULL else result.views[name].captures:,}",
            f"{score.recall.of:,}",
            *(f"{sum(family.tiers[tier] for family in score.families.values()):,}" for tier in reversed(TIERS)),
            _share_cell(score.recall),
            f"{score.false_alarms.of:,}",
            f"{score.false_alarms.right:,}",
            f"{score.negatives_possible + score.ordinary_possible:,}",
            f"{score.negatives_vpn + score.ordinary_vpn:,}",
            "" if value is None else f"{100 * value.value:.1f}, at least {100 * value.least:.1f}",
        )


def _recall_line(score: Score) -> str:
    found, flows = score.recall.right, score.recall.of
    return f"recall    {_share_text(score.recall)}: {found:,} of {flows:,} certain flows confirmed or probable"


def _family_rows(score: Score) -> Iterator[tuple[str, ...]]:
    yield ("protocol", "flows", "confirmed", "probable", "possible", "none", "missed", "wrong", "recall % (95 %)",
           "false", "possible", "precision % (95 %)")  # fmt: skip
    for name, family in sorted(score.families.items()):
        if not (family.flows or family.false_claims or family.false_possible or family.right_claims):
            continue
        yield (
            name,
            f"{family.flows:,}",
            *(f"{family.tiers[tier]:,}" for tier in reversed(TIERS)),
            f"{family.flows - family.found:,}",
            f"{family.wrong:,}",
            _share_cell(family.recall),
            f"{family.false_claims:,}",
            f"{family.false_possible:,}",
            _share_cell(family.precision),
        )


def _peer_rows(ours: Score, peer: Score) -> Iterator[tuple[str, ...]]:
    yield ("protocol", "flows", "flowclass", "nDPI", "guessed", "recall % (95 %)", "nDPI's", "false", "nDPI's")
    for name in sorted({*ours.families, *peer.families}):
        mine, theirs = ours.families.get(name, Family()), peer.families.get(name, Family())
        if mine.flows or mine.false_claims or theirs.false_claims or theirs.false_possible:
            yield (
                name,
                f"{mine.flows:,}",
                f"{mine.found:,}",
                f"{theirs.found:,}",
                f"{theirs.tiers['possible']:,}",
                _share_cell(mine.recall),
                _share_cell(theirs.recall),
                f"{mine.false_claims:,}",
                f"{theirs.false_claims:,}",
            )


def _table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for first, *cells in rows:
        yield "  ".join(
            [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))]
        )


def _negative_lines(score: Score) -> Iterator[str]:
    called = score.negatives_called
    possible = score.negatives_possible
    yield f"negatives {score.negatives:,} flows that are no tunnel; called one: {called:,}, and {possible:,} possible"
    for what, count in (("confirmed or probable", called), ("in any tier", called + possible)):
        interval = wilson(count, score.negatives)
        if interval is not None:
            rate = count / score.negatives * MILLION
            least, most = (bound * MILLION for bound in interval)
            yield f"          {rate:,.0f} false positives per million {what} (95 %: {least:,.0f} to {most:,.0f})"
    yield f"          {score.negatives_vpn:,} of them called a VPN, in any tier; the others another kind of tunnel"
    if score.ordinary:
        of_them = f"called a tunnel: {score.ordinary_called:,}, and {score.ordinary_possible:,} possible"
        yield f"          {score.ordinary:,} further flows are labelled with an ordinary protocol; {of_them}"
    if score.hard:
        yield f"          {score.hard:,} negatives look like a tunnel; called one in any tier: {score.hard_called:,}"


def _left_out(result: Evaluation, known: dict[str, LabelledCapture]) -> Iterator[str]:
    left = result.ours.left_out
    yield (
        f"left out  {left['disputed']:,} disputed labels, {left['out_of_scope']:,} out of scope,"
        f" {left['unvouched']:,} flows without label that nobody vouches for"
    )
    if result.not_listed:
        yield f"          {len(result.not_listed):,} captures that LABELS does not speak of{_names(result.not_listed)}"
    if result.not_given:
        flows = _certain(result, known)
        yield (
            f"          {len(result.not_given):,} captures with labels were not given or not judged, with {flows:,}"
            f" certain flows{_names(result.not_given)}"
        )


def _names(names: list[str]) -> str:
    return f": {', '.join(names[:MOST_NAMES])}" + (", ..." if len(names) > MOST_NAMES else "")


def _certain(result: Evaluation, known: dict[str, LabelledCapture]) -> int:
    return sum(label.counts for name in result.not_given for label in known[name].labels)


def _finding_line(one: Finding) -> str:
    family = one.family + (f"/{one.variant}" if one.variant else "")
    said = ", ".join(one.said) or "nothing said"
    return f"  {one.capture} frame {one.frame} {family or 'no tunnel'}: {said}; {one.reason}"


def _share_cell(share: Share) -> str:
    if share.value is None or share.interval is None:
        return ""
    least, most = share.interval
    return f"{100 * share.value:.1f} ({100 * least:.1f}-{100 * most:.1f})"


def _share_text(share: Share) -> str:
    if share.value is None or share.interval is None:
        return "not known"
    least, most = share.interval
    return f"{100 * share.value:.1f} % (95 %: {100 * least:.1f} to {100 * most:.1f})"


def as_json(result: Evaluation, known: dict[str, LabelledCapture], version: str) -> dict[str, Any]:
    """Give an evaluation for programs."""
    failures = [{"capture": capture, "reason": why} for capture, why in result.peer_failures]
    return {
        "schema": "flowclass.evaluate/1",
        "captures": result.captures,
        **_score_json(result.ours),
        "views": {
            name: {"captures": view.captures, "certain_flows_gone": view.gone, **_score_json(view.score)}
            for name, view in result.views.items()
        },
        "captures_not_cut": result.not_cut,
        "captures_synthetic": result.synthetic,
        "captures_not_listed": result.not_listed,
        "captures_not_given": result.not_given,
        "certain_flows_not_given": _certain(result, known),
        "peer": None
        if result.peer is None
        else {"name": "ndpi", "version": version, **_score_json(result.peer), "captures_not_read": failures},
    }


def _score_json(score: Score) -> dict[str, Any]:
    return {
        "recall": _share_json(score.recall),
        "protocols": [
            {
                "protocol": name,
                "flows": family.flows,
                **{tier: family.tiers[tier] for tier in reversed(TIERS)},
                "missed": family.flows - family.found,
                "wrong": family.wrong,
                "recall": _share_json(family.recall),
                "right_claims": family.right_claims,
                "false_claims": family.false_claims,
                "false_possible": family.false_possible,
                "precision": _share_json(family.precision),
                "ordinary": family.ordinary,
                "false_positives_per_million": _per_million_of(score.false_alarms_of(name)),
                "worth": [worth(family.recall, score.false_alarms_of(name), share) for share in PREVALENCES],
            }
            for name, family in sorted(score.families.items())
        ],
        "negatives": {
            "flows": score.negatives,
            "called_tunnel": score.negatives_called,
            "called_possible": score.negatives_possible,
            "called_vpn": score.negatives_vpn,
            "false_positives_per_million": _per_million(score.negatives_called, score.negatives),
            "false_positives_per_million_any_tier": _per_million(
                score.negatives_called + score.negatives_possible, score.negatives
            ),
            "hard": score.hard,
            "hard_called_tunnel": score.hard_called,
        },
        "ordinary": {
            "flows": score.ordinary,
            "called_tunnel": score.ordinary_called,
            "called_possible": score.ordinary_possible,
            "called_vpn": score.ordinary_vpn,
        },
        "alarms": {
            "recall": _share_json(score.tunnel_recall),
            "false_positives_per_million": _per_million_of(score.false_alarms),
            "worth": [worth(score.tunnel_recall, score.false_alarms, prevalence) for prevalence in PREVALENCES],
        },
        "hints": score.hints,
        "left_out": score.left_out,
        "misses": score.misses,
        "false_positives": score.false_positives,
    }


def _share_json(share: Share) -> dict[str, Any]:
    least, most = share.interval or (None, None)
    return {"right": share.right, "of": share.of, "value": share.value, "low": least, "high": most}


def _per_million_of(share: Share) -> dict[str, float | None]:
    return _per_million(share.right, share.of)


def _per_million(count: int, of: int) -> dict[str, float | None]:
    interval = wilson(count, of)
    if interval is None:
        return {"value": None, "low": None, "high": None}
    return {"value": count / of * MILLION, "low": interval[0] * MILLION, "high": interval[1] * MILLION}

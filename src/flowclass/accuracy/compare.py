"""Takes labels and what a classifier said of the flows. Gives what is right, missed and wrong.

What is right, missed and wrong
    A labelled flow is *found* when one of its records names an accepted protocol with tier confirmed or probable.
    Recall counts certain flows of scope ``gate``. Another protocol's name is *wrong*: a miss and a false positive
    at once. For a tunnel, the name of the protocol that truly carries it (`CARRIERS`) is a miss and no more. For
    likely flows and hints no answer is a miss, and only another tunnel's name is wrong. Disputed flows and those
    out of scope count nowhere.
    The label of an ordinary protocol that has no fingerprint (`is_ordinary`) only says that the flow is no tunnel.
    A flow without label, where somebody vouches for it, is a *negative*: every tunnel's name on it is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping

from flowclass.accuracy.labels import Key, Label, LabelledCapture
from flowclass.accuracy.scores import FOUND, TIERS, Claim, Finding, Score, Seen

UNNAMED_TUNNELS = frozenset({"other-tunnel", "other-proxy"})
TUNNELS = frozenset({"vpn", "overlay", "proxy", "covert"})
CARRIERS = frozenset({"tls", "dtls", "quic", "http", "dns", "icmp"})


def compare(score: Score, capture: LabelledCapture, seen: Seen, classes: Mapping[str, str]) -> None:
    """Count one capture.

    Parameters
    ----------
    score : Score
        Grows.
    capture : LabelledCapture
        What is known.
    seen : Seen
        What was said.
    classes : mapping of str to str
        Class of every protocol that has a fingerprint.
    """
    for label in capture.labels:
        if label.judged:
            _count_label(score, capture, seen, label, classes)
        else:
            score.left_out["disputed" if label.certainty == "disputed" else "out_of_scope"] += 1
    labelled = {label.key for label in capture.labels}
    for key, frame in seen.first_frames.items():
        if key in labelled:
            continue
        if not capture.is_negative(key, frame):
            score.left_out["unvouched"] += 1
            continue
        score.negatives += 1
        score.hard += key in capture.hard_negatives
        called = _called(seen.claims.get((False, key), []))
        if called:
            score.negatives_called += _is_sure(called)
            score.negatives_possible += not _is_sure(called)
            score.negatives_vpn += any(classes.get(claim.ids[0], "vpn") == "vpn" for claim in called)
            _add_false_positive(score, capture, key, frame, called)
    for key in capture.hard_negatives - set(seen.first_frames) - labelled:
        if (True, key) in seen.claims:  # a flow inside a tunnel
            score.hard += 1
            called = _called(seen.claims[True, key])
            if called:
                _add_false_positive(score, capture, key, 0, called)


def is_ordinary(label: Label, classes: Mapping[str, str]) -> bool:
    """Say whether a label is of an ordinary protocol; one of a family ``other-...`` need not have a fingerprint."""
    if classes.get(label.family) is not None:
        return classes[label.family] == "app"
    named = [classes[name] for name in label.accept if name in classes]
    if named:
        return set(named) == {"app"}
    return label.family.startswith("other-") and label.family not in UNNAMED_TUNNELS


def _count_label(score: Score, capture: LabelledCapture, seen: Seen, label: Label, classes: Mapping[str, str]) -> None:
    claims = seen.claims.get((label.depth > 0, label.key), [])
    right = [claim for claim in claims if set(claim.ids) & set(label.accept)]
    best = max((TIERS.index(claim.tier) for claim in right), default=0)
    wrong = [claim for claim in claims if _is_wrong(claim, label, classes)]
    family = score.family(label.family)
    family.right_claims += TIERS[best] in FOUND
    family.ordinary = ordinary = is_ordinary(label, classes)
    family.labelled += 1
    if ordinary and label.depth == 0:
        called = _called(wrong)
        score.ordinary += 1
        score.ordinary_called += _is_sure(called)
        score.ordinary_possible += bool(called) and not _is_sure(called)
        score.ordinary_vpn += any(classes.get(claim.ids[0], "vpn") == "vpn" for claim in called)
    if ordinary and not set(label.accept) & set(classes):
        family.wrong += bool(wrong)
    elif label.counts:
        family.tiers[TIERS[best]] += 1
        family.wrong += bool(wrong)
        if TIERS[best] not in FOUND:
            score.misses.append(_finding(capture, label, claims, _why_missed(claims, seen, label, classes)))
    else:
        score.hints["wrong" if wrong else "right" if best else "silent"] += 1
    _count_false(score, wrong)
    if wrong:
        score.false_positives.append(_finding(capture, label, wrong, f"it is {label.family}"))


def _called(claims: list[Claim]) -> list[Claim]:
    return [claim for claim in claims if claim.tunnel and claim.tier != "none"]


def _is_sure(claims: list[Claim]) -> bool:
    return any(claim.tier in FOUND for claim in claims)


def _add_false_positive(score: Score, capture: LabelledCapture, key: Key, frame: int, called: list[Claim]) -> None:
    hard = key in capture.hard_negatives
    score.hard_called += hard
    _count_false(score, called)
    score.false_positives.append(
        Finding(
            capture=capture.name,
            frame=frame,
            family="",
            variant=None,
            said=tuple(dict.fromkeys(claim.shown for claim in called)),
            reason="it only looks like a tunnel" if hard else "it is no tunnel",
            tier=_strongest(called),
        )
    )


def _is_wrong(claim: Claim, label: Label, classes: Mapping[str, str]) -> bool:
    if not claim.ids or claim.tier == "none" or set(claim.ids) & set(label.accept):
        return False
    if claim.tunnel or not label.counts:
        return claim.tunnel
    ordinary = classes.get(label.family) == "app"
    return ordinary or not set(claim.ids) <= CARRIERS


def _count_false(score: Score, claims: list[Claim]) -> None:
    """Count once a protocol what was wrongly said of one flow."""
    strongest: dict[str, int] = {}
    for claim in claims:
        strongest[claim.ids[0]] = max(strongest.get(claim.ids[0], 0), TIERS.index(claim.tier))
    for name, tier in strongest.items():
        if TIERS[tier] in FOUND:
            score.family(name).false_claims += 1
        else:
            score.family(name).false_possible += 1


def _why_missed(claims: list[Claim], seen: Seen, label: Label, classes: Mapping[str, str]) -> str:
    if not claims:
        return seen.problem or "the capture holds no flow between these ends"
    named = [claim for claim in claims if claim.ids]
    if any(set(claim.ids) & set(label.accept) for claim in named):
        return "too little evidence"
    if named:
        return "another name"
    if not set(label.accept) & set(classes):
        return "no fingerprint for it"
    return "no evidence" + (f"; {seen.problem}" if seen.problem else "")


def _finding(capture: LabelledCapture, label: Label, claims: list[Claim], reason: str) -> Finding:
    return Finding(
        capture=capture.name,
        frame=label.frame,
        family=label.family,
        variant=label.variant,
        said=tuple(dict.fromkeys(claim.shown for claim in claims)),
        reason=reason,
        tier=_strongest(claims),
    )


def _strongest(claims: list[Claim]) -> str:
    return TIERS[max((TIERS.index(claim.tier) for claim in claims), default=0)]

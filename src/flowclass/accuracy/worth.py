"""Takes how often flows are told rightly and wrongly. Gives what an alarm is worth where such flows are rare."""

from __future__ import annotations

from dataclasses import dataclass

from flowclass.accuracy.intervals import Share

PREVALENCES = (0.01, 0.001, 0.0001)


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """The share of alarms that are right.

    Parameters
    ----------
    prevalence : float
        Share of the flows that are what the alarm is about.
    value : float
        With the recall and the false positives that were measured.
    least : float
        With the lower bound of the recall and the upper bound of the false positives: what the captures prove.
    """

    prevalence: float
    value: float
    least: float


def predictive_value(recall: float, false_positives: float, prevalence: float) -> float | None:
    """Give the share of alarms that are right, by Bayes' rule.

    Parameters
    ----------
    recall, false_positives : float
        Chance of an alarm on a flow that is one, and on a flow that is none.
    prevalence : float
        Share of the flows that are one.

    Returns
    -------
    float or None
        None where there is never an alarm.

    References
    ----------
    D. G. Altman, J. M. Bland, Diagnostic tests 2: predictive values, BMJ 309, 1994.

    Examples
    --------
    >>> round(predictive_value(0.9, 0.01, 0.001), 4)
    0.0826
    """
    right = recall * prevalence
    wrong = false_positives * (1 - prevalence)
    return right / (right + wrong) if right + wrong > 0 else None


def worth(recall: Share, false_positives: Share, prevalence: float) -> Worth | None:
    """Give what an alarm is worth; None where recall or false positives were not measured, or nothing was found."""
    if recall.value is None or recall.interval is None:
        return None
    if false_positives.value is None or false_positives.interval is None:
        return None
    value = predictive_value(recall.value, false_positives.value, prevalence)
    least = predictive_value(recall.interval[0], false_positives.interval[1], prevalence)
    return None if value is None or least is None else Worth(prevalence=prevalence, value=value, least=least)

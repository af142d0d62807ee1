"""Is the answer right? Compares what was found in a trace with what was put into it.

Flows are told by their labels: a family, a variant where it is known, and the other names that are right too (what
runs inside TLS may be called TLS). Flows without a label may be anything. A copy that closes and opens again on its
ports, or pauses longer than the idle timeout, is two flows, and so is a tunnel with a flow inside: flows may be a tenth
more than were put in, and never fewer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["AnswerError", "accuracy", "check_balance", "check_counts", "check_protocols"]

Verdict = tuple[str, str | None]

_MOST_FLOWS = 1.1  # times those that were put in
_LEAST_RIGHT = 0.97  # of the labelled flows


class AnswerError(AssertionError):
    """The answer is wrong, so no time is worth printing."""


def check_counts(truth: Mapping[str, Any], packets: int, flows: int) -> None:
    """Raise unless all packets were read and the flows are as many as may be."""
    if packets != truth["packets"]:
        raise AnswerError(f"{packets} packets, {truth['packets']} in the trace")
    if not truth["flows"] <= flows <= truth["flows"] * _MOST_FLOWS:
        raise AnswerError(f"{flows} flows, {truth['flows']} in the trace")


def check_protocols(truth: Mapping[str, Any], protocols: Mapping[str, int]) -> None:
    """Raise unless nearly all labelled flows have their protocol.

    Raises
    ------
    AnswerError
        Where more than three of a hundred have not.
    """
    found: Counter[Verdict] = Counter({(name, None): count for name, count in protocols.items()})
    wanted = [{**row, "variant": None} for row in truth["templates"]]
    share = _share(wanted, found)
    if share < _LEAST_RIGHT:
        raise AnswerError(f"{share:.1%} of the labelled flows have their protocol: {dict(sorted(protocols.items()))}")


def accuracy(truth: Mapping[str, Any], found: Mapping[Verdict, int]) -> float:
    """Give the share of labelled flows with the right protocol and, where the label has one, the right variant."""
    return _share(truth["templates"], Counter(found))


def _share(wanted: Iterable[Mapping[str, Any]], found: Counter[Verdict]) -> float:
    """Give each label's flows to what was found, the label that leaves least choice first."""
    labelled = [row for row in wanted if row["family"]]
    left = Counter(found)
    right = labels = 0
    for row in sorted(labelled, key=lambda row: (len(row["accept"]), row["variant"] is None)):
        lacks = copies = int(row["copies"])
        names = [row["family"], *(name for name in row["accept"] if name != row["family"])]
        for key in _keys(names, row["variant"] if len(names) == 1 else None, left):
            taken = min(lacks, left[key])
            left[key] -= taken
            lacks -= taken
        right += copies - lacks
        labels += copies
    return right / max(1, labels)


def _keys(names: list[str], variant: str | None, found: Mapping[Verdict, int]) -> list[Verdict]:
    if variant is not None:
        return [(names[0], variant)]
    return [key for name in names for key in found if key[0] == name]


def check_balance(truth: Mapping[str, Any], counters: Mapping[str, Any]) -> None:
    """Raise unless every packet and every octet of the trace is in a flow or skipped by a named reason."""
    skipped = counters["packets_skipped"].values()
    packets = counters["packets_in_flows"] + sum(row[0] for row in skipped)
    octets = counters["bytes_in_flows"] + counters["link_overhead_bytes"] + sum(row[1] for row in skipped)
    if not packets == counters["packets_read"] == truth["packets"]:
        raise AnswerError(
            f"{packets} packets in flows and skipped, {counters['packets_read']} read, {truth['packets']} in the trace"
        )
    if not octets == counters["bytes_read"] == truth["bytes"]:
        raise AnswerError(
            f"{octets} octets in flows and skipped, {counters['bytes_read']} read, {truth['bytes']} in the trace"
        )

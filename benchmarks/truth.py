"""Is the answer right? Compares what was found in a trace with what was put into it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

__all__ = ["AnswerError", "accuracy", "check_balance", "check_found", "check_protocols", "expected"]

Verdict = tuple[str, str | None]


class AnswerError(AssertionError):
    """The answer is wrong, so no time is worth printing."""


def expected(truth: Mapping[str, Any]) -> Counter[Verdict]:
    """Count the flows of each family and labelled variant that were put in."""
    flows: Counter[Verdict] = Counter()
    for row in truth["templates"]:
        flows[row["family"], row["variant"]] += row["copies"]
    return flows


def check_protocols(truth: Mapping[str, Any], protocols: Mapping[str, int]) -> None:
    """Raise unless the flows of each protocol are as many as were put in."""
    wanted: Counter[str] = Counter()
    for (family, _), count in expected(truth).items():
        wanted[family] += count
    wanted = +wanted
    if dict(protocols) != dict(wanted):
        raise AnswerError(
            f"flows by protocol are {dict(sorted(protocols.items()))}, not {dict(sorted(wanted.items()))}"
        )


def check_found(truth: Mapping[str, Any], row: Mapping[str, Any], *, names: bool) -> None:
    """Raise unless packets and flows are those that were put in, and of each labelled protocol no flow is missing.

    For traces that hold flows without a label too: those may be of any protocol, and a copy that closes and opens
    again on its ports, or pauses longer than the idle timeout, is two flows.
    """
    if row["packets"] != truth["packets"]:
        raise AnswerError(f"{row['packets']} packets, {truth['packets']} in the trace")
    if not truth["flows"] <= row["flows"] <= truth["flows"] * 1.1:
        raise AnswerError(f"{row['flows']} flows, {truth['flows']} in the trace")
    wanted: Counter[str] = Counter()
    for (family, _), count in expected(truth).items():
        wanted[family] += count if family else 0
    missing = {name: count for name, count in wanted.items() if row["protocols"].get(name, 0) < count} if names else {}
    if missing:
        raise AnswerError(f"fewer flows than were put in: {missing}, found {row['protocols']}")


def accuracy(truth: Mapping[str, Any], found: Counter[Verdict]) -> float:
    """Give the share of flows with the right protocol and, where the label has one, the right variant."""
    labelled = {family for family, variant in expected(truth) if variant is not None}
    seen: Counter[Verdict] = Counter()
    for (protocol, variant), count in found.items():
        seen[protocol, variant if protocol in labelled else None] += count
    right = (expected(truth) & seen).total()
    return right / int(truth["flows"])


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

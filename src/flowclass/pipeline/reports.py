"""Takes what the engine and a source say at its end. Gives the report; sums counters of engines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flowclass.types import Balance, CaptureCounters, SourceReport

FOLDER = "folder"
"""Format of the report of a watched folder."""
MOST_PROBLEMS = 1000


def live_report(
    name: str, captured: Mapping[str, CaptureCounters], balance: Balance, failure: str, gone: Sequence[str]
) -> SourceReport:
    """Give the report of interfaces.

    Parameters
    ----------
    name : str
        Of all of them.
    captured : mapping of str to CaptureCounters
        At the end.
    balance : Balance
        Of what the engine took.
    failure : str
        Why nothing more could be read; empty where it was merely enough.
    gone : sequence of str
        What became of interfaces that are no more.
    """
    problem, sentence = "none", ""
    dropped = {interface: facts for interface, facts in captured.items() if facts.kernel_dropped > 0}
    if failure or gone:
        problem, sentence = ("vanished" if gone else "unreadable"), failure or "; ".join(gone)
    elif dropped:
        listed = "; ".join(
            f"{interface}: {facts.kernel_dropped:,} of {facts.received:,} packets"
            for interface, facts in dropped.items()
        )
        problem, sentence = "dropped", f"{listed} were dropped by the kernel, because the ring was full"
    return SourceReport(
        name=name,
        format="af-packet",
        packets=sum(facts.handed_on for facts in captured.values()),
        problem=problem,
        sentence=sentence,
        balance=balance,
    )


def folder_report(name: str, so_far: Sequence[SourceReport], newest: SourceReport) -> SourceReport:
    """Give the report of a folder: the sums of its captures that have no report of their own."""
    packets, octets, balance = newest.packets, newest.bytes, newest.balance
    for report in so_far:
        packets, octets, balance = packets + report.packets, octets + report.bytes, balance + report.balance
    return SourceReport(name=name, format=FOLDER, packets=packets, bytes=octets, balance=balance)


def keep_few(reports: list[SourceReport], folder: str) -> None:
    """Add the newest report to that of the folder, unless it has a problem; of these the first are kept."""
    newest = reports.pop()
    if newest.problem != "none" and len(reports) < MOST_PROBLEMS:
        reports.append(newest)
        return
    place = next((at for at, report in enumerate(reports) if report.format == FOLDER), len(reports))
    reports[place : place + 1] = [folder_report(folder, reports[place : place + 1], newest)]


def report_of(name: str, native: dict[str, Any], balance: Balance, failure: str, interrupted: bool) -> SourceReport:
    """Give the report of one source."""
    problem, sentence = native["problem"], native["sentence"]
    if sentence and not sentence.startswith(name):
        sentence = f"{name}: {sentence}"
    unknown = {reason: count for reason, count in balance.packets_skipped.items() if reason.startswith("link_type_")}
    if interrupted:
        problem, sentence = "interrupted", f"{name}: a signal ended the run before its end; what was read was used"
    elif failure:
        problem, sentence = ("damaged" if native["bytes"] > 0 else "unreadable"), failure
    elif problem == "none" and unknown:
        listed = ", ".join(f"{count} {reason}" for reason, count in sorted(unknown.items()))
        problem = "unsupported_link"
        sentence = f"{name}: frames of link types that are not decoded were skipped: {listed}"
    return SourceReport(
        name=name,
        format=native["format"],
        packets=native["packets"],
        bytes=native["bytes"],
        problem=problem,
        sentence=sentence,
        offset=native["offset"],
        blocks_skipped=dict(native["blocks_skipped"]),
        balance=balance,
    )


def sum_counters(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    """Add counters of engines that ran one after another: numbers, pairs and mappings of these."""
    if not left:
        return right
    out: dict[str, Any] = {}
    for key in {**left, **right}:
        mine, theirs = left.get(key), right.get(key)
        if mine is None or theirs is None:
            out[key] = theirs if mine is None else mine
        elif key in ("time_first", "time_last"):
            out[key] = min(mine, theirs) if key == "time_first" else max(mine, theirs)
        elif key.startswith("peak_") or key in ("memcap", "bytes_per_flow"):
            out[key] = max(mine, theirs)
        elif isinstance(mine, dict):
            out[key] = sum_counters(mine, theirs)
        elif isinstance(mine, (list, tuple)):
            out[key] = [a + b for a, b in zip(mine, theirs, strict=True)]
        else:
            out[key] = mine + theirs
    return out

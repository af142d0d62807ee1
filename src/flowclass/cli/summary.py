"""Takes a finished run. Gives the summary: flows, outcomes, the balance, problems and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from flowclass.anonymize import METHOD
from flowclass.cli.output import Output
from flowclass.cli.values import clean
from flowclass.engine import crypto_library
from flowclass.pipeline.finished import Finished
from flowclass.pipeline.metadata import balance_json
from flowclass.types import Balance, CaptureCounters, SourceReport

MOST_SOURCES = 10
EMPTY_REGISTRY = "registry  it holds no registration: with it every endpoint is unregistered"
ADVICE = {
    "unreadable": "the other sources were read",
    "empty": "capture again, or leave it out",
    "not_a_capture": "give pcap or pcapng; other recordings must be converted first",
    "unsupported_format": "convert it to pcap or pcapng, e.g. with editcap -F pcapng",
    "cut": "all packets before that were used; the recording was not closed properly, or the copy is not complete",
    "garbled": "all packets before that were used; get the capture again from where it came from",
    "damaged": "all packets before that were used; get the file again from where it came from",
    "vanished": "all packets before that were used; bring it back and start again",
    "dropped": "give a larger --ring, more --threads, or a --filter",
    "unsupported_link": "convert the capture to a link type that `flowclass --help` lists, or leave it out",
}


def as_json(run: Finished, outputs: list[Output]) -> dict[str, Any]:
    """Give the summary for programs."""
    return {
        "schema": "flowclass.classify/1",
        "flows": run.tally.flows,
        "groups": [
            {"protocol": protocol, "variant": variant, "tier": tier, "registry_match": match, "policy_outcome": outcome,
             "flows": count}
            for (protocol, variant, tier, match, outcome), count in _sorted(
                run.tally.by("protocol", "variant", "tier", "registry_match", "policy_outcome")
            )
        ],
        "registry_version": None if run.judges.registry is None else run.judges.registry.version,
        "policy_sha256": None if run.judges.policy is None else run.judges.policy.sha256,
        "reloads": asdict(run.judges.reloads),
        "balance": balance_json(run.balance),
        "captured": {name: _captured_json(facts) for name, facts in run.captured.items()},
        "sources": [_source_json(report) for report in run.reports],
        "counters": run.counters,
        "outputs": [output.name for output in outputs if output.name is not None],
        "delivered": [delivered_json(output) for output in outputs if output.delivered is not None],
        "anonymized": _anonymized(run),
        "stopped_by_signal": run.stopped_by,
        "suspended": run.suspended,
        "not_seen": run.lost or None,
    }  # fmt: skip


def as_text(run: Finished, outputs: list[Output], *, verbose: bool) -> list[str]:
    """Give the summary for people, as lines."""
    lines = _flows(run) + _outcomes(run) + _reloads(run)
    lines += [f"captured  {clean(name)}: {captured_line(facts)}" for name, facts in run.captured.items()]
    lines += [f"balance   {line}" for line in _balance(run.balance)]
    reports = run.reports if verbose or len(run.reports) <= MOST_SOURCES else []
    if len(run.reports) > 1:
        for report in reports:
            lines += [f"  {clean(report.name)}: {line}" for line in _balance(report.balance)[:1]]
        if not reports:
            lines.append(f"  the same for each of the {len(run.reports)} sources with -v")
    lines += _notes(run)
    anonymize = run.options.engine.anonymize
    if anonymize is not None:
        lines.append(f"addresses anonymised by Crypto-PAn, key {anonymize.fingerprint}; prefixes are kept")
    problems = [report for report in run.reports if report.problem != "none"]
    if problems:
        lines.append(f"problems  in {len(problems)} of {len(run.reports)} sources")
        shown = problems if verbose else problems[:MOST_SOURCES]
        lines += [f"  {problem_line(report)}" for report in shown]
        if len(shown) < len(problems):
            lines.append(f"  {len(problems) - len(shown)} more with -v")
    if run.lost:
        lines.append(f"not seen  {clean(run.lost)}, between the checkpoint and this run")
    if run.suspended:
        lines.append("suspended by a signal; no flow was ended: the same command goes on from the checkpoint")
    elif run.stopped_by is not None:
        lines.append("stopped   by a signal; what was read until then is complete")
    lines += [line for output in outputs for line in output_lines(output)]
    return lines


def output_lines(output: Output) -> list[str]:
    """Say where the flows went, and what became of them where that is counted."""
    told = output.delivered
    if told is None:
        return [] if output.name is None else [f"wrote     {clean(output.name)}"]
    return [f"wrote     {clean(output.name or 'standard output')}: {clean(str(told))}"]


def delivered_json(output: Output) -> dict[str, Any]:
    """Give for programs what became of the flows that a sink was given."""
    return {"name": output.name} | asdict(output.delivered) if output.delivered is not None else {}


def captured_line(facts: CaptureCounters) -> str:
    """Say what became of the packets of an interface."""
    full = f" (full {facts.ring_freezes:,} times)" if facts.ring_freezes else ""
    return (
        f"{facts.received:,} packets received = {facts.handed_on:,} read + {facts.kernel_dropped:,} dropped by the"
        f" kernel for want of room in the ring{full} + {facts.own_dropped:,} left in it;"
        f" {facts.interface_dropped:,} dropped by the interface before"
    )


def _captured_json(facts: CaptureCounters) -> dict[str, int]:
    return {
        "received": facts.received,
        "handed_on": facts.handed_on,
        "kernel_dropped": facts.kernel_dropped,
        "ring_freezes": facts.ring_freezes,
        "interface_dropped": facts.interface_dropped,
        "own_dropped": facts.own_dropped,
    }


def problem_line(report: SourceReport) -> str:
    """Say one source's problem: what, where, why, and what to do."""
    advice = ADVICE.get(report.problem, "")
    return clean(report.sentence.rstrip(". ") + (f"; {advice}" if advice else ""))


def _anonymized(run: Finished) -> dict[str, str] | None:
    anonymize = run.options.engine.anonymize
    return None if anonymize is None else {"method": METHOD, "key": anonymize.fingerprint}


def _flows(run: Finished) -> list[str]:
    groups = run.tally.by("protocol_class", "protocol", "tier")
    order = {"vpn": 0, "overlay": 1, "proxy": 2, "covert": 3, "app": 4}
    rows = sorted(groups.items(), key=lambda item: (order.get(str(item[0][0]), 5), str(item[0][1]), str(item[0][2])))
    lines = [f"flows     {run.tally.flows:,}"]
    for (kind, protocol, tier), count in rows:
        lines.append(f"  {kind or '':<8} {protocol or '':<16} {tier or '':<10} {count:>9,}")
    return lines


def _outcomes(run: Finished) -> list[str]:
    if run.options.policy is None and run.options.registry is None:
        return []
    counted = _sorted(run.tally.by("policy_outcome"))
    matched = _sorted(run.tally.by("registry_match"))
    empty = run.options.registry is not None and not len(run.options.registry)
    return [
        "outcomes  " + (", ".join(f"{outcome} {count:,}" for (outcome,), count in counted) or "none"),
        "registry  " + (", ".join(f"{match} {count:,}" for (match,), count in matched) or "none"),
        *([EMPTY_REGISTRY] if empty else []),
    ]


def _reloads(run: Finished) -> list[str]:
    told = run.judges.reloads
    lines = [f"reloads   registry or policy were put in force anew {told.taken:,} times"] if told.taken else []
    if told.refused:
        lines.append(
            f"refused   {told.refused:,} files of a registry or policy did not hold, and those of before stayed; the"
            f" last: {clean(told.problem)}"
        )
    return lines


def _balance(balance: Balance) -> list[str]:
    reasons = sorted(balance.packets_skipped.items(), key=lambda item: (-item[1], item[0]))
    skipped = sum(count for _, count in reasons)
    named = f" ({', '.join(f'{reason} {count:,}' for reason, count in reasons if count)})" if skipped else ""
    closed = "" if balance.closed else "  NOT CLOSED: this is a fault of flowclass, please report it"
    return [
        f"{balance.packets_read:,} packets read = {balance.packets_in_flows:,} in flows + {skipped:,} skipped{named}"
        + closed,
        f"{balance.bytes_read:,} octets read = {balance.bytes_in_flows:,} in flows"
        f" + {balance.link_overhead_bytes:,} of link layers + {sum(balance.bytes_skipped.values()):,} skipped",
    ]


def _notes(run: Finished) -> list[str]:
    counters = run.counters
    lines: list[str] = []
    if counters.get("evicted"):
        lines.append(
            f"evicted   {counters['evicted']:,} flows left the table early because it was full; give more --memcap"
        )
    if counters.get("heads_cut"):
        lines.append(
            f"heads     {counters['heads_cut']:,} flows were classified by fewer packets than usual for want of memory;"
            " give more --memcap"
        )
    if run.clock_restarts:
        lines.append(f"clock     {run.clock_restarts:,} times it was set back; every flow was ended then (forced)")
    if counters.get("out_of_order"):
        lines.append(f"order     {counters['out_of_order']:,} packets were older than one before them")
    if counters.get("heads_refused") or counters.get("evidence_refused"):
        refused = counters.get("heads_refused", 0) + counters.get("evidence_refused", 0)
        lines.append(f"refused   {refused:,} flows were not classified for want of memory; give more --memcap")
    if counters.get("heads_unsaved"):
        lines.append(f"heads     {counters['heads_unsaved']:,} were not kept for want of memory; give more --memcap")
    if counters.get("features_refused"):
        lines.append(
            f"features  {counters['features_refused']:,} flows have none for want of memory; give more --memcap"
        )
    if counters.get("leaders_forgotten"):
        lines.append(
            f"links     {counters['leaders_forgotten']:,} flows that may have set up others were forgotten early; give"
            " more --memcap"
        )
    lines += fault_lines(counters.get("user_faults", {}))
    if not crypto_library():
        lines.append(
            "crypto    no libcrypto 3 or 1.1 was found: ja4 is null, QUIC hellos are not read; install OpenSSL"
        )
    return lines


def fault_lines(faults: Mapping[str, Sequence[int]]) -> list[str]:
    """Say how often users' own functions failed."""
    return [
        f"faults    {clean(name)}: raised {failed:,} times, claimed {refused:,} times what cannot be; there it says"
        " nothing"
        for name, (failed, refused) in sorted(faults.items())
        if failed or refused
    ]


def _source_json(report: SourceReport) -> dict[str, Any]:
    return {
        "name": report.name,
        "format": report.format,
        "packets": report.packets,
        "bytes": report.bytes,
        "problem": report.problem,
        "sentence": report.sentence,
        "offset": report.offset,
        "blocks_skipped": dict(report.blocks_skipped),
        "balance": balance_json(report.balance),
    }


def _sorted(counts: Any) -> list[tuple[tuple[str | None, ...], int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], tuple(str(part) for part in item[0])))

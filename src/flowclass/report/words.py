"""The sentences that the page and the terminal share, and how times, counts and foreign texts are written."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

MOST_TEXT = 200
MOST_REASONS = 20
_QUIET = ("not_applicable", "app", "unknown")
OUTCOME_WORDS = {
    "violation": "breaks the rule in force",
    "violation_trial": "would break it; the trial had no consequence",
    "review": "a person must look: the evidence is below the threshold, or the registration is not clear",
    "allow_grace": "let through for now: a pending registration or a time of grace",
    "allow": "a valid registration",
    "not_applicable": "does not count: another class of protocol, no evidence, or outside the scope",
    "not_judged": "no policy was asked",
}
REASON_WORDS = {
    "expired": "ended",
    "not_yet_valid": "not valid yet",
    "inactive": "rejected, suspended or revoked",
    "protocol_not_permitted": "for other protocols",
    "pending_overdue": "pending for longer than its window",
    "pending_undated": "pending without a date",
    "pending_not_counted": "pending",
}
TIER_WORDS = {
    "confirmed": "this is the protocol",
    "probable": "very likely; look before acting",
    "possible": "a hint, no more",
    "none": "no evidence, which does not mean that it is no VPN",
}
LIMITS = (
    "Bits say how unlikely it is that octets of unrelated traffic pass the same checks by chance: each bit halves it."
    " They do not say how likely it is that somebody broke a rule.",
    "Bits bound chance alone. Somebody can send a protocol's octets on purpose, and a protocol of like structure"
    " without a fingerprint of its own could pass; that is why ordinary protocols are fingerprinted too.",
    "The tiers: confirmed is 64 bits with checks on packets of both directions, or 96 bits, or an IP protocol number"
    " that belongs to this protocol alone; probable is 32 bits; possible is 16. A port never decides.",
    "Nothing was decrypted. Who used a tunnel, what went through it and why is not known here.",
    "An unknown flow is not shown to be harmless. Tunnels that are disguised, or that have no fingerprint, are unknown"
    " or count as what they imitate: TLS on port 443 is called TLS and no more.",
    "A registration is judged at the moment the flow began. An address may have had another user at another time, and"
    " an inside address may stand for many people behind address translation.",
    "Counts are of flow records. A flow longer than the active timeout gives several, each counted.",
)


def shown(value: object, most: int = MOST_TEXT) -> str:
    r"""Give a text that came from outside as one that may be shown: no control or direction marks, not too long.

    Examples
    --------
    >>> shown("a" + chr(0x202E) + "b" + chr(27))
    'a\ufffdb\ufffd'
    """
    text = "".join(char if char.isprintable() else "\ufffd" for char in str(value))
    return text if len(text) <= most else text[: most - 1] + "…"


def instant(nanoseconds: int | None) -> str:
    """Write a time, to the second.

    Examples
    --------
    >>> instant(1795466885000000000)
    '2026-11-23 20:48:05'
    """
    if nanoseconds is None:
        return ""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=nanoseconds // 1_000_000_000)).strftime(
        "%Y-%m-%d %H:%M:%S"
    )


def span(nanoseconds: int) -> str:
    """Write a duration in its largest whole unit.

    Examples
    --------
    >>> span(15_000_000_000), span(3_600_000_000_000), span(1_000_000_000)
    ('15 seconds', '1 hour', '1 second')
    """
    seconds = nanoseconds // 1_000_000_000
    for size, name in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        if seconds % size == 0:
            return f"{seconds // size} {name}{'' if seconds // size == 1 else 's'}"
    raise AssertionError("a whole number of seconds is a multiple of one")


def endpoint(row: dict[str, Any]) -> str:
    """Write an address with its port, where it has one."""
    address, port = shown(row["address"]), row["port"]
    if port is None:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def explain_command(flow_id: str, file: str) -> str:
    """Give the command that tells the story of a flow, safe to paste."""
    name = file if len(file) <= MOST_TEXT and file.isprintable() else "RUN"
    return f"flowclass explain {shlex.quote(shown(flow_id))} --in {shlex.quote(name)}"


def by_outcome(figures: dict[str, Any]) -> dict[str, int]:
    """Give the number of flows of each outcome that there is."""
    counts: dict[str, int] = {}
    for row in figures["outcomes"]:
        counts[row["outcome"]] = counts.get(row["outcome"], 0) + row["flows"]
    return counts


def drawn_series(series: Sequence[str]) -> list[str]:
    """Give the series of the timeline that are drawn: all but those that nothing follows from, if there are others.

    Examples
    --------
    >>> drawn_series(["violation", "not_applicable"]), drawn_series(["app"])
    (['violation'], ['app'])
    """
    return [name for name in series if name not in _QUIET] or list(series)


def headline(figures: dict[str, Any]) -> list[str]:
    """Say in a few sentences what the run shows."""
    counts = by_outcome(figures)
    run, hosts = figures["run"], figures["inside"]
    if not run["records"]:
        return ["The run holds no flows."]
    if not run["judged"]:
        said = ["No policy was asked, so nothing is judged: classify with --registry and --policy."]
    else:
        said = [
            f"{many(counts.get('violation', 0), 'flow')} broke the rules in force,"
            f" {counts.get('violation_trial', 0):,} more would have but for the trial, and"
            f" {counts.get('review', 0):,} need a person to look."
        ]
    said += _why(figures)
    if not hosts["known"]:
        return [*said, "Addresses are anonymised: which hosts are inside is not known without --scope."]
    sure = sum(row["hosts"] for row in hosts["by_outcome_and_tier"] if row["tier"] == "confirmed")
    which = "without a valid registration" if run["looked_up"] else "about which no registry was asked"
    said.append(
        f"{many(hosts['total'], 'inside host')} had tunnels {which}; for {sure:,} of them the protocol is confirmed."
    )
    return said


def _why(figures: dict[str, Any]) -> list[str]:
    """Say how many violations, real or of a trial, have no registration, and what is wrong with the others'."""
    counts: dict[str, int] = {}
    for row in figures["outcomes"]:
        if row["outcome"] in ("violation", "violation_trial"):
            counts[row["reason"] or ""] = counts.get(row["reason"] or "", 0) + row["flows"]
    total, none = sum(counts.values()), counts.pop("unregistered", 0)
    if not total:
        return []
    said = f"Of these {total:,}, {none:,} {'has' if none == 1 else 'have'} no registration"
    if not counts:
        return [f"{said}."]
    listed = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MOST_REASONS]
    others = ", ".join(f"{count:,} {REASON_WORDS.get(why) or shown(why, 40)}" for why, count in listed)
    return [
        f"{said}; {total - none:,} {'has' if total - none == 1 else 'have'} one that does not cover them: {others}."
    ]


def balance_words(balance: dict[str, Any] | None) -> str:
    """Say what became of the packets that the run read.

    Parameters
    ----------
    balance : dict or None
        As the file of the run holds it, so anything may stand in it.

    Examples
    --------
    >>> balance_words({"packets_read": 3, "packets_in_flows": 2, "packets_skipped": {"malformed": 1}, "closed": True})
    'Of 3 packets read 2 are in flows and 1 was skipped (malformed 1).'
    """
    if balance is None:
        return (
            "The file of the run does not say what was read and skipped before flows were made; the summary of"
            " classify does."
        )
    read, within = (balance.get(name) for name in ("packets_read", "packets_in_flows"))
    listed = balance.get("packets_skipped")
    reasons = listed if isinstance(listed, dict) else {}
    skipped = [(shown(why), count) for why, count in reasons.items() if type(count) is int and count > 0]
    if type(read) is not int or type(within) is not int:
        return "What the file of the run says of its balance cannot be read."
    total = sum(count for _, count in skipped)
    named = f" ({', '.join(f'{why} {count:,}' for why, count in skipped[:MOST_REASONS])})" if skipped else ""
    were, are = ("was" if total == 1 else "were"), ("is" if within == 1 else "are")
    said = f"Of {many(read, 'packet')} read {within:,} {are} in flows and {total:,} {were} skipped{named}."
    if read == within + sum(count for count in reasons.values() if type(count) is int) and balance.get("closed"):
        return said
    return f"{said} This does not come out even: it is a fault of the program, and no figure here can be relied on."


def many(count: int, name: str) -> str:
    """Write a count with its noun.

    Examples
    --------
    >>> many(1, "flow"), many(1200, "flow")
    ('1 flow', '1,200 flows')
    """
    return f"{count:,} {name}{'' if count == 1 else 's'}"

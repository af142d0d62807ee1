"""Takes the figures. Writes the report to a terminal: the same parts as the page, the longest tables cut."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import IO, Any

from flowclass.report.judged import OUTCOMES, TIERS
from flowclass.report.words import (
    LIMITS,
    OUTCOME_WORDS,
    balance_words,
    by_outcome,
    endpoint,
    explain_command,
    headline,
    instant,
    many,
    shown,
)

MOST_ROWS = 15
MOST_IDS = 10
_NUMBERS = ("flows", "hosts", "octets", "bits", "endpoints", "tunnels", *TIERS)
_STYLES = {
    "violation": "bold red",
    "violation_trial": "red",
    "review": "yellow",
    "allow_grace": "cyan",
    "allow": "green",
}


def show(figures: dict[str, Any], stream: IO[str]) -> None:
    """Write the report.

    Parameters
    ----------
    figures : dict
        What ``flowclass.report.figures.figures_of`` gives.
    stream : text file object
        Where it goes; no wider than a terminal, as wide as needed elsewhere.
    """
    from rich.console import Console

    wide = not stream.isatty() and "COLUMNS" not in os.environ
    console = Console(file=stream, width=200 if wide else None, highlight=False, markup=False, emoji=False)
    run = figures["run"]
    console.print(shown(figures["provenance"]["file"]), style="bold")
    if run["records"]:
        console.print(f"{instant(run['time_start'])} to {instant(run['time_end'])} UTC, {many(run['records'], 'flow')}")
    for sentence in headline(figures):
        console.print(sentence)
    if not run["records"]:
        return
    _verdicts(console, figures)
    _ends(console, figures)
    _registrations(console, figures)
    console.print()
    console.print("Balance", style="bold")
    console.print(balance_words(figures["provenance"]["balance"]))
    console.print()
    console.print("Limits", style="bold")
    for sentence in LIMITS:
        console.print(f"- {sentence}")


def _verdicts(console: Any, figures: dict[str, Any]) -> None:
    counts = by_outcome(figures)
    _table(
        console,
        "Outcomes",
        ("outcome", "flows", "meaning"),
        [(name, counts[name], OUTCOME_WORDS[name]) for name in reversed(OUTCOMES) if name in counts],
    )
    tiers = tuple(reversed(TIERS))
    tunnels = [row for row in figures["protocols"] if row["protocol_class"] not in ("app", "unknown")]
    _table(
        console,
        "Tunnels by tier",
        ("protocol", "class", *tiers, "flows"),
        [
            (row["protocol"], row["protocol_class"], *(row["tiers"][one] for one in tiers), row["flows"])
            for row in tunnels
        ],
    )
    _table(
        console,
        "Violations and trial violations, by the least tier asked for",
        ("tier", "flows", "hosts", "endpoints"),
        [
            (row["tier"], *(row["as_phased"][unit] for unit in ("flows", "inside_hosts", "endpoints")))
            for row in figures["thresholds"]
        ],
    )


def _ends(console: Any, figures: dict[str, Any]) -> None:
    inside, found = figures["inside"], figures["endpoints"]
    _table(
        console,
        "Inside hosts affected",
        ("host", "outcome", "tier", "bits", "flows", "endpoints", "protocols"),
        [
            (
                row["host"],
                row["outcome"],
                row["tier"],
                f"{row['evidence_bits']:.0f}",
                row["flows"],
                row["endpoints"],
                ", ".join(row["protocols"]),
            )
            for row in inside["hosts"]
        ],
        more=inside["left_out"],
    )
    console.print(f"Inside is {shown(inside['rule'])}.", style="dim")
    _table(
        console,
        "Endpoints without a valid registration",
        (
            "endpoint",
            "protocol",
            "registry",
            "outcome",
            "tier",
            "bits",
            "flows",
            "octets",
            "last seen (UTC)",
            "example flow",
        ),
        [
            (
                endpoint(row),
                row["protocol"],
                row["registry_match"] or "not asked",
                row["outcome"],
                row["tier"],
                f"{row['evidence_bits']:.0f}",
                row["flows"],
                row["bytes"],
                instant(row["time_end"]),
                row["flow_id"],
            )
            for row in found["ranked"]
        ],
        more=found["left_out"],
    )
    if found["ranked"]:
        command = explain_command(found["ranked"][0]["flow_id"], figures["provenance"]["file"])
        console.print(f"See one with: {command}", style="dim")


def _registrations(console: Any, figures: dict[str, Any]) -> None:
    found = figures["registrations"]
    _table(
        console,
        "Registrations seen",
        ("registration", "registry", "outcome", "tunnels", "flows", "last seen (UTC)"),
        [
            (
                row["registration_id"],
                ", ".join(row["registry_matches"]),
                row["outcome"],
                row["tunnels"],
                row["flows"],
                instant(row["time_end"]),
            )
            for row in found["seen"]
        ],
        more=found["left_out"],
    )
    registry = found.get("registry")
    if registry is None:
        return
    if not registry["same_version"]:
        console.print(
            "The registry given is not the one that the run was judged by, or has another scope.", style="yellow"
        )
    _ids(console, f"In force but never seen, of {registry['in_force']:,}", registry["never_seen"])
    for soon in registry["soon"]:
        _ids(console, f"End within {soon['days']} days after the run", soon["ids"])


def _ids(console: Any, title: str, ids: Sequence[str]) -> None:
    rest = f" and {len(ids) - MOST_IDS:,} more" if len(ids) > MOST_IDS else ""
    console.print(f"{title}: {', '.join(shown(name) for name in ids[:MOST_IDS]) or 'none'}{rest}")


def _table(console: Any, title: str, names: Sequence[str], rows: Sequence[Sequence[Any]], *, more: int = 0) -> None:
    from rich.table import Table
    from rich.text import Text

    console.print()
    console.print(title, style="bold")
    if not rows:
        console.print("none")
        return
    made = Table(box=None, pad_edge=False, header_style="dim")
    for name in names:
        made.add_column(name, justify="right" if name in _NUMBERS else "left", overflow="fold")
    for row in rows[:MOST_ROWS]:
        cells = (f"{value:,}" if isinstance(value, int) else shown(value) for value in row)
        made.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in cells))
    console.print(made)
    left = len(rows) - MOST_ROWS + more if len(rows) > MOST_ROWS else more
    if left > 0:
        console.print(f"... and {left:,} more: the page has them, -o report.html", style="dim")

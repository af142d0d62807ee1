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
    drawn_series,
    endpoint,
    explain_command,
    headline,
    instant,
    many,
    shown,
    span,
)

MOST_ROWS = 15
MOST_IDS = 10
_BARS = " ▁▂▃▄▅▆▇█"
_BESIDE = 30  # signs beside those of a line of the timeline
_PLAIN_BARS = " .:-=+*#@"  # for terminals that have no others
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
    _timeline(console, figures)
    _ends(console, figures)
    _registrations(console, figures)
    console.print()
    console.print("Balance", style="bold")
    console.print(balance_words(figures["provenance"]["balance"]))
    _provenance(console, figures["provenance"])
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


def _timeline(console: Any, figures: dict[str, Any]) -> None:
    """Draw what is drawn on the page: one line a series, one sign a step, as high as the series' greatest."""
    line = figures["timeline"]
    if not line["buckets"]:
        return
    bars = _BARS if console.encoding.startswith("utf") else _PLAIN_BARS
    series = drawn_series(line["series"])
    wide = max(len(name) for name in series)
    counts = {name: [bucket["flows"].get(name, 0) for bucket in line["buckets"]] for name in series}
    steps, width = len(line["buckets"]), line["width_ns"]
    while steps > 1 and steps + wide + _BESIDE > console.width:
        counts = {name: [sum(some[at : at + 2]) for at in range(0, steps, 2)] for name, some in counts.items()}
        steps, width = (steps + 1) // 2, 2 * width
    console.print()
    console.print(f"Over time, in {many(steps, 'step')} of {span(width)}", style="bold")
    for name, some in counts.items():
        most = max(some)
        signs = "".join(bars[-(-count * (len(bars) - 1) // most)] if most else bars[0] for count in some)
        console.print(f"{name:<{wide}} |{signs}| at most {most:,} in a step", style=_STYLES.get(name, ""))
    console.print(f"{'':<{wide}}  from {instant(line['buckets'][0]['time'])} UTC on", style="dim")


def _provenance(console: Any, source: dict[str, Any]) -> None:
    known = source["metadata"]
    listed = [
        ("registry", known.get("registry_version")),
        ("policy", known.get("policy_sha256")),
        ("fingerprints", known.get("rules_sha256")),
    ]
    told = ", ".join(f"{name} {shown(value)[:12] if value else 'not in the file'}" for name, value in listed)
    console.print(
        f"Made by flowclass {shown(known.get('version') or '?')} of {many(source['inputs_total'], 'input')}: {told}."
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
    before = 0
    for soon in registry["soon"]:
        _ids(console, f"End {before} to {soon['days']} days after the run's last packet", soon["ids"])
        before = soon["days"]


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

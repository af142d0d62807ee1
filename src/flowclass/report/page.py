"""Takes the figures. Gives one page that needs nothing else: no network, no other file, no font.

Its own script and style are the only ones that may run, by their hashes. All that came from captures, registries or
file names is escaped. The same figures give the same octets.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flowclass.report import sections
from flowclass.report.judged import OUTCOMES
from flowclass.report.table import text
from flowclass.report.words import by_outcome, headline, instant

SECTIONS: tuple[tuple[str, str, Callable[[dict[str, Any]], str]], ...] = (
    ("outcomes", "Outcomes", sections.outcomes),
    ("threshold", "How much evidence is asked for", sections.threshold),
    ("hosts", "Inside hosts affected", sections.hosts),
    ("endpoints", "Endpoints without a valid registration", sections.endpoints),
    ("timeline", "Over time", sections.timeline),
    ("protocols", "Protocols", sections.protocols),
    ("registrations", "Registrations", sections.registrations),
    ("balance", "Balance", sections.balance),
    ("provenance", "Where this comes from", sections.provenance),
    ("limits", "What this cannot say", sections.limits),
)
OF_EMPTY = ("balance", "provenance", "limits")  # parts of a run without flows


def page(figures: dict[str, Any]) -> bytes:
    """Make the page.

    Parameters
    ----------
    figures : dict
        What ``flowclass.report.figures.figures_of`` gives.

    Returns
    -------
    bytes
        HTML, UTF-8.
    """
    style, script = (Path(__file__).with_name(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    rule = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; base-uri 'none';"
        " form-action 'none'"
    )
    shown = [one for one in SECTIONS if figures["run"]["records"] or one[0] in OF_EMPTY]
    links = "".join(f'<li><a href="#{name}">{text(title)}</a></li>' for name, title, _ in shown)
    parts = "\n".join(
        f'<section id="{name}" aria-labelledby="h-{name}"><h2 id="h-{name}">{text(title)}</h2>\n'
        f"{make(figures)}</section>"
        for name, title, make in shown
    )
    made = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{rule}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>flowclass report: {text(_file_name(figures))}</title>\n<style>{style}</style></head>\n<body>\n"
        f'<header>{_head(figures)}<nav aria-label="Parts"><ul>{links}</ul></nav></header>\n<main>\n{parts}\n</main>\n'
        f"<script>{script}</script>\n</body></html>\n"
    )
    return made.encode("utf-8", "replace")


def _hash(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def _file_name(figures: dict[str, Any]) -> str:
    return Path(figures["provenance"]["file"]).name


def _head(figures: dict[str, Any]) -> str:
    run = figures["run"]
    counts = by_outcome(figures)
    when = f"{instant(run['time_start'])} to {instant(run['time_end'])} UTC" if run["records"] else "no flows"
    shown = [name for name in reversed(OUTCOMES) if name in counts or name in ("violation", "review")]
    tiles = [(name, counts.get(name, 0), name.replace("_", " ")) for name in shown if run["judged"]]
    if figures["inside"]["known"] and run["records"]:
        tiles.append(("", figures["inside"]["total"], "inside hosts affected"))
    tiles.append(("", run["records"], "flows in all"))
    listed = "".join(f'<li class="t-{name}"><b>{count:,}</b>{text(said)}</li>' for name, count, said in tiles)
    sentences = " ".join(text(sentence, 400) for sentence in headline(figures))
    return (
        f'<h1>What the flows show, and what would follow</h1><p class="soft">{text(_file_name(figures))}, {when}</p>'
        f'<p class="lead">{sentences}</p><ul class="tiles">{listed}</ul>'
    )

"""Takes counts. Gives charts as SVG inside the page: no style attribute, no script, colours by class.

Every chart has a table under it that says the same; the chart is an image with a name for readers of the screen. Widths
are shares of the room there is and texts keep their size, so that a narrow screen shows the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from flowclass.report.words import shown

BAR = 18  # pixels, as all heights; widths are shares of the room there is
PLOT = 200
ABOVE = 10
DIGIT = 8


def bars(name: str, rows: Sequence[tuple[str, Mapping[str, int]]]) -> str:
    """Draw one horizontal bar a row, made of parts, between its label and its sum.

    Parameters
    ----------
    name : str
        What the chart shows, for readers of the screen.
    rows : sequence of (str, mapping of str to int)
        Label, and the count of each part; the part's name is its colour.
    """
    most = max((sum(parts.values()) for _, parts in rows), default=0)
    drawn = []
    for label, parts in rows:
        left, filled = 0.0, []
        for part, count in parts.items():
            if count:
                wide = max(count / most * 100, 0.2)
                title = f"<title>{_text(label)}, {_text(part)}: {count:,}</title>"
                place = f'x="{left:.2f}%" width="{wide:.2f}%" height="{BAR}"'
                filled.append(f'<rect class="fill {_class(part)}" {place}>{title}</rect>')
                left += wide
        drawn.append(
            f'<div class="bar"><span class="name">{_text(label)}</span><svg class="plot" height="{BAR}">'
            f"{''.join(filled)}</svg><span>{sum(parts.values()):,}</span></div>"
        )
    return _image("bars", name, drawn)


def columns(name: str, series: Sequence[str], buckets: Sequence[tuple[str, Mapping[str, int]]]) -> str:
    """Draw one column a span of time, stacked by series, the first at the bottom.

    Parameters
    ----------
    name : str
        What the chart shows, for readers of the screen.
    series : sequence of str
        The parts that are drawn.
    buckets : sequence of (str, mapping of str to int)
        Label of the span, and the count of each part.
    """
    top = _rounded(max((sum(flows.get(one, 0) for one in series) for _, flows in buckets), default=0))
    edge = DIGIT * len(f"{top:,}") + 10
    lines, numbers = [], []
    for part in range(5):
        y = ABOVE + PLOT - PLOT * part / 4
        lines.append(f'<line class="grid" x1="0" x2="100%" y1="{y:g}" y2="{y:g}"/>')
        if top * part % 4 == 0:
            numbers.append(f'<text x="{edge - 8}" y="{y + 5:g}" text-anchor="end">{top * part // 4:,}</text>')
    wide = 100 / max(len(buckets), 1)
    for place, (label, flows) in enumerate(buckets):
        base = float(ABOVE + PLOT)
        for one in series:
            if count := flows.get(one, 0):
                tall = max(count / top * PLOT, 1.0)
                base -= tall
                lines.append(
                    f'<rect class="fill {_class(one)}" x="{(place + 0.08) * wide:.2f}%" y="{base:.2f}"'
                    f' width="{wide * 0.84:.2f}%" height="{tall:.2f}"><title>{_text(label)}, {_text(one)}: {count:,}'
                    "</title></rect>"
                )
    high = ABOVE + PLOT + 8
    places = sorted({0, len(buckets) // 2, len(buckets) - 1}) if len(buckets) > 2 else range(len(buckets))
    times = "".join(f"<span>{_text(buckets[place][0])}</span>" for place in places)
    drawn = [
        f'<svg width="{edge}" height="{high}">{"".join(numbers)}</svg>',
        f'<svg class="plot" height="{high}">{"".join(lines)}</svg>',
        f'<div class="times">{times}</div>',
    ]
    return _image("columns", name, drawn)


def legend(names: Sequence[str]) -> str:
    """Name the colours."""
    items = "".join(
        f'<li><svg class="key" viewBox="0 0 12 12" aria-hidden="true"><rect class="fill {_class(name)}" width="12"'
        f' height="12"/></svg>{_text(name)}</li>'
        for name in names
    )
    return f'<ul class="legend">{items}</ul>'


def _image(kind: str, name: str, drawn: Sequence[str]) -> str:
    return f'<div class="chart {kind}" role="img" aria-label="{_text(name)}">{"".join(drawn)}</div>'


def _rounded(most: int) -> int:
    """Give the end of the axis: the next of 4, 8, 12, 20, 40, ... that holds all."""
    step = 4
    while True:
        for times in (1, 2, 3, 5):
            if step * times >= most:
                return step * times
        step *= 10


def _class(name: str) -> str:
    """Give the colour's class; names from the file could be anything."""
    return "c-" + "".join(char if char.isascii() and (char.isalnum() or char == "_") else "-" for char in name)[:40]


def _text(value: str) -> str:
    return escape(shown(value, 60), quote=True).replace("_", " ") if value.isidentifier() else escape(shown(value, 60))

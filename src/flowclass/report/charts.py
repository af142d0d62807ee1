"""Takes counts. Gives charts as SVG inside the page: no style attribute, no script, colours by class.

Every chart has a table under it that says the same; the chart is an image with a name for readers of the screen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from flowclass.report.words import shown

WIDTH = 960
LABEL = 190
NUMBER = 90
ROW = 30
BAR = 18
PLOT = 200
LEFT = 56


def bars(name: str, rows: Sequence[tuple[str, Mapping[str, int]]]) -> str:
    """Draw one horizontal bar a row, made of parts.

    Parameters
    ----------
    name : str
        What the chart shows, for readers of the screen.
    rows : sequence of (str, mapping of str to int)
        Label, and the count of each part; the part's name is its colour.
    """
    most = max((sum(parts.values()) for _, parts in rows), default=0)
    room = WIDTH - LABEL - NUMBER
    drawn = []
    for place, (label, parts) in enumerate(rows):
        top, left = place * ROW + 6, float(LABEL)
        middle = top + BAR / 2 + 5
        drawn.append(f'<text class="label" x="{LABEL - 10}" y="{middle:g}" text-anchor="end">{_text(label)}</text>')
        for part, count in parts.items():
            if count:
                wide = max(count / most * room, 1.5)
                title = f"<title>{_text(label)}, {_text(part)}: {count:,}</title>"
                drawn.append(
                    f'<rect class="fill {_class(part)}" x="{left:.2f}" y="{top}" width="{wide:.2f}" height="{BAR}">'
                    f"{title}</rect>"
                )
                left += wide
        drawn.append(f'<text x="{left + 8:.2f}" y="{middle:g}">{sum(parts.values()):,}</text>')
    return _image(name, len(rows) * ROW + 6, drawn)


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
    most = max((sum(flows.get(one, 0) for one in series) for _, flows in buckets), default=0)
    top = _rounded(most)
    wide = (WIDTH - LEFT) / max(len(buckets), 1)
    gap = min(wide * 0.15, 4)
    drawn = []
    for part in range(5):
        y = 10 + PLOT - PLOT * part / 4
        drawn.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH}" y1="{y:g}" y2="{y:g}"/>')
        if top * part % 4 == 0:
            drawn.append(f'<text x="{LEFT - 8}" y="{y + 5:g}" text-anchor="end">{top * part // 4:,}</text>')
    for place, (label, flows) in enumerate(buckets):
        base = 10.0 + PLOT
        for one in series:
            if count := flows.get(one, 0):
                tall = max(count / top * PLOT, 1.0)
                base -= tall
                drawn.append(
                    f'<rect class="fill {_class(one)}" x="{LEFT + place * wide + gap / 2:.2f}" y="{base:.2f}"'
                    f' width="{wide - gap:.2f}" height="{tall:.2f}"><title>{_text(label)}, {_text(one)}: {count:,}'
                    "</title></rect>"
                )
    for place in sorted({0, len(buckets) // 2, len(buckets) - 1}) if len(buckets) > 2 else range(len(buckets)):
        anchor = "start" if place == 0 else "end" if place == len(buckets) - 1 else "middle"
        x = LEFT + (place + {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor]) * wide
        drawn.append(f'<text x="{x:.2f}" y="{PLOT + 32}" text-anchor="{anchor}">{_text(buckets[place][0])}</text>')
    return _image(name, PLOT + 40, drawn)


def legend(names: Sequence[str]) -> str:
    """Name the colours."""
    items = "".join(
        f'<li><svg class="key" viewBox="0 0 12 12" aria-hidden="true"><rect class="fill {_class(name)}" width="12"'
        f' height="12"/></svg>{_text(name)}</li>'
        for name in names
    )
    return f'<ul class="legend">{items}</ul>'


def _image(name: str, height: int, drawn: Sequence[str]) -> str:
    facts = f'class="chart" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{_text(name)}"'
    return f"<svg {facts}>{''.join(drawn)}</svg>"


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

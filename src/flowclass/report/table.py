"""Takes rows of values. Gives tables of the page, with everything escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from flowclass.report.judged import OUTCOMES, TIERS
from flowclass.report.words import instant, shown

_ORDERS = {"outcome": OUTCOMES, "tier": TIERS}


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Parameters
    ----------
    name : str
        Its header.
    kind : {"text", "number", "time", "code", "bits", "outcome", "tier"}
        How values are written and sorted; outcomes by how grave, tiers by how sure they are.
    """

    name: str
    kind: str = "text"

    @property
    def numeric(self) -> bool:
        """Whether it is read as a number, at the right."""
        return self.kind in ("number", "bits")


def table(
    name: str, caption: str, columns: Sequence[Column], rows: Sequence[Sequence[Any]], *, left_out: int = 0
) -> str:
    """Give a table with a caption, headers and scopes; its first column heads the rows.

    Parameters
    ----------
    name : str
        The element's id, one of the page's own.
    caption : str
        What it holds.
    columns : sequence of Column
        Headers and kinds.
    rows : sequence of sequences
        Values in the order of the columns; None is empty.
    left_out : int
        Rows that the cap left out; said under the table.
    """
    head = "".join(f'<th scope="col"{_number(column)}>{text(column.name)}</th>' for column in columns)
    body = "".join(
        "<tr>"
        + "".join(_cell(column, value, place) for place, (column, value) in enumerate(zip(columns, row, strict=True)))
        + "</tr>\n"
        for row in rows
    )
    if not rows:
        body = f'<tr><td colspan="{len(columns)}">none</td></tr>'
    rest = f'<p class="soft">{left_out:,} further rows are left out; --rows gives more.</p>' if left_out else ""
    return (
        f'<div class="scroll"><table id="{text(name)}"><caption>{text(caption)}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>\n{body}</tbody></table></div>{rest}"
    )


def text(value: object, most: int = 200) -> str:
    """Give a foreign text for the page."""
    return escape(shown(value, most), quote=True)


def _number(column: Column) -> str:
    if column.kind in _ORDERS:
        return ' class="r"'
    return ' class="n"' if column.numeric else ""


def _cell(column: Column, value: Any, place: int) -> str:
    inner, facts = "" if value is None else text(value), ""
    if value is not None and column.kind == "number":
        inner, facts = f"{value:,}", f' class="n" data-v="{value}"'
    elif value is not None and column.kind == "bits":
        inner, facts = f"{value:.1f}", f' class="n" data-v="{value:.3f}"'
    elif column.kind in _ORDERS:
        order = _ORDERS[column.kind]
        facts = f' data-v="{order.index(value) if value in order else -1}"'
    elif column.kind == "time":
        inner, facts = instant(value), ' class="w"'
    elif column.kind == "code":
        inner, facts = f"<code>{text(value or '', 600)}</code>", ' class="c"'
    return f'<th scope="row"{facts}>{inner}</th>' if place == 0 else f"<td{facts}>{inner}</td>"

"""Puts measured text between its marks on a page: ``<!-- NAME: begin -->`` and ``<!-- NAME: end -->``."""

from __future__ import annotations

from pathlib import Path

__all__ = ["PAGE", "put", "replaced"]

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"


def replaced(page: str, name: str, text: str) -> str:
    """Give the page with `text` between the marks of `name`.

    Raises
    ------
    ValueError
        Unless each mark is there once, and in this order.
    """
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
    if page.count(begin) != 1 or page.count(end) != 1 or page.index(begin) > page.index(end):
        raise ValueError(f"the page must have {begin.strip()} and {end} once each, in this order")
    before, rest = page.split(begin)
    after = rest.split(end)[1]
    return f"{before}{begin}{text.rstrip()}\n{end}{after}"


def put(page: Path, name: str, text: str) -> None:
    """Write `text` between the marks of `name`."""
    page.write_text(replaced(page.read_text(encoding="utf-8"), name, text), encoding="utf-8")

"""Checks that every link of the built site that stays inside it leads somewhere, anchors included. Asks no network.

Usage: ``python docs/check_links.py FOLDER``; exit code 1 with a line for each broken link.
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The links and the anchors of one page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of what an element refers to and is called."""
        del tag
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.links.append(value)
            if name in ("id", "name") and value:
                self.anchors.add(value)


def broken(folder: Path) -> list[str]:
    """Give a line for each broken link of the pages in a folder."""
    pages = {path.resolve(): Page(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchors = pages[target].anchors if target in pages else None
            missing_anchor = parts.fragment and anchors is not None and unquote(parts.fragment) not in anchors
            if not target.exists() or missing_anchor:
                found.append(f"{path.relative_to(folder.resolve())}: {link} leads nowhere")
    if not pages:
        found.append(f"{folder}: holds no page")
    return found


if __name__ == "__main__":
    lines = broken(Path(sys.argv[1]))
    sys.stderr.write("".join(f"{line}\n" for line in lines))
    sys.exit(bool(lines))

"""Takes a TOML document. Gives the line on which each of its keys and items stands.

The parser of the standard library gives values without their places. This one gives places alone: it follows a
document that the parser has accepted, so it needs to know where values end, not whether they are right.
"""

from __future__ import annotations

import re
import tomllib

Path = tuple[str | int, ...]

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_TEXTS = (
    re.compile(r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}', re.DOTALL),
    re.compile(r"'''(?:[^']|'(?!''))*'{3,5}", re.DOTALL),
    re.compile(r'"(?:[^"\\]|\\.)*"'),
    re.compile(r"'[^']*'"),
)
_PLAIN = re.compile(r"[^,\]}#\n]*")


def lines(text: str) -> dict[Path, int]:
    r"""Give the line of each key, table and item.

    Parameters
    ----------
    text : str
        A document that ``tomllib`` has accepted.

    Returns
    -------
    dict of tuple to int
        Lines from 1, by the keys and places that lead there: ``("phase", 0, "name")``.

    Examples
    --------
    >>> lines('a = 1\n[[phase]]\nname = "x"')
    {('a',): 1, ('phase',): 2, ('phase', 0): 2, ('phase', 0, 'name'): 3}
    """
    return _Scan(text).found


class _Scan:
    def __init__(self, text: str) -> None:
        self._text = text
        self._place = 0
        self._line = 1
        self._tables: dict[Path, int] = {}  # how many tables each array of tables has so far
        self.found: dict[Path, int] = {}
        self._document()

    def _document(self) -> None:
        table: Path = ()
        self._skip()
        while self._place < len(self._text):
            if self._at("["):
                table = self._header()
            else:
                self._pair(table)
            self._skip()

    def _header(self) -> Path:
        many = self._at("[[")
        line = self._line
        self._move(2 if many else 1)
        self._skip()
        *above, last = self._key()
        self._skip()
        self._move(2 if many else 1)
        path: Path = ()
        for part in above:
            path = self._inside((*path, part), line)
        path = (*path, last)
        self.found.setdefault(path, line)
        if many:
            number = self._tables.get(path, 0)
            self._tables[path] = number + 1
            path = (*path, number)
            self.found[path] = line
        return path

    def _inside(self, path: Path, line: int) -> Path:
        """Give the table a key on the way means: of an array of tables the last."""
        self.found.setdefault(path, line)
        return (*path, self._tables[path] - 1) if path in self._tables else path

    def _pair(self, table: Path) -> None:
        line = self._line
        path = table
        for part in self._key():
            path = (*path, part)
            self.found.setdefault(path, line)
        self._skip()
        self._move(1)  # the sign of equality
        self._skip()
        self._value(path)

    def _key(self) -> list[str]:
        parts = []
        while True:
            bare = _BARE.match(self._text, self._place)
            if bare is not None:
                parts.append(bare[0])
                self._move(len(bare[0]))
            else:
                raw = self._quoted()
                parts.append(str(tomllib.loads(f"key = {raw}")["key"]))
            self._skip()
            if not self._at("."):
                return parts
            self._move(1)
            self._skip()

    def _value(self, path: Path) -> None:
        self.found.setdefault(path, self._line)
        if self._at("["):
            self._move(1)
            self._skip()
            number = 0
            while not self._at("]"):
                self._value((*path, number))
                number += 1
                self._comma()
            self._move(1)
        elif self._at("{"):
            self._move(1)
            self._skip()
            while not self._at("}"):
                self._pair(path)
                self._comma()
            self._move(1)
        elif self._at('"') or self._at("'"):
            self._quoted()
        else:
            plain = _PLAIN.match(self._text, self._place)
            self._move(len(plain[0]) if plain else 0)

    def _comma(self) -> None:
        self._skip()
        if self._at(","):
            self._move(1)
            self._skip()

    def _quoted(self) -> str:
        for form in _TEXTS:
            found = form.match(self._text, self._place)
            if found is not None:
                self._move(len(found[0]))
                return found[0]
        raise ValueError(f"no TOML on line {self._line}")

    def _skip(self) -> None:
        space = _SPACE.match(self._text, self._place)
        self._move(len(space[0]) if space else 0)

    def _at(self, sign: str) -> bool:
        if self._place >= len(self._text):
            raise ValueError("the document ends within a value")
        return self._text.startswith(sign, self._place)

    def _move(self, count: int) -> None:
        self._line += self._text.count("\n", self._place, self._place + count)
        self._place += count

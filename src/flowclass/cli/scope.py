"""The operator's own prefixes, as several commands take them: one by one, or a file of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from flowclass.errors import RegistryError
from flowclass.registries.prefixes import parse_prefixes


def read_scope(path: Path) -> list[str]:
    """Read the operator's own prefixes, one a line; # begins a note.

    Raises
    ------
    RegistryError
        When the file cannot be read or holds none.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as problem:
        raise RegistryError(f"{path}: the scope cannot be read: {problem.strerror}; check the path") from problem
    except UnicodeDecodeError:
        raise RegistryError(f"{path}: the scope is not UTF-8 text; write one prefix a line") from None
    prefixes = [text for line in lines if (text := line.partition("#")[0].strip())]
    if not prefixes:
        raise RegistryError(f"{path}: the scope is empty; write one prefix a line, or leave --scope out")
    return prefixes


def scope_of(given: Iterable[str]) -> tuple[str, ...]:
    """Give the prefixes that were named, and those of the files that were.

    Parameters
    ----------
    given : iterable of str
        Each an address, a prefix, a range, or the path of a file that `read_scope` takes.

    Raises
    ------
    RegistryError
        Where one is none of these.
    """
    prefixes: list[str] = []
    for text in given:
        try:
            parse_prefixes(text.strip())
        except ValueError as problem:
            if not Path(text).exists():
                raise RegistryError(
                    f"scope {text!r}: {problem}, and there is no file of that name; give a prefix, or a file with one"
                    " a line"
                ) from None
            prefixes += read_scope(Path(text))
        else:
            prefixes.append(text.strip())
    return tuple(dict.fromkeys(prefixes))

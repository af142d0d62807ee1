"""The file of the operator's own prefixes, as several commands take it."""

from __future__ import annotations

from pathlib import Path

from flowclass.errors import RegistryError


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

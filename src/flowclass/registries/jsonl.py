"""Registries as JSON lines (UTF-8): one object a line, a registration with its prefix or list of prefixes."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from flowclass.errors import RowProblem
from flowclass.registries.kinds import MOST_LINE, Defect, Limits, shown
from flowclass.registries.row import COLUMNS, RegistryRow, RowChecker, nearest

NAME = "JSON lines"
ENDINGS = (".jsonl", ".ndjson")
_BOM = b"\xef\xbb\xbf"
_NAMES = {list: "array", str: "text", bool: "true or false", type(None): "null"}


def recognise(head: bytes) -> bool:
    """Say whether octets begin as such a file."""
    return head.removeprefix(_BOM).lstrip().startswith(b"{")


def read(
    data: bytes, *, name: str, known_protocols: Collection[str] = (), limits: Limits | None = None
) -> tuple[list[RegistryRow], list[RowProblem]]:
    """Read all rows and all problems; see ``flowclass.registries.csv.read``."""
    checker = RowChecker(name, known_protocols, limits)
    data = data.removeprefix(_BOM)
    if data.lstrip().startswith(b"["):
        raise checker.refusal(1, "a JSON array; write one object a line, without brackets and commas", "unreadable")
    rows: list[RegistryRow] = []
    found = False
    for line, octets in enumerate(data.split(b"\n"), start=1):
        if not octets.strip():
            continue
        found = True
        try:
            values = _object(octets)
        except Defect as problem:
            checker.problem(line, "", octets[:64].decode("utf-8", "replace"), str(problem), problem.kind)
            continue
        row = checker.check(line, values)
        if row is not None:
            rows.append(row)
    if not found:
        raise checker.refusal(1, f"empty; each line is an object of {','.join(COLUMNS)}", "unreadable")
    return rows, checker.finish()


def _object(octets: bytes) -> dict[str, Any]:
    if len(octets) > MOST_LINE:
        raise Defect("too_long", f"a line of {len(octets):,} octets; no registration has more than {MOST_LINE:,}")
    try:
        values = json.loads(octets.decode("utf-8"), object_pairs_hook=_distinct)
    except UnicodeDecodeError:
        raise Defect("not_utf8", "not UTF-8") from None
    except RecursionError:
        raise Defect("unreadable", "not JSON: nested too deep") from None
    except Defect:
        raise
    except ValueError as problem:
        # What is no JSON error is a number of more digits than Python takes.
        why = shown(problem) if isinstance(problem, json.JSONDecodeError) else "a number of too many digits"
        raise Defect("unreadable", f"not JSON: {why}") from None
    if not isinstance(values, dict):
        raise Defect("unreadable", f"a JSON {_NAMES.get(type(values), 'number')} where an object is wanted")
    unknown = [key for key in values if key not in COLUMNS]
    if unknown:
        near = nearest(unknown[0], COLUMNS)
        raise Defect("columns", f"unknown column {shown(unknown[0])!r}{near}")
    return values


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1) if len(keys) <= len(COLUMNS) * 2 else keys[0]
        raise Defect("columns", f"the column {shown(twice)!r} is there twice")
    return values

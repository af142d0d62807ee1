"""Takes the text of a policy file. Gives its options, or every defect with the line it is on."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any

from flowclass.errors import ConfigError
from flowclass.policy.options import (
    CLASSES,
    MAX_WINDOW_HOURS,
    PHASE_OUTCOMES,
    TIERS,
    Exemption,
    Phase,
    PolicyOptions,
    exempt_networks,
)
from flowclass.policy.positions import Path, lines
from flowclass.policy.problems import PolicyError, PolicyProblem
from flowclass.registries.timestamps import datetime_to_ns

KEYS = ("classes", "default_outcome", "tiers", "pending", "phase", "exempt")
TIER_KEYS = ("violation", "violation_trial", "review")
PENDING_KEYS = ("grace", "window_hours")
PHASE_KEYS = ("name", "from", "until", "outcome")
EXEMPT_KEYS = ("prefix", "until", "reason")

_KINDS: dict[type, str] = {
    str: "a text in quotes",
    bool: "true or false",
    int: "a number",
    dict: "a table",
    list: "a list",
    date: "a date or date-time without quotes",
}
_LINE = re.compile(r"line (\d+)")


def read(text: bytes, name: str) -> PolicyOptions:
    """Read a policy.

    Parameters
    ----------
    text : bytes
        The TOML document, UTF-8.
    name : str
        What it is called in the problems.

    Raises
    ------
    PolicyError
        Where it is not TOML, or holds unknown keys or values that are not permitted: with all of them.
    """
    try:
        written = text.decode("utf-8-sig")  # editors on Windows begin with a mark
        document = tomllib.loads(written)
    except UnicodeDecodeError as problem:
        line = text.count(b"\n", 0, problem.start) + 1
        raise _refused(name, [_whole(name, line, "not UTF-8 text; save it as UTF-8")]) from None
    except tomllib.TOMLDecodeError as problem:
        found = _LINE.search(str(problem))
        line = int(found[1]) if found else written.count("\n") + 1
        raise _refused(name, [_whole(name, line, f"not TOML: {problem}")]) from None
    except RecursionError:
        raise _refused(name, [_whole(name, 1, "not a policy: its values lie too deep in each other")]) from None
    except ValueError:  # of what is TOML, Python refuses only this
        raise _refused(name, [_whole(name, 1, "not a policy: it holds a number of too many digits")]) from None
    reader = _Reader(name, lines(written))
    given = reader.options(document)
    if not reader.problems:
        try:
            return PolicyOptions(**given)
        except ConfigError as problem:  # what no single key is to blame for
            reader.problems.append(_whole(name, 1, str(problem)))
    raise _refused(name, sorted(reader.problems, key=lambda problem: problem.line))


def _whole(name: str, line: int, reason: str) -> PolicyProblem:
    return PolicyProblem(file=name, line=line, key="", value=None, reason=reason)


def _refused(name: str, problems: Sequence[PolicyProblem]) -> PolicyError:
    some = "1 error; correct it" if len(problems) == 1 else f"{len(problems)} errors; correct these"
    return PolicyError(f"{name}: the policy is refused for {some} and load it again", problems)


class _Reader:
    """Reads key after key and remembers what is wrong."""

    def __init__(self, name: str, places: Mapping[Path, int]) -> None:
        self._name = name
        self._places = places
        self.problems: list[PolicyProblem] = []

    def options(self, document: Mapping[str, Any]) -> dict[str, Any]:
        given: dict[str, Any] = {}
        self._check_keys(document, KEYS, (), "")
        if "classes" in document:
            given["classes"] = self._classes(document)
        if "default_outcome" in document:
            given["default_outcome"] = self._one_of(document, ("default_outcome",), "", PHASE_OUTCOMES)
        if "tiers" in document and self._typed(document, ("tiers",), "", (dict,)) is not None:
            tiers = document["tiers"]
            self._check_keys(tiers, TIER_KEYS, ("tiers",), "[tiers]")
            for key in TIER_KEYS:
                if key in tiers:
                    given[f"{key}_tier"] = self._one_of(tiers, ("tiers", key), "tiers.", TIERS)
        if "pending" in document and self._typed(document, ("pending",), "", (dict,)) is not None:
            given |= self._pending(document["pending"])
        given["phases"] = tuple(self._tables(document, "phase", self._phase))
        given["exemptions"] = tuple(self._tables(document, "exempt", self._exemption))
        self._check_phases(document, given["phases"])
        self._check_exemptions(document, given["exemptions"])
        return given

    def _refuse(self, path: Path, key: str, value: object, reason: str) -> None:
        line = next((self._places[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self._places), 1)
        self.problems.append(PolicyProblem(file=self._name, line=line, key=key, value=value, reason=reason))

    def _check_keys(self, table: Mapping[str, Any], known: Sequence[str], path: Path, where: str) -> None:
        for key in table:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)[0]
                self._refuse((*path, key), where, None, f"key {key!r} is not known; the nearest known one is {near!r}")

    def _typed(self, table: Mapping[str, Any], path: Path, where: str, kinds: tuple[type, ...]) -> Any:
        """Give the value, None where it is of another kind."""
        key = str(path[-1])
        value = table[key]
        if isinstance(value, kinds) and not (isinstance(value, bool) and bool not in kinds):
            return value
        self._refuse(path, f"{where}{key}", value, f"give {_KINDS[kinds[0]]}")
        return None

    def _one_of(self, table: Mapping[str, Any], path: Path, where: str, permitted: Sequence[str]) -> Any:
        value = self._typed(table, path, where, (str,))
        if value is not None and value not in permitted:
            self._refuse(path, f"{where}{path[-1]}", value, _choice(value, permitted))
            return None
        return value

    def _classes(self, document: Mapping[str, Any]) -> tuple[str, ...]:
        values = self._typed(document, ("classes",), "", (list,))
        if values is None:
            return ()
        if not values:
            self._refuse(("classes",), "classes", [], f"give one or more of {', '.join(CLASSES)}")
        for number, value in enumerate(values):
            if value not in CLASSES:
                self._refuse(("classes", number), f"classes, item {number + 1}", value, _choice(value, CLASSES))
        return tuple(value for value in values if value in CLASSES)

    def _pending(self, pending: Mapping[str, Any]) -> dict[str, Any]:
        self._check_keys(pending, PENDING_KEYS, ("pending",), "[pending]")
        given: dict[str, Any] = {}
        if "grace" in pending:
            given["pending_grace"] = self._typed(pending, ("pending", "grace"), "pending.", (bool,))
        if "window_hours" in pending:
            path = ("pending", "window_hours")
            hours = self._typed(pending, path, "pending.", (int, float))
            if hours is not None and not 0 <= hours <= MAX_WINDOW_HOURS:
                self._refuse(path, "pending.window_hours", hours, f"give 0 to {MAX_WINDOW_HOURS}")
            given["pending_window_hours"] = hours
        return given

    def _tables(
        self, document: Mapping[str, Any], key: str, make: Callable[[Mapping[str, Any], Path, str], Any]
    ) -> Iterable[Any]:
        """Give what is made of each table of an array; None where it has a defect."""
        listed = self._typed(document, (key,), "", (list,)) if key in document else ()
        for number, table in enumerate(listed or ()):
            where = f"{key} {number + 1}"
            if not isinstance(table, dict):
                self._refuse((key, number), where, None, f"it is not a table; write [[{key}]] above its keys")
                yield None
                continue
            before = len(self.problems)
            made = make(table, (key, number), where)
            yield made if len(self.problems) == before else None

    def _require(self, table: Mapping[str, Any], keys: Sequence[str], path: Path, where: str) -> None:
        for key in keys:
            if key not in table:
                self._refuse(path, where, None, f"the key {key!r} is missing")

    def _phase(self, table: Mapping[str, Any], path: Path, where: str) -> Phase | None:
        self._check_keys(table, PHASE_KEYS, path, where)
        self._require(table, ("name", "from", "outcome"), path, where)
        inner = f"{where}: "
        name = self._text(table, (*path, "name"), inner, "give a printable name")
        start = self._moment(table, (*path, "from"), inner)
        end = self._moment(table, (*path, "until"), inner)
        outcome = "outcome" in table and self._one_of(table, (*path, "outcome"), inner, PHASE_OUTCOMES)
        if start is not None and end is not None and end <= start:
            reason = "'until' is not after 'from'; give a later one or leave it out"
            self._refuse((*path, "until"), f"{inner}until", str(table["until"]), reason)
        if not name or start is None or not outcome or (end is not None and end <= start):
            return None
        return Phase(name=name, start=start, end=end, outcome=outcome)

    def _exemption(self, table: Mapping[str, Any], path: Path, where: str) -> Exemption | None:
        self._check_keys(table, EXEMPT_KEYS, path, where)
        self._require(table, ("prefix", "reason"), path, where)
        inner = f"{where}: "
        prefix = self._text(table, (*path, "prefix"), inner, "give an address, a prefix or a range")
        reason = self._text(table, (*path, "reason"), inner, "say in printable words why it is exempt")
        end = self._moment(table, (*path, "until"), inner)
        try:
            networks = exempt_networks(prefix) if prefix else ()
        except ValueError as problem:
            self._refuse((*path, "prefix"), f"{inner}prefix", prefix, str(problem))
            networks = ()
        if not networks or not reason:
            return None
        return Exemption(prefix=prefix, until=end, reason=reason)

    def _text(self, table: Mapping[str, Any], path: Path, where: str, wanted: str) -> str:
        if path[-1] not in table:
            return ""
        value = self._typed(table, path, where, (str,))
        if value is not None and (not value.strip() or not value.isprintable()):
            self._refuse(path, f"{where}{path[-1]}", value, wanted)
            return ""
        return value or ""

    def _moment(self, table: Mapping[str, Any], path: Path, where: str) -> int | None:
        if path[-1] not in table:
            return None
        value = self._typed(table, path, where, (date,))
        if value is None:
            return None
        try:
            return datetime_to_ns(value if isinstance(value, datetime) else datetime.combine(value, time(), UTC))
        except (ValueError, OverflowError):
            self._refuse(path, f"{where}{path[-1]}", str(value), "give a date of the years 1678 to 2261")
            return None

    def _check_phases(self, document: Mapping[str, Any], phases: Sequence[Phase | None]) -> None:
        names: dict[str, int] = {}
        spans: dict[tuple[int, int | None], Phase] = {}
        for number, phase in enumerate(phases):
            if phase is None:
                continue
            if names.setdefault(phase.name, number) != number:
                reason = f"two phases have the name {phase.name!r}; phase {names[phase.name] + 1} has it already"
                self._refuse(("phase", number, "name"), f"phase {number + 1}: name", phase.name, reason)
            twin = spans.setdefault((phase.start, phase.end), phase)
            if twin is not phase:
                reason = f"the phases {twin.name!r} and {phase.name!r} cover the same time: neither can win"
                self._refuse(
                    ("phase", number, "from"),
                    f"phase {number + 1}: from",
                    str(document["phase"][number]["from"]),
                    reason,
                )

    def _check_exemptions(self, document: Mapping[str, Any], exemptions: Sequence[Exemption | None]) -> None:
        seen: dict[str, int] = {}
        for number, exemption in enumerate(exemptions):
            for network in exempt_networks(exemption.prefix) if exemption else ():
                first = seen.setdefault(str(network), number)
                if first != number:
                    value = document["exempt"][number]["prefix"]
                    reason = f"{network} is exempt twice; exempt {first + 1} names it already: leave one of them out"
                    self._refuse(("exempt", number, "prefix"), f"exempt {number + 1}: prefix", value, reason)
                    break


def _choice(value: object, permitted: Sequence[str]) -> str:
    near = difflib.get_close_matches(value, permitted, n=1) if isinstance(value, str) else []
    nearest = f"; the nearest one is {near[0]!r}" if near else ""
    return f"give one of {', '.join(permitted)}{nearest}"

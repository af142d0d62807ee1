"""Takes a user's Python function. Gives it compiled, or a sentence that says which line cannot be and why.

Compiled are functions of their arguments alone: what prints, asks for random numbers or the time, or goes back to
Python is refused, because the same packets must give the same flows on any machine and in any thread.
"""

from __future__ import annotations

import builtins
import dis
import inspect
import linecache
import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from pathlib import Path
from types import CodeType
from typing import Any

from flowclass.errors import UserFunctionError

NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_PLACE = re.compile(r'File "([^"]+)", line (\d+)')
_IMPURE_BUILTINS = ("print", "input", "open", "exec", "eval")
_IMPURE_MODULES = ("random", "time", "datetime", "os", "sys", "secrets")
_ABSENT = object()
_BOILERPLATE = ("Failed in nopython mode", "During:", ">>>")
_OWN = re.compile(r"TypingError: ((?:no|a) (?:rule|variant|check's) .+)")
_NO_ATTRIBUTE = re.compile(r"Unknown attribute '(\w+)' of type (\S+)")
_UNFIT = re.compile(r"found for signature:\s*>>> (.+)")
TAKES = dict.fromkeys(
    [f"head.{name}" for name in ("u8", "be16", "be32", "be64", "le16", "le32", "le64")], "(payload, offset)"
)
TAKES |= dict.fromkeys(
    [f"head.{name}" for name in ("direction", "length", "kept", "time_ns", "packet", "octets")], "(payload)"
)
TAKES |= {
    "head.stream": "(direction)",
    "evidence.add": "(rule, payload, offset, length, bits), numbers all but the first",
    "evidence.variant": "(name)",
    "evidence.initiator": "(direction)",
}
HEAD_NAMES = frozenset(
    {"count", "ip_proto", "src_port", "dst_port", "truncated", "direction", "length", "kept", "time_ns", "packet"}
    | {"octets", "stream", "u8", "be16", "be32", "be64", "le16", "le32", "le64"}
)


def place_of(function: Callable[..., Any]) -> str:
    """Give name, file and line of a function, for sentences."""
    code = function.__code__
    return f"{function.__name__} ({code.co_filename}, line {code.co_firstlineno})"


def nearest(name: str, known: Any) -> str:
    """Give what of the known names may have been meant, as the end of a sentence."""
    near = get_close_matches(name, known, 1)
    return f"; did you mean {near[0]}?" if near else ""


def refuse_bad_name(function: Callable[..., Any], what: str) -> None:
    """Raise unless the function's name can be that of a fingerprint or column."""
    if not inspect.isfunction(function):
        raise UserFunctionError(f"{function!r} is no function: put the decorator above a def")
    if NAME.fullmatch(function.__name__) is None:
        raise UserFunctionError(
            f"{place_of(function)}: the function's name names its {what}: give it at most 48 of a-z, 0-9 and _,"
            " beginning with a letter"
        )


def refuse_impure(function: Callable[..., Any]) -> None:
    """Raise where a function uses what would make its answer depend on more than its arguments."""
    for found, line in _impure(function.__code__, function.__globals__):
        raise UserFunctionError(
            f"{function.__code__.co_filename}, line {line}: {function.__name__} uses {found}: a user's function may"
            " depend on its arguments only, so that the same packets always give the same flows"
        )


def _impure(code: CodeType, names: dict[str, Any]) -> Iterator[tuple[str, int]]:
    line, last = code.co_firstlineno, None
    for step in dis.get_instructions(code):
        if step.positions is not None and step.positions.lineno is not None:
            line = step.positions.lineno
        if step.opname == "LOAD_GLOBAL":
            last = names.get(step.argval, getattr(builtins, str(step.argval), _ABSENT))
            if last is _ABSENT:
                raise UserFunctionError(f"{code.co_filename}, line {line}: the name {step.argval} is not defined")
            module = last.__name__ if inspect.ismodule(last) else getattr(last, "__module__", "")
            is_builtin = any(last is getattr(builtins, name) for name in _IMPURE_BUILTINS)
            if is_builtin or module in _IMPURE_MODULES or getattr(last, "__name__", "") == "_ObjModeContextType":
                yield str(step.argval), line
        elif step.opname in ("LOAD_ATTR", "LOAD_METHOD") and inspect.ismodule(last):
            if str(step.argval) in ("random", "objmode"):
                yield f"{last.__name__}.{step.argval}", line
            last = getattr(last, str(step.argval), None)
        else:
            last = None
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _impure(inner, names)


def compiled(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, Any]:
    """Compile a function for arguments of these types.

    Parameters
    ----------
    function : function
        As the user wrote it.
    arguments : tuple of numba types
        Of its parameters.

    Returns
    -------
    dispatcher, numba type
        What compiled code can call, and the type of what it gives.

    Raises
    ------
    UserFunctionError
        With the line that cannot be compiled, and why.

    Notes
    -----
    Indices are checked, so a wrong one is an IndexError and no read of something else. A division by 0 gives an
    infinite number.
    """
    import numba

    refuse_impure(function)
    made = numba.njit(error_model="numpy", boundscheck=True, nogil=True)(function)
    try:
        made.compile(arguments)
    except Exception as problem:  # not all that numba raises about a function is an error of its own kind
        raise UserFunctionError(_sentence(function, str(problem))) from problem
    result: Any = made.overloads[arguments]
    unliteral: Any = numba.types.unliteral
    if result.lifted:
        raise UserFunctionError(f"{place_of(function)}: a block of it goes back to Python: leave objmode out")
    return made, unliteral(result.signature.return_type)


def _sentence(function: Callable[..., Any], said: str) -> str:
    """Make one sentence of what numba says over many lines."""
    text = _ANSI.sub("", said)
    own = function.__code__.co_filename
    places = [int(line) for file, line in _PLACE.findall(text) if _is_same(file, own)]
    line = places[-1] if places else function.__code__.co_firstlineno
    source = linecache.getline(own, line).strip()
    shown = f" ({source})" if source else ""
    return f"{own}, line {line}: {function.__name__} cannot be compiled here{shown}: {_reason(text)}"


def _is_same(file: str, own: str) -> bool:
    """Whether a file as numba names it, often from the working folder on, is the function's."""
    return file == own or Path(file).resolve() == Path(own).resolve()


def _reason(text: str) -> str:
    """Give why, in a few words: what this package says, else what is not there, else the first line that says why."""
    own = _OWN.search(text)
    if own is not None:
        return own[1].strip()
    attribute = _NO_ATTRIBUTE.search(text)
    if attribute is not None and attribute[2] == "flowclass.Head":
        return f"a head has no {attribute[1]}{nearest(attribute[1], HEAD_NAMES)}"
    unfit = _UNFIT.search(text)
    if unfit is not None:
        if unfit[1].startswith("setitem(readonly"):
            return "a head's octets, and arrays from outside of the function, can only be read; copy() what you change"
        taken = TAKES.get(unfit[1].partition("(")[0])
        if taken is not None:
            return f"{unfit[1].partition('(')[0]} takes {taken}"
        return f"there is no {unfit[1].strip()}"
    for raw in text.splitlines():
        line = raw.strip().removeprefix("- ")
        if line and not line.startswith(_BOILERPLATE) and "File " not in line:
            return line.partition("Error: ")[2].rstrip(".") or line
    return "numba gives no reason"

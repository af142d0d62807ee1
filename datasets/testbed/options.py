"""Turns a TOML table into a frozen dataclass, and says exactly which key is wrong."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from .errors import ScenarioError

__all__ = ["read_options"]

T = TypeVar("T")


def read_options(cls: type[T], table: Mapping[str, object], where: str) -> T:
    """Build `cls` from `table`.

    Parameters
    ----------
    cls : type
        A dataclass whose fields are ``str``, ``int``, ``float``, ``bool``, ``tuple[str, ...]`` or an optional one of
        these.
    table : mapping
        The keys and values as read from the file.
    where : str
        File and table name, for messages.

    Raises
    ------
    ScenarioError
        For an unknown or missing key, a value of another type, or one that the class refuses.
    """
    if not dataclasses.is_dataclass(cls):
        raise TypeError(f"{cls.__name__} is not a dataclass")
    hints = typing.get_type_hints(cls)
    names = [field.name for field in dataclasses.fields(cls)]
    for key in table:
        if key not in names:
            near = difflib.get_close_matches(key, names, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known keys: {', '.join(names)}"
            raise ScenarioError(f"{where}: unknown key {key!r}{hint}")
    values: dict[str, Any] = {}
    for field in dataclasses.fields(cls):
        if field.name in table:
            values[field.name] = _checked(table[field.name], hints[field.name], f"{where}: {field.name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ScenarioError(f"{where}: the key {field.name!r} is missing")
    try:
        return typing.cast(T, cls(**values))
    except ValueError as error:
        raise ScenarioError(f"{where}: {error}") from error


def _checked(value: object, hint: Any, where: str) -> object:
    allowed = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    for kind in allowed:
        if typing.get_origin(kind) is tuple:
            if isinstance(value, list) and all(isinstance(item, str) for item in value):
                return tuple(value)
        elif type(value) is kind:
            return value
        elif kind is float and type(value) is int:
            return float(value)
    wanted = " or ".join("list of str" if typing.get_origin(k) is tuple else k.__name__ for k in allowed)
    raise ScenarioError(f"{where}: {value!r} is not a {wanted}")

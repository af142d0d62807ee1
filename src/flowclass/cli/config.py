"""Options from files: ``--config FILE``, else ``./flowclass.toml``.

An option on the command line wins over ``FLOWCLASS_*`` in the environment, which wins over
``--config FILE``, which wins over ``./flowclass.toml``, which wins over the default. The keys are the
long options of ``classify`` with ``_`` for ``-``; paths in a file are relative to it. Those of the
registrar's desk (``desk``, ``who``, ``overdue_hours``) stand in a table of their own, ``[desk]``.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from flowclass.errors import ConfigError

LOCAL = Path("flowclass.toml")
PATHS = frozenset({"registry", "policy", "output", "key_file", "desk"})

DESK = "desk"
DESK_KEYS = ("desk", "who", "overdue_hours")


def load(path: Path, known: Mapping[str, click.Option]) -> dict[str, Any]:
    """Read one configuration file.

    Parameters
    ----------
    path : Path
        A TOML file.
    known : mapping of str to click.Option
        The keys that may stand in it.

    Returns
    -------
    dict
        Values by parameter name.

    Raises
    ------
    ConfigError
        When it can't be read, or holds a key or value that is not permitted.
    """
    content = _content(path)
    if isinstance(content.get(DESK), dict):
        del content[DESK]
    for key in content:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
            raise ConfigError(f"{path}: key {key!r} is not known; the nearest known one is {near[0]!r}")
    return {known[key].name or key: _value(path, key, value, known[key]) for key, value in content.items()}


def _content(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = tomllib.load(file)
    except OSError as problem:
        why = (problem.strerror or str(problem)).lower()
        raise ConfigError(f"{path}: cannot be read: {why}; check --config") from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise ConfigError(f"{path}: is not valid TOML: {problem}; correct it there") from problem
    return content


def _value(path: Path, key: str, value: Any, option: click.Option) -> Any:
    if option.is_flag and not isinstance(value, bool):
        raise ConfigError(f"{path}: {key} = {value!r} is not permitted: give true or false")
    if not isinstance(value, (str, int, bool)) or (isinstance(value, bool) and not option.is_flag):
        raise ConfigError(f"{path}: {key} = {value!r} is not permitted: give one value as on the command line")
    if key in PATHS and value != "-":
        value = str(path.parent / str(value))
    if not option.is_flag:
        try:
            option.type.convert(value, option, None)
        except click.BadParameter as problem:
            raise ConfigError(f"{path}: {key} = {value!r} is not permitted: {problem.message}") from problem
    return value


def defaults(command: click.Command, path: Path | None) -> dict[str, Any]:
    """Give the options that files set for a command.

    Parameters
    ----------
    command : click.Command
        Whose long options are the keys.
    path : Path or None
        From ``--config``; with None only ``./flowclass.toml`` is read, where it is there.
    """
    known = {
        option.opts[-1].removeprefix("--").replace("-", "_"): option
        for option in command.params
        if isinstance(option, click.Option) and option.name not in ("config", "help")
    }
    values: dict[str, Any] = {}
    if LOCAL.is_file():
        values.update(load(LOCAL, known))
    if path is not None:
        values.update(load(path, known))
    return values


def desk_defaults(command: click.Command, path: Path | None) -> dict[str, Any]:
    """Give the options that the table ``[desk]`` of the files sets for a command of the registrar's desk.

    Parameters
    ----------
    command : click.Command
        One that opens the desk.
    path : Path or None
        From ``--config``.
    """
    options = {option.name: option for option in command.params if isinstance(option, click.Option)}
    values: dict[str, Any] = {}
    for file in (LOCAL if LOCAL.is_file() else None, path):
        table = {} if file is None else _content(file).get(DESK, {})
        if file is None or not isinstance(table, dict):
            continue
        for key, value in table.items():
            if key not in DESK_KEYS:
                near = difflib.get_close_matches(key, DESK_KEYS, n=1, cutoff=0.0)
                raise ConfigError(f"{file}: key {key!r} of [desk] is not known; the nearest known one is {near[0]!r}")
            option = options.get(key)
            if option is not None:
                values[key] = _value(file, key, value, option)
    return values

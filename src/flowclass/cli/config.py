"""Options from files: ``--config FILE``, else ``./flowclass.toml``.

An option on the command line wins over ``FLOWCLASS_*`` in the environment, which wins over
``--config FILE``, which wins over ``./flowclass.toml``, which wins over the default. The keys are the
long options of ``classify`` with ``_`` for ``-``; paths in a file are relative to it.
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
PATHS = frozenset({"registry", "policy", "output", "key_file"})


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
    try:
        with path.open("rb") as file:
            content = tomllib.load(file)
    except OSError as problem:
        why = (problem.strerror or str(problem)).lower()
        raise ConfigError(f"{path}: cannot be read: {why}; check --config") from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise ConfigError(f"{path}: is not valid TOML: {problem}; correct it there") from problem
    for key in content:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
            raise ConfigError(f"{path}: key {key!r} is not known; the nearest known one is {near[0]!r}")
    return {known[key].name or key: _value(path, key, value, known[key]) for key, value in content.items()}


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

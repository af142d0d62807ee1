"""Options from files: ``--config FILE``, else ``./flowclass.toml``.

An option on the command line wins over ``FLOWCLASS_*`` in the environment, which wins over
``--config FILE``, which wins over ``./flowclass.toml``, which wins over the default. The keys are the
long options of the commands in ``READERS`` with ``_`` for ``-``, so one file serves them all; a command takes
those that it has. Paths in a file are relative to it. Those of the registrar's desk (``desk``, ``who``,
``overdue_hours``) stand in a table of their own, ``[desk]``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from flowclass.errors import ConfigError

LOCAL = Path("flowclass.toml")
PATHS = frozenset({"registry", "policy", "output", "key_file", "desk"})

READERS = ("classify", "match", "judge", "report", "registry.check", "registry.build")
"""The commands that read options from files, by their modules."""
NOT_KEYS = frozenset({"config", "help", "udf"})
"""Not set by files; ``udf`` because it runs code, and ``./flowclass.toml`` is read unasked."""

DESK = "desk"
DESK_KEYS = ("desk", "who", "overdue_hours")


def keys_of(command: click.Command) -> dict[str, click.Option]:
    """Give the keys that a command's long options are."""
    return {
        option.opts[-1].removeprefix("--").replace("-", "_"): option
        for option in command.params
        if isinstance(option, click.Option) and option.name not in NOT_KEYS
    }


def all_keys() -> dict[str, click.Option]:
    """Give the keys of all commands that read files; of an option that several have, the first one's."""
    known: dict[str, click.Option] = {}
    for name in READERS:
        command = getattr(import_module(f"flowclass.cli.{name}"), name.rpartition(".")[2])
        known = keys_of(command) | known
    return known


def load(path: Path, known: Mapping[str, click.Option]) -> dict[str, Any]:
    """Read one configuration file.

    Parameters
    ----------
    path : Path
        A TOML file.
    known : mapping of str to click.Option
        The keys that the command takes; those of the others may stand in it too, and are left out.

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
    values: dict[str, Any] = {}
    everywhere: dict[str, click.Option] = {}
    for key, value in content.items():
        if key not in known and not everywhere:
            everywhere = all_keys()
        option = known.get(key) or everywhere.get(key)
        if option is None:
            near = _nearest(key, {*known, *everywhere})
            raise ConfigError(f"{path}: key {key!r} is not known; the nearest known one is {near!r}")
        checked = _value(path, key, value, option)
        if key in known:
            values[option.name or key] = checked
    return values


def _nearest(key: str, known: Collection[str]) -> str:
    from difflib import get_close_matches

    return get_close_matches(key, known, n=1, cutoff=0.0)[0]


def _content(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        with path.open("rb") as file:
            content = tomllib.load(file)
    except OSError as problem:
        why = (problem.strerror or str(problem)).lower()
        raise ConfigError(f"{path}: cannot be read: {why}; check --config") from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise ConfigError(f"{path}: is not valid TOML: {problem}; correct it there") from problem
    except RecursionError:
        raise ConfigError(f"{path}: its values lie too deep in each other; no key takes such a one") from None
    except ValueError:  # of what is TOML, Python refuses only this
        raise ConfigError(f"{path}: it holds a number of too many digits; no key takes such a one") from None
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


def defaults(command: click.Command, path: Path | None, only: Collection[str] = ()) -> dict[str, Any]:
    """Give the options that files set for a command.

    Parameters
    ----------
    command : click.Command
        Whose long options are the keys.
    path : Path or None
        From ``--config``; with None only ``./flowclass.toml`` is read, where it is there.
    only : collection of str
        The keys that it takes; all of its options where none is named.
    """
    known = {key: option for key, option in keys_of(command).items() if not only or key in only}
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
                near = _nearest(key, DESK_KEYS)
                raise ConfigError(f"{file}: key {key!r} of [desk] is not known; the nearest known one is {near!r}")
            option = options.get(key)
            if option is not None:
                values[key] = _value(file, key, value, option)
    return values

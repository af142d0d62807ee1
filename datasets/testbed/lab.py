"""What a program's driver is given (`Lab`) and what it must give (`Program`)."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from .host import Host
from .labels import Served

__all__ = ["Lab", "Program", "Requirement"]

Options = TypeVar("Options")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """Two connected hosts, with a recorder running between them."""

    client: Host
    server: Host

    @property
    def ip_version(self) -> int:
        """4 or 6, of the addresses that programs use."""
        return ipaddress.ip_address(self.server.address).version


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """A program that must be installed.

    Parameters
    ----------
    name : str
        Its name, as in the list of versions.
    executable : str
        What is looked for in PATH, or an absolute path; ``python:MODULE`` for a Python module.
    package : str
        How to get it, as an argument list of the installer: ``apt: openvpn`` or ``pip: aioquic``.
    version : tuple of str
        The command that prints the version; the first thing like ``1.2.3`` in its output is taken.
    """

    name: str
    executable: str
    package: str
    version: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Program(Generic[Options]):
    """A driver; every file in ``programs/`` ends with one, named PROGRAM.

    Parameters
    ----------
    name : str
        The file's name, and what scenarios say as ``program``.
    options : type
        Frozen dataclass that the scenario's [options] are read into; it checks them in ``__post_init__``.
    requirements : tuple of Requirement
        What must be installed.
    needs_tun : bool
        Whether /dev/net/tun is needed.
    play : callable
        Makes the traffic and says what was served.
    """

    name: str
    options: type[Options]
    requirements: tuple[Requirement, ...]
    play: Callable[[Lab, Options], Sequence[Served]]
    needs_tun: bool = False

    def erased(self) -> Program[Any]:
        """Give itself without the type of its options, for tables of programs."""
        return self

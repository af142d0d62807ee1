"""What a program's driver is given (`Lab`) and what it must give (`Program`)."""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from .host import Host
from .labels import Served

__all__ = ["Lab", "Program", "Requirement"]

Options = TypeVar("Options")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """Two connected hosts, with recorders running.

    Parameters
    ----------
    client, server : Host
        The two ends.
    seed : int
        Of the scenario.
    nat : str, optional
        The address that the path gives the client's packets.
    """

    client: Host
    server: Host
    seed: int = 0
    nat: str | None = None

    @property
    def ip_version(self) -> int:
        """4 or 6, of the addresses that programs use."""
        return ipaddress.ip_address(self.server.address).version

    @property
    def client_from_outside(self) -> str:
        """The client's address as the server sees it: the NAT's, if the path has one for this IP version."""
        if self.nat and ipaddress.ip_address(self.nat).version == ipaddress.ip_address(self.client.address).version:
            return self.nat
        return self.client.address

    def random(self, purpose: str) -> random.Random:
        """Give a generator for random choices of traffic: the same ones for the same seed and purpose."""
        return random.Random(f"{self.seed} {purpose}")


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
        How to get it, as an argument list of the installer: ``apt: openvpn`` or ``pip: aioquic``;
        ``unpack: libreswan`` where Debian's package excludes another one that is needed (see `unpack`).
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
    synthetic : bool
        Whether the packets are made by a packet crafting program instead of the protocol's own one.
    unseen_at : tuple of str
        Points that its packets do not reach: what stays on the client's link never comes to the server.
    play : callable
        Makes the traffic and says what was served.
    """

    name: str
    options: type[Options]
    requirements: tuple[Requirement, ...]
    play: Callable[[Lab, Options], Sequence[Served]]
    needs_tun: bool = False
    synthetic: bool = False
    unseen_at: tuple[str, ...] = ()

    def erased(self) -> Program[Any]:
        """Give itself without the type of its options, for tables of programs."""
        return self

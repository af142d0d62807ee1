"""The differences that are known: ``known.toml``, read, checked, and asked about each difference."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from typing import Any

import msgspec


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row: of what is named all must hold, of what is listed one.

    Parameters
    ----------
    id, reason : str
        What it is called, and why both sides are as they are.
    kinds : list of str
        Of `flowclass.verify.compare.KINDS`.
    ours : list of str
        Our protocol, ``unknown`` included.
    reads : list of str
        A layer that tshark reads as the protocol; ``nothing`` where it reads none.
    names : list of str
        Any layer of the flow above IP, as tshark calls it.
    variants : list of str
        The variant of our protocol.
    through : list of str
        A layer of the tunnel around the flow.
    ports : list of int
        A port of the flow, or of a flow around it.
    protos : list of int
        The IP protocol of the flow.
    skipped : list of str
        A reason for which we skipped frames of this capture; ``*`` stands for anything.
    stopped : bool
        Whether tshark gave up before the end of what we read.
    inside : bool
        Whether the flow is in a tunnel.
    dissector : bool
        Whether tshark has a dissector for our protocol.
    by_port : bool
        Whether all that tshark reads is what its table of ports has for a port of the flow.
    off_port : bool
        Whether our protocol is one that tshark's table has, but for none of the flow's ports.
    truncated : bool
        Whether the snap length cut packets of the flow.
    late : bool
        Whether it is of 2038 or later, when seconds since 1970 need the 32nd bit.
    timeless : bool
        Whether some of its frames have no time.
    """

    id: str
    reason: str
    kinds: list[str]
    ours: list[str] = []
    reads: list[str] = []
    names: list[str] = []
    variants: list[str] = []
    through: list[str] = []
    ports: list[int] = []
    protos: list[int] = []
    skipped: list[str] = []
    stopped: bool | None = None
    inside: bool | None = None
    dissector: bool | None = None
    by_port: bool | None = None
    off_port: bool | None = None
    truncated: bool | None = None
    late: bool | None = None
    timeless: bool | None = None


class _Table(msgspec.Struct, forbid_unknown_fields=True):
    difference: list[Rule]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the rules ask about a difference; empty where one side has no such flow.

    Parameters
    ----------
    kind : str
        What differs.
    ours : str
        Our protocol.
    reads, names : mapping of str to int
        As in `flowclass.verify.flows.Flow`.
    variant : str
        Of our protocol.
    through : set of str
        As in `flowclass.verify.flows.Flow`.
    ports : frozenset of int
        Of the flow and of those around it.
    proto : int
        IP protocol.
    skipped : frozenset of str
        Why we skipped frames of this capture.
    stopped, inside, dissector, by_port, off_port, truncated, late, timeless : bool
        As in `Rule`.
    """

    kind: str
    ours: str
    reads: Mapping[str, int]
    names: Mapping[str, int]
    variant: str
    through: Collection[str]
    ports: frozenset[int]
    proto: int
    skipped: frozenset[str]
    stopped: bool
    inside: bool
    dissector: bool
    by_port: bool
    off_port: bool
    truncated: bool
    late: bool
    timeless: bool


@cache
def rules() -> tuple[Rule, ...]:
    """Give the table that the package carries."""
    text = resources.files("flowclass.verify").joinpath("known.toml").read_bytes()
    return tuple(msgspec.toml.decode(text, type=_Table).difference)


def known(facts: Facts) -> Rule | None:
    """Give the first rule that a difference is an instance of."""
    return next((rule for rule in rules() if _holds(rule, facts)), None)


def _holds(rule: Rule, facts: Facts) -> bool:
    reads: Mapping[str, Any] = facts.reads or {"nothing": 0}
    asked = (
        (rule.ours, facts.ours in rule.ours),
        (rule.reads, any(name in reads for name in rule.reads)),
        (rule.names, any(name in facts.names for name in rule.names)),
        (rule.variants, facts.variant in rule.variants),
        (rule.through, any(name in facts.through for name in rule.through)),
        (rule.ports, not facts.ports.isdisjoint(rule.ports)),
        (rule.protos, facts.proto in rule.protos),
        (rule.skipped, any(fnmatchcase(one, like) for one in facts.skipped for like in rule.skipped)),
    )
    flags = (
        (rule.stopped, facts.stopped),
        (rule.inside, facts.inside),
        (rule.dissector, facts.dissector),
        (rule.by_port, facts.by_port),
        (rule.off_port, facts.off_port),
        (rule.truncated, facts.truncated),
        (rule.late, facts.late),
        (rule.timeless, facts.timeless),
    )
    return (
        facts.kind in rule.kinds
        and all(holds for given, holds in asked if given)
        and all(given == found for given, found in flags if given is not None)
    )

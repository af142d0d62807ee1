"""A small world of registries, scopes, policies and flows, judged whole and in bulk, equals a reference in Python.

`test_policy.py` compares the policy given what the registry says; here both are asked, from addresses and dates on.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from functools import cache
from ipaddress import ip_address, ip_network
from typing import Any

import pyarrow as pa
import pytest
from test_policy import CALENDAR, CLASSES, HOUR, TIERS, reference

import flowclass
from flowclass.policy import Exemption, Policy, PolicyOptions
from flowclass.registries.row import STATUSES, RegistryRow, parse_prefixes
from flowclass.registry import Registry
from flowclass.schema import arrow_schema

ORDER = ("registered", "pending", "protocol_not_permitted", "not_yet", "expired", "inactive", "unregistered")
ASKED = ("src_ip", "dst_ip", "time_start", "protocol", "protocol_class", "tier")
JUDGED = (
    "registry_match", "registration_id", "matched_prefix", "matched_end", "policy_outcome", "policy_phase",
    "policy_reason",
)  # fmt: skip
INSIDE, WIDE, OTHER, EXEMPT, OUTSIDE = "10.1.2.3", "10.200.0.1", "172.16.0.9", "192.0.2.7", "198.51.100.1"
PAIRS = ((INSIDE, OTHER), (OTHER, INSIDE), (INSIDE, WIDE), (OTHER, EXEMPT), (EXEMPT, INSIDE), (OTHER, OUTSIDE))
KINDS_OF_FLOW = (("vpn", "wireguard"), ("vpn", "ike"), ("covert", "iodine"), ("app", "dns"))
FIRST, LAST = 12 * HOUR, 21 * HOUR  # of the periods of validity
TIMES = sorted({hour * HOUR + step for hour in (0, 5, 12, 18, 20, 21, 23, 30) for step in (-1, 0)})
POLICIES = (
    PolicyOptions(
        phases=CALENDAR,
        pending_window_hours=5,
        exemptions=(
            Exemption(prefix="192.0.2.0/24", until=20 * HOUR, reason="a pilot"),
            Exemption(prefix="192.0.2.7", until=18 * HOUR, reason="a shorter one inside"),
        ),
    ),
    PolicyOptions(
        phases=CALENDAR,
        classes=("vpn", "covert"),
        default_outcome="violation",
        violation_tier="probable",
        review_tier="probable",
        exemptions=(Exemption(prefix="10.200.0.0/16", reason="for good"),),
    ),
)


@cache
def within(address: str, prefix: str) -> bool:
    return ip_address(address) in ip_network(prefix)


@dataclass(frozen=True)
class Entry:
    """One row of a registry."""

    name: str
    status: str
    prefix: str
    valid_from: int | None = None
    valid_until: int | None = None
    protocols: tuple[str, ...] = ()
    submitted: int | None = None

    def row(self) -> RegistryRow:
        return RegistryRow(
            line=1,
            registration_id=self.name,
            category="freelancer",
            status=self.status,
            prefixes=parse_prefixes(self.prefix),
            protocols=self.protocols,
            valid_from=self.valid_from,
            valid_until=self.valid_until,
            submitted_at=self.submitted,
        )

    def says(self, time: int, protocol: str) -> str:
        if self.status in ("rejected", "suspended", "revoked"):
            return "inactive"
        if self.status == "pending" and self.submitted is not None and self.submitted > time:
            return "not_yet"
        if self.valid_from is not None and time < self.valid_from:
            return "not_yet"
        if self.valid_until is not None and time >= self.valid_until:
            return "expired"
        if protocol and self.protocols and protocol not in self.protocols:
            return "protocol_not_permitted"
        return "pending" if self.status == "pending" else "registered"

    def rank(self, time: int, protocol: str) -> tuple[Any, ...]:
        match = self.says(time, protocol)
        later = (1, 0) if self.submitted is None else (0, -self.submitted)
        return (
            ORDER.index(match),
            later if match == "pending" else (0, 0),
            -ip_network(self.prefix).prefixlen,
            self.name,
        )


EVERY_ENTRY = [
    Entry("A", status, "10.0.0.0/8", begin, end, protocols, submitted)
    for status, begin, end, protocols, submitted in itertools.product(
        STATUSES, (None, FIRST), (None, LAST), ((), ("wireguard",), ("esp", "ike")), (None, 0, 18 * HOUR)
    )
]
TELLING = [
    Entry("A", "approved", ""),
    Entry("A", "approved", "", valid_until=FIRST),
    Entry("A", "approved", "", valid_from=LAST),
    Entry("A", "approved", "", protocols=("ike",)),
    Entry("A", "pending", ""),
    Entry("A", "pending", "", submitted=0),
    Entry("A", "pending", "", submitted=18 * HOUR),
    Entry("A", "suspended", ""),
]


def flows() -> list[dict[str, Any]]:
    """Give every flow of the world."""
    return [
        dict(zip(ASKED, (*pair, time, protocol, protocol_class, tier), strict=True))
        for pair, (protocol_class, protocol), tier, time in itertools.product(PAIRS, KINDS_OF_FLOW, TIERS, TIMES)
    ]


def table_of(rows: list[dict[str, Any]]) -> pa.Table:
    schema = pa.schema([arrow_schema().field(name) for name in (*ASKED, "variant", *JUDGED)])
    return pa.Table.from_pylist([{**dict.fromkeys(JUDGED), **row} for row in rows], schema)


FLOWS = flows()
TABLE = table_of(FLOWS)


def expected(flow: dict[str, Any], entries: list[Entry], scope: str | None, options: PolicyOptions) -> tuple[Any, ...]:
    """Say what the design says of one flow."""
    time, tier = flow["time_start"], flow["tier"]
    ends = [flow["src_ip"], flow["dst_ip"]]
    counted = flow["protocol_class"] in options.classes and tier != "none"
    protocol = flow["protocol"] if counted else ""
    best = [
        min(
            (entry for entry in entries if within(end, entry.prefix)),
            key=lambda entry: entry.rank(time, protocol),
            default=None,
        )
        for end in ends
    ]
    match, decided, which = "unregistered", None, None
    if scope is not None and not any(within(end, scope) for end in ends):
        match = "out_of_scope"
    elif any(best):
        decided = min(filter(None, best), key=lambda entry: entry.rank(time, protocol))
        match = decided.says(time, protocol)
        agree = [entry is not None and entry.says(time, protocol) == match for entry in best]
        which = "both" if all(agree) else ("src", "dst")[agree.index(True)]
    exempt = any(
        within(end, one.prefix) and (one.until is None or time < one.until)
        for one in options.exemptions
        for end in ends
    )
    submitted = None if decided is None else decided.submitted
    outcome, phase, reason = reference(options, (flow["protocol_class"], tier, match, submitted, time, exempt))
    found = (None, None) if decided is None else (decided.name, decided.prefix)
    return (match, *found, which, outcome, phase, reason)


def compare(entries: list[Entry], scope: str | None, options: PolicyOptions) -> set[str]:
    """Judge the world both ways; give the reasons that came."""
    registry = Registry([entry.row() for entry in entries], scope=() if scope is None else (scope,))
    judged = flowclass.judge(TABLE, registry=registry, policy=Policy(options)).read_all()
    found = list(zip(*(judged.column(name).to_pylist() for name in JUDGED), strict=True))
    for flow, said in zip(FLOWS, found, strict=True):
        wanted = expected(flow, entries, scope, options)
        assert said == wanted, (entries, scope, flow)
    return {said[-1] for said in found}


@pytest.mark.parametrize("options", POLICIES, ids=("usual", "strict"))
def test_every_entry_by_itself(options: PolicyOptions) -> None:
    reasons: set[str] = set()
    for place, entry in enumerate(EVERY_ENTRY):
        if place % 3 == 0 or entry.status in ("pending", "approved"):
            reasons |= compare([entry], (None, "10.0.0.0/8")[place % 2], options)
    assert {
        "registered",
        "exempt",
        "pending_in_window",
        "pending_overdue",
        "pending_undated",
        "expired",
        "inactive",
    } <= (reasons)
    assert {"not_yet_valid", "protocol_not_permitted", "unregistered", "out_of_scope"} <= reasons
    assert {"tier_below_threshold", "class_not_counted", "no_evidence"} <= reasons


def test_every_pair_of_covering_entries() -> None:
    """A narrow entry inside a wide one, in each of the ways that they can differ."""
    for wide, narrow in itertools.product(TELLING, repeat=2):
        pair = [replace(wide, prefix="10.0.0.0/8"), replace(narrow, name="B", prefix="10.1.0.0/16")]
        compare(pair, None, POLICIES[0])


def test_the_world_is_not_too_small() -> None:
    assert {flow["protocol_class"] for flow in FLOWS} <= set(CLASSES)
    assert len(FLOWS) == len(PAIRS) * len(KINDS_OF_FLOW) * len(TIERS) * len(TIMES)

"""The whole small world of judgements equals a reference written from the policy's questions alone."""

from __future__ import annotations

import itertools

import pytest

from flowclass.policy import Phase, Policy, PolicyOptions
from flowclass.registries.row import RegistryRow, parse_prefixes
from flowclass.registry import Registry

HOUR = 3_600_000_000_000
CLASSES = ("unknown", "vpn", "overlay", "proxy", "covert", "app")
TIERS = ("none", "possible", "probable", "confirmed")
MATCHES = (
    "registered",
    "pending",
    "protocol_not_permitted",
    "not_yet",
    "expired",
    "inactive",
    "unregistered",
    "out_of_scope",
)
CALENDAR = (
    Phase(name="grace", start=0, outcome="allow_grace"),
    Phase(name="trial", start=20 * HOUR, end=22 * HOUR, outcome="violation_trial"),
    Phase(name="look", start=21 * HOUR, end=24 * HOUR, outcome="review"),
    Phase(name="enforce", start=30 * HOUR, outcome="violation"),
)
POLICIES = (
    PolicyOptions(),
    PolicyOptions(phases=CALENDAR, pending_window_hours=5),
    PolicyOptions(phases=CALENDAR, default_outcome="violation", violation_tier="probable", review_tier="probable"),
    PolicyOptions(phases=CALENDAR, classes=("vpn", "covert"), violation_trial_tier="possible", pending_grace=False),
)
TIMES = [hour * HOUR + step for hour in (0, 15, 20, 21, 22, 24, 30, 35, 40) for step in (-1, 0, 1)]
World = tuple[str, str, str, int | None, int, bool]  # class, tier, match, submitted, time, exempt
SUBMITTED = (None, 0, 15 * HOUR, 30 * HOUR, 40 * HOUR)


def reference_phase(options: PolicyOptions, time: int) -> Phase | None:
    held = [phase for phase in options.phases if phase.start <= time and (phase.end is None or time < phase.end)]
    ended = [phase for phase in held if phase.end is not None]
    return max(ended or held, key=lambda phase: phase.start, default=None)


def reference(options: PolicyOptions, world: World) -> tuple[str, str | None, str]:
    protocol_class, tier, match, submitted, time, exempt = world
    phase = reference_phase(options, time)
    name = phase.name if phase else None
    if protocol_class not in options.classes:
        return "not_applicable", name, "class_not_counted"
    if tier == "none":
        return "not_applicable", name, "no_evidence"
    if match == "out_of_scope":
        return "not_applicable", name, "out_of_scope"
    if match == "registered":
        return "allow", name, "registered"
    if exempt:
        return "allow", name, "exempt"
    reason = "not_yet_valid" if match == "not_yet" else match
    if match == "pending":
        if not options.pending_grace:
            reason = "pending_not_counted"
        elif submitted is None:
            reason = "pending_undated"
        elif submitted > time:
            reason = "not_yet_valid"
        elif time - submitted < options.pending_window_hours * HOUR:
            return "allow_grace", name, "pending_in_window"
        else:
            reason = "pending_overdue"
    outcome = phase.outcome if phase else options.default_outcome
    least = {"violation": options.violation_tier, "violation_trial": options.violation_trial_tier}.get(outcome)
    if least and TIERS.index(tier) < TIERS.index(least):
        outcome, reason = "review", "tier_below_threshold"
    elif least and reason == "pending_undated":
        outcome = "review"
    if outcome == "review" and TIERS.index(tier) < TIERS.index(options.review_tier):
        return "not_applicable", name, "tier_below_threshold"
    return outcome, name, reason


@pytest.mark.parametrize("options", POLICIES, ids=("default", "calendar", "strict", "wide"))
def test_small_world_equals_reference(options: PolicyOptions) -> None:
    policy = Policy(options).native
    seen = set()
    for world in itertools.product(CLASSES, TIERS, MATCHES, SUBMITTED, TIMES, (False, True)):
        found = policy.judge(*world)
        assert found == reference(options, world), world
        seen.add(found[0])
    assert {"not_applicable", "allow", "allow_grace"} <= seen
    assert ("violation" in seen) == bool(options.phases)


@pytest.mark.parametrize("options", POLICIES, ids=("default", "calendar", "strict", "wide"))
def test_no_violation_below_its_tier_nor_outside_its_classes(options: PolicyOptions) -> None:
    policy = Policy(options).native
    least = {"violation": options.violation_tier, "violation_trial": options.violation_trial_tier}
    for world in itertools.product(CLASSES, TIERS, MATCHES, SUBMITTED, TIMES, (False, True)):
        outcome = policy.judge(*world)[0]
        if outcome in least:
            assert TIERS.index(world[1]) >= TIERS.index(least[outcome])
            assert world[0] in options.classes
            assert world[2] not in ("registered", "out_of_scope")
            assert not world[5]


# One entry of each kind: (status, valid_from, valid_until, protocols, submitted_at).
KINDS = {
    "registered": ("approved", None, None, (), None),
    "pending": ("pending", None, None, (), 5),
    "protocol_not_permitted": ("approved", None, None, ("ike",), None),
    "not_yet": ("approved", 100, None, (), None),
    "expired": ("approved", None, 10, (), None),
    "inactive": ("revoked", None, None, (), None),
}
ORDER = list(KINDS)


def test_every_pair_of_entries_and_of_ends() -> None:
    """On one address, and on the two ends of a flow, the outcome best for the registrant decides."""
    for first, second in itertools.product(KINDS, repeat=2):
        rows = [entry_row("A", first, "10.0.0.0/8"), entry_row("B", second, "10.0.0.0/16")]
        best = min(first, second, key=ORDER.index)
        match, entry = Registry(rows).native.match_address("10.0.0.1", 50, "wireguard")
        assert match == best
        assert entry == (1 if best == second else 0)

        ends = Registry([entry_row("A", first, "10.0.0.0/8"), entry_row("B", second, "192.0.2.0/24")])
        match, entry, end = ends.native.match_flow("10.0.0.1", "192.0.2.1", 50, "wireguard")
        assert match == best
        assert end == ("both" if first == second else "dst" if best == second else "src")
        assert entry == (1 if best == second else 0)


def entry_row(name: str, kind: str, prefix: str) -> RegistryRow:
    status, start, end, protocols, submitted = KINDS[kind]
    return RegistryRow(
        line=1,
        registration_id=name,
        category="freelancer",
        status=status,
        prefixes=parse_prefixes(prefix),
        protocols=protocols,
        valid_from=start,
        valid_until=end,
        submitted_at=submitted,
    )

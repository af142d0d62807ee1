"""How the desk does: how long approvals take, what waits too long, what ends soon."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from flowclass.desk.desk import Desk
from flowclass.errors import ConfigError
from flowclass.registries import desk as reader
from flowclass.registries.row import STATUSES

HOUR_NS = 3_600 * 10**9
DAY_NS = 24 * HOUR_NS
USUAL_HOURS = 10.0
SOON_DAYS = 30

_APPROVALS = """
SELECT a.effective_at - s.effective_at FROM event AS a
JOIN event AS s ON s.number = a.number AND s.action = 'apply'
WHERE a.action = 'approve' AND a.from_state = 'pending' AND a.effective_at <= ?"""
_STANDING = """
WITH seen AS (SELECT number, max(event) AS last FROM event WHERE effective_at <= ? GROUP BY number)
SELECT registration_id, category, to_state, CASE action WHEN 'amend' THEN
    (SELECT min(effective_at) FROM event AS e WHERE e.number = event.number) ELSE effective_at END AS since
FROM seen JOIN registration USING (number) JOIN event ON event.event = seen.last ORDER BY since, event.number"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A pending application.

    Parameters
    ----------
    registration_id, category : str
        Whose.
    submitted_at : int
        Since when, ns UTC.
    hours : float
        How long, hours.
    """

    registration_id: str
    category: str
    submitted_at: int
    hours: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """How the desk does at one instant.

    Parameters
    ----------
    at : int
        The instant, ns UTC.
    registrations : int
        How many there are.
    by_status : dict of str to int
        How many stand where.
    by_category : dict of str to int
        Organizations and freelancers.
    prefixes : int
        Rows of the registry.
    approvals : int
        Applications approved at this desk; imported ones are not measured.
    median_hours, p90_hours : float or None
        Their time from application to approval, hours; 90 % were approved within the second.
    overdue_after_hours : float
        What was asked for.
    overdue : tuple of Waiting
        Pending for longer, the longest first.
    expired, expiring : int
        Approved registrations whose last period has ended, or ends within 30 days.
    events : int
        Of the whole history.
    chain : str
        The last event's hash, hex: whoever notes it can tell later whether the end was cut off.
    """

    at: int
    registrations: int
    by_status: dict[str, int]
    by_category: dict[str, int]
    prefixes: int
    approvals: int
    median_hours: float | None
    p90_hours: float | None
    overdue_after_hours: float
    overdue: tuple[Waiting, ...]
    expired: int
    expiring: int
    events: int
    chain: str


def measure(desk: Desk, *, at: int, overdue_hours: float = USUAL_HOURS) -> Statistics:
    """Measure a desk as of an instant.

    Parameters
    ----------
    desk : Desk
        The desk.
    at : int
        The instant, ns UTC.
    overdue_hours : float
        A pending application is overdue after so many hours; approval usually takes 8 to 10.

    Raises
    ------
    ConfigError
        Where the hours are none.
    """
    if not 0 <= overdue_hours <= 87_600:
        raise ConfigError(f"overdue_hours = {overdue_hours!r} is not permitted; give hours from 0 to 87600")
    with desk.reading() as connection:
        events, head = desk.checked
        standing = connection.execute(_STANDING, [at]).fetchall()
        hours = sorted(took / HOUR_NS for (took,) in connection.execute(_APPROVALS, [at]))
        held = [values for values, _ in reader.held_rows(connection, at)]
    waiting = [
        Waiting(registration_id=name, category=category, submitted_at=since, hours=(at - since) / HOUR_NS)
        for name, category, state, since in standing
        if state == "pending" and at - since > overdue_hours * HOUR_NS
    ]
    ends: dict[str, float] = {}
    for values in held:
        if values["status"] == "approved":
            name, end = str(values["registration_id"]), values["valid_until"]
            ends[name] = max(ends.get(name, -math.inf), math.inf if end == "" else int(end))
    states = Counter(state for _, _, state, _ in standing)
    kinds = Counter(category.partition(":")[0] for _, category, _, _ in standing)
    return Statistics(
        at=at,
        registrations=len(standing),
        by_status={status: states[status] for status in STATUSES},
        by_category=dict(sorted(kinds.items())),
        prefixes=len(held),
        approvals=len(hours),
        median_hours=statistics.median(hours) if hours else None,
        p90_hours=nearest_rank(hours, 0.9),
        overdue_after_hours=overdue_hours,
        overdue=tuple(waiting),
        expired=sum(end <= at for end in ends.values()),
        expiring=sum(at < end <= at + SOON_DAYS * DAY_NS for end in ends.values()),
        events=events,
        chain=head.hex(),
    )


def nearest_rank(ordered: Sequence[float], part: float) -> float | None:
    """Give the least value that so large a part of them does not exceed.

    Examples
    --------
    >>> nearest_rank([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0], 0.9), nearest_rank([], 0.5)
    (9.0, None)
    """
    return ordered[max(math.ceil(round(part * len(ordered), 9)), 1) - 1] if ordered else None

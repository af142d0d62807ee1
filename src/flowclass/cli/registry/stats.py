"""``flowclass registry stats``: how long approvals take, what waits too long, what ends soon."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

import click
import msgspec

from flowclass.cli.exit_codes import Exit
from flowclass.cli.options import common, setting
from flowclass.cli.registry.at_desk import at_desk, moment, open_desk
from flowclass.cli.values import clean
from flowclass.desk.statistics import SOON_DAYS, USUAL_HOURS, Statistics, measure
from flowclass.registries.timestamps import format_timestamp


@click.command(short_help="Say how long approvals take and what waits too long.")
@at_desk
@click.option("--at", type=moment, help="The instant that is asked about; now by default.")
@setting(
    "--overdue-hours",
    type=click.FloatRange(0, 87_600),
    default=USUAL_HOURS,
    show_default=True,
    help="A pending application is overdue after so many; approval usually takes 8 to 10.",
)
@common
def stats(desk: Path, at: int | None, overdue_hours: float, as_json: bool) -> int:
    """Say what stands where, how long approvals take (median, 90 %), and list the applications that wait too long."""
    with open_desk(desk) as opened:
        found = measure(opened, at=time.time_ns() if at is None else at, overdue_hours=overdue_hours)
    if as_json:
        content = {"schema": "flowclass.registry.stats/1", **asdict(found)}
        content["at"] = format_timestamp(found.at)
        content["overdue"] = [
            {**asdict(one), "submitted_at": format_timestamp(one.submitted_at)} for one in found.overdue
        ]
        click.echo(msgspec.json.encode(content).decode())
    else:
        _say(found)
    return Exit.DONE


def _say(found: Statistics) -> None:
    listed = ", ".join(f"{status} {count:,}" for status, count in found.by_status.items())
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in found.by_category.items())
    click.echo(f"{found.registrations:,} registrations at {format_timestamp(found.at)}: {listed}")
    click.echo(clean(f"{kinds or 'none'}; {found.prefixes:,} rows"))
    if found.median_hours is None:
        click.echo("time to approval  nothing was approved at this desk yet")
    else:
        click.echo(
            f"time to approval  median {found.median_hours:.1f} h, 90 % within {found.p90_hours:.1f} h,"
            f" of {found.approvals:,}"
        )
    click.echo(f"validity          {found.expired:,} ended, {found.expiring:,} end within {SOON_DAYS} days")
    click.echo(f"history           {found.events:,} events, last hash {found.chain[:16]}")
    click.echo(f"overdue           {len(found.overdue):,} wait for more than {found.overdue_after_hours:g} h")
    for one in found.overdue:
        since = format_timestamp(one.submitted_at)
        click.echo(clean(f"  {one.registration_id:<20} {one.hours:8.1f} h  since {since}  {one.category}"))

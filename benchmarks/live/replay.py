"""Many packets over a cable: from which rate on the kernel drops; that below it none is lost and every flow told."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from benchmarks.live.command import Live
from benchmarks.live.traffic import Rounds, Verdicts, verdicts_of
from benchmarks.live.wire import FAR, NEAR, Sender, settle

LEAST_RATE = 25_000


def replay(rounds: Rounds, packets: int, rate: float, *options: str) -> dict[str, Any]:
    """Send so many packets, whole rounds of them, past a live run.

    Returns
    -------
    dict
        Packets sent, what the capture counted, seconds, the flows found, and the whole summary.
    """
    count = math.ceil(packets / len(rounds.frames))
    live = Live(NEAR, "--format", "none", "--idle-timeout", "1h", "--active-timeout", "2h", *options)
    try:
        sender = Sender(FAR, rate)
        for number in range(count):
            sender.send(rounds.turn(number))
        seconds = sender.seconds
        sender.close()
        settle()
        peak = live.resident()
        summary = live.end()
    finally:
        live.kill()
    facts = summary["captured"][NEAR]
    return {
        "rounds": count,
        "sent": sender.sent,
        "seconds": seconds,
        "packets_a_second": sender.sent / seconds,
        "captured": facts,
        "resident_bytes": peak,
        "evicted": summary["counters"]["evicted"],
        "verdicts": verdicts_of(summary["groups"]),
    }


def lost(found: dict[str, Any]) -> int:
    """Give how many of the packets sent no flow holds; raise where one is unaccounted for."""
    facts = found["captured"]
    assert found["sent"] == facts["received"] + facts["interface_dropped"], found
    return int(found["sent"] - facts["handed_on"])


def missing(found: dict[str, Any], once: Verdicts) -> Verdicts:
    """Give the flows that were to be found and were not, by protocol and tier."""
    wanted: Verdicts = Verdicts({key: flows * found["rounds"] for key, flows in once.items()})
    told: Verdicts = found["verdicts"]
    return wanted - told


def limit(rounds: Rounds, packets: int, *options: str) -> tuple[float, float | None]:
    """Give the highest rate tried without a loss, and the first with one; None where the sender is slower than that."""
    best, rate = 0.0, float(LEAST_RATE)
    while True:
        found = replay(rounds, packets, rate, *options)
        reached = found["packets_a_second"]
        if lost(found):
            return best, reached
        best = max(best, reached)
        if reached < 0.8 * rate:
            return best, None
        rate *= 2


def run(folder: Path, packets: int, rate: float | None, trial: int, ring: str) -> dict[str, Any]:
    """Find the limit unless a rate is given, then replay below it."""
    from benchmarks.live.traffic import frames_of

    rounds = Rounds(frames_of(folder))
    once = rounds.verdicts()
    without, with_loss = (None, None) if rate is not None else limit(rounds, trial, "--ring", ring)
    chosen = rate if rate is not None else (without or LEAST_RATE) / 2
    found = replay(rounds, packets, chosen, "--ring", ring)
    return {
        **found,
        "rate": chosen,
        "ring": ring,
        "highest_rate_without_loss": without,
        "lowest_rate_with_loss": with_loss,
        "lost": lost(found),
        "missing": {"/".join(key): flows for key, flows in missing(found, once).items()},
        "verdicts": {"/".join(key): flows for key, flows in found["verdicts"].items()},
    }

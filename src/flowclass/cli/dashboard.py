"""Takes a status and the one before it. Gives the lines of a screen of any size from 60 by 16 on; draws nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowclass.cli.values import clean, octets
from flowclass.service.status import Status

if TYPE_CHECKING:
    from rich.text import Text

CLASSES = ("vpn", "overlay", "proxy", "covert", "app", "unknown")
TIERS = ("confirmed", "probable", "possible")
WIDE = 140
"""From so many columns on there are two panes beside each other."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A flow that a person wants to hear of."""

    at: str
    ends: str
    protocol: str
    tier: str
    outcome: str
    reason: str

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Violation:
        """Take it out of a record."""
        ends = " > ".join(_end(row[f"{side}_ip"], row[f"{side}_port"]) for side in ("src", "dst"))
        return cls(
            at=f"{row['time_start']:%H:%M:%S}",
            ends=ends,
            protocol=clean(str(row["protocol"])),
            tier=clean(str(row["tier"])),
            outcome=clean(str(row["policy_outcome"])),
            reason=clean(str(row["policy_reason"])),
        )


def screen(
    status: Status,
    before: Status | None,
    violations: Sequence[Violation],
    *,
    size: tuple[int, int],
    name: str,
    word: str = "",
) -> Text:
    """Give the screen.

    Parameters
    ----------
    status, before : Status
        Now, and a moment ago, for the rates; None where there is none yet.
    violations : sequence of Violation
        Oldest first.
    size : (int, int)
        Columns and lines.
    name : str
        Of what is read.
    word : str
        A sentence for the last line.
    """
    from rich.text import Text

    width, height = size[0], size[1]
    last = [(clean(word), "yellow")] if word else []
    head = [*_head(status, before, name), ("", "")]
    room = max(0, height - len(head) - len(last))
    if width >= WIDE:
        left = _protocols(status, room, width // 2 - 2)
        right = _outcomes(status) + _violations(violations, room - len(_outcomes(status)))
        body = _beside(left, right, width // 2)
    else:
        told = _outcomes(status)
        newest = _violations(violations, max(2, (room - len(told)) // 2)) if violations or told else []
        body = _protocols(status, room - len(told) - len(newest), width) + told + newest
    body = [*body[:room], *[[("", "")]] * (room - len(body[:room]))]
    out = Text(no_wrap=True, overflow="crop", end="")
    lines = [[part] for part in head] + body + [[part] for part in last]
    for place, parts in enumerate(lines[:height]):
        line = Text()
        for text, style in parts:
            line.append(text, style)
        line.truncate(width)
        out.append_text(line)
        if place + 1 < min(len(lines), height):
            out.append("\n")
    return out


Part = tuple[str, str]
"""Text and its style."""
Line = list[Part]


def _head(status: Status, before: Status | None, name: str) -> list[Part]:
    seconds = 0.0 if before is None else status.moment_s - before.moment_s
    packets = _rate(seconds, status.balance.packets_read, 0 if before is None else before.balance.packets_read)
    bits = 8 * _rate(seconds, status.balance.bytes_read, 0 if before is None else before.balance.bytes_read)
    ran = int(status.moment_s - status.began_s)
    read, skipped = status.balance.packets_read, sum(status.balance.packets_skipped.values())
    lag = "" if status.lag_s is None else f"   {status.lag_s:.1f} s behind the clock"
    out: list[Part] = [
        (f"flowclass live {clean(name)}   {ran // 3600:02}:{ran // 60 % 60:02}:{ran % 60:02}{lag}", "bold"),
        (f"packets  {packets:,.0f}/s, {bits / 1e6:,.1f} Mbit/s; {read:,} read, {skipped:,} skipped", ""),
    ]
    for interface, facts in status.captured.items():
        dropped = f"{facts.kernel_dropped:,} by the kernel, {facts.interface_dropped:,} before"
        style = "red" if facts.kernel_dropped + facts.interface_dropped else ""
        out.append((f"dropped  {clean(interface)}: {dropped}; {facts.own_dropped:,} wait", style))
    evicted = status.ended.get("evicted", 0)
    told = f"{status.alive:,} in the table, {status.flows:,} ended, {evicted:,} evicted"
    out.append((f"flows    {told}", "red" if evicted else ""))
    fill = status.table_bytes / status.memcap if status.memcap else 0.0
    out.append((f"memory   {_bar(fill)} {fill:4.0%} of {octets(status.memcap)}", ""))
    for sink in status.sinks:
        told = f"{sink.delivered:,} rows, {sink.dropped:,} dropped, {sink.waiting:,} wait"
        out.append((f"output   {sink.kind}: {told}", "red" if sink.dropped or sink.errors else ""))
    return out


def _protocols(status: Status, room: int, width: int) -> list[Line]:
    """Give a table of what the flows were; of too many, the most frequent, and VPNs before all others."""
    counted = status.by("protocol_class", "protocol", "tier")
    rows: dict[tuple[str, str], dict[str, int]] = {}
    for (kind, protocol, tier), flows in counted.items():
        rows.setdefault((str(kind), str(protocol)), {})[str(tier)] = flows
    listed = sorted(
        rows.items(),
        key=lambda item: (CLASSES.index(item[0][0]) if item[0][0] in CLASSES else len(CLASSES), -sum(item[1].values())),
    )
    wide = max(10, width - 9 - 4 * 10)
    head = f"{'class':<8} {'protocol':<{wide}}" + "".join(f"{tier:>10}" for tier in (*TIERS, "flows"))
    out: list[Line] = [[(head, "bold")]]
    for (kind, protocol), tiers in listed[: max(0, room - 1)]:
        cells = "".join(f"{_short(tiers.get(tier, 0)):>10}" for tier in TIERS)
        style = "cyan" if kind == "vpn" else ""
        out.append(
            [(f"{clean(kind):<8} {clean(protocol)[:wide]:<{wide}}{cells}{_short(sum(tiers.values())):>10}", style)]
        )
    return out if room > 0 else []


def _outcomes(status: Status) -> list[Line]:
    if not status.policy_sha256 and status.registry is None:
        return []
    parts: list[Part] = [("outcomes ", "bold")]
    key = "policy_outcome" if status.policy_sha256 else "registry_match"
    told = sorted(status.by(key).items(), key=lambda item: -item[1])
    listed = [(clean(str(outcome)), count) for (outcome,), count in told if outcome is not None]
    for place, (outcome, count) in enumerate(listed):
        parts.append((f"{', ' if place else ''}{outcome} {count:,}", "red" if outcome.startswith("violation") else ""))
    return [parts if listed else [*parts, ("none yet", "")]]


def _violations(violations: Sequence[Violation], room: int) -> list[Line]:
    if room <= 0:
        return []
    out: list[Line] = [[("newest violations", "bold")]]
    for one in list(reversed(violations))[: room - 1]:
        trial = " (trial)" if one.outcome == "violation_trial" else ""
        out.append([(f"{one.at} {one.protocol} {one.tier}{trial} ", "red"), (f"{one.ends} {one.reason}", "")])
    return out if len(out) > 1 else [[("newest violations: none", "")]]


def _beside(left: list[Line], right: list[Line], width: int) -> list[Line]:
    from rich.cells import set_cell_size

    out: list[Line] = []
    for place in range(max(len(left), len(right))):
        mine = left[place] if place < len(left) else [("", "")]
        theirs = right[place] if place < len(right) else []
        text, style = "".join(part for part, _ in mine), mine[0][1]
        out.append([(set_cell_size(text, width), style), *theirs])
    return out


def _rate(seconds: float, now: int, before: int) -> float:
    return (now - before) / seconds if seconds > 0 else 0.0


def _bar(share: float, width: int = 20) -> str:
    full = round(min(max(share, 0.0), 1.0) * width)
    return "[" + "#" * full + "." * (width - full) + "]"


def _short(count: int) -> str:
    """Say a number in at most nine characters; nothing for none."""
    if count < 10_000_000:
        return f"{count:,}" if count else ""
    unit, size = next(
        ((unit, size) for unit, size in (("T", 10**12), ("G", 10**9)) if count >= 10 * size), ("M", 10**6)
    )
    return f"{count / size:,.1f} {unit}"


def _end(address: object, port: object) -> str:
    text = clean(str(address))
    if port is None:
        return text
    return f"[{text}]:{port}" if ":" in text else f"{text}:{port}"

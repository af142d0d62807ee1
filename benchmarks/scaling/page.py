"""The scaling law for people: tables, the fitted law, the arithmetic of a link of 100 Gbit/s, and a plot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.machine import sentence
from benchmarks.scaling.law import FRAME_OVERHEAD, Law, Stays, fit_law, fit_line, link

__all__ = ["draw", "law_of", "stays_of", "text"]

_BITS = 100e9
_IDLE = 120  # seconds: the usual idle timeout
# Mean frames, in octets as captured: the simple IMIX (7 of 40, 4 of 576, 1 of 1500 octets of IP, behind 14 of
# Ethernet), a mean of busy links, and the least frame without its check sequence.
_FRAMES = {"simple IMIX": 340 + 14, "long transfers": 900, "least frames": 60}
_HEAD_SECONDS = 2  # head/head_policy.hpp
_PER_FLOW = 30  # packets of a mean flow, both ways, where a link is not full of scans


def law_of(result: dict[str, Any]) -> Law:
    """Fit the law to the traces of many shapes."""
    rows = result["shapes"]
    return fit_law(*([row[key] for row in rows] for key in ("packets", "flows", "ns")))


def text(result: dict[str, Any], plot: str) -> str:
    """Give what stands between the marks."""
    law = law_of(result)
    parts = [
        sentence(result["date"], result["machine"]),
        *_shapes(result["shapes"], law),
        *_at_once(result["at_once"]),
        *_prefixes(result["prefixes"]),
        *_threads(result["threads"]),
        f"![Measured curves and the law]({plot})\n",
        *_link(result, law),
    ]
    return "\n".join(parts)


def _shapes(rows: list[dict[str, Any]], law: Law) -> list[str]:
    off = [abs(one) for one in law.residuals]
    lines = [
        "### Packets and flows\n",
        f"**ns = {law.per_packet:.0f} x packets + {law.per_flow:,.0f} x flows**, one thread, processor time of the "
        f"whole engine with all rows built. The law is off by {max(off):.0%} at most and {sum(off) / len(off):.0%} in "
        "the mean: traces of other sizes are of other protocols too, and a larger table lies further from the "
        "processor, as the flows at once below show.\n",
        "| packets | flows | packets a flow | ns a packet, measured | by the law | off |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for row, residual in zip(rows, law.residuals, strict=True):
        packets, flows = row["packets"], row["flows"]
        measured, said = row["ns"] / packets, law.ns(packets, flows) / packets
        each = packets / flows
        lines.append(f"| {packets:,} | {flows:,} | {each:.1f} | {measured:.0f} | {said:.0f} | {residual:+.0%} |")
    return [*lines, ""]


def _at_once(rows: list[dict[str, Any]]) -> list[str]:
    stays = stays_of(rows)
    lines = [
        "### Flows at once\n",
        "The same flows, begun within ever less time, so that ever more are in the table together. By the slope, a "
        f"flow in the table takes {stays.table_octets:.0f} octets with its evidence; where all begin within "
        f"{_HEAD_SECONDS} s, as long as a head may stay open, heads take {stays.head_octets:,.0f} more a flow.\n",
        "| begun within | flows at once | ns a packet | MB of tables | of evidence | of open heads |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        each = row["ns"] / row["packets"]
        sizes = " | ".join(f"{row[key] / 1e6:.1f}" for key in ("table", "evidence", "heads"))
        lines.append(f"| {row['within']:,} s | {row['peak_flows']:,} | {each:.0f} | {sizes} |")
    return [*lines, ""]


def stays_of(rows: list[dict[str, Any]]) -> Stays:
    """Say what stays of a flow: the table's and evidence's slope, and the heads where all flows begin at once."""
    slope = fit_line([row["peak_flows"] for row in rows], [row["table"] + row["evidence"] for row in rows]).slope
    dense = min(rows, key=lambda row: row["within"])
    return Stays(
        table_seconds=_IDLE,
        table_octets=slope,
        head_seconds=_HEAD_SECONDS,
        head_octets=dense["heads"] / dense["peak_flows"],
    )


def _prefixes(rows: list[dict[str, Any]]) -> list[str]:
    lines = [
        "### Prefixes of the registry\n",
        "ns of one look-up, in bulk, addresses in prefixes of uneven popularity; a flow takes two.\n",
        "| prefixes | IPv4 | IPv6 | octets a prefix, IPv4 | IPv6 |",
        "|---:|---:|---:|---:|---:|",
    ]
    by = {(row["version"], row["prefixes"]): row for row in rows}
    for count in sorted({row["prefixes"] for row in rows}):
        four, six = by[4, count], by[6, count]
        lines.append(f"| {count:,} | {four['ns']:.1f} | {six['ns']:.1f} | {four['octets']:.1f} | {six['octets']:.1f} |")
    return [*lines, ""]


def _threads(rows: list[dict[str, Any]]) -> list[str]:
    one = rows[0]
    lines = [
        "### Threads\n",
        "Threads of one engine split the flows and all walk the records: what is done again shows as processor time.\n",
        "| threads | ns a packet by the wall clock | of processor time | times as fast |",
        "|---:|---:|---:|---:|",
    ]
    for row in rows:
        lines.append(
            f"| {row['threads']} | {row['wall'] / row['packets']:.0f} | {row['ns'] / row['packets']:.0f} | "
            f"{one['wall'] / row['wall']:.2f} |"
        )
    if len(rows) > 1:
        last = rows[-1]
        more = (last["ns"] - one["ns"]) / (last["threads"] - 1) / one["packets"]
        lines.append(f"\nEach further thread adds {more:.0f} ns of processor time to every packet.")
        times = one["wall"] / last["wall"]
        if 1 < times < last["threads"]:
            alone = (last["threads"] / times - 1) / (last["threads"] - 1)
            lines.append(f"By Amdahl's law {alone:.0%} of the time is not split, so {1 / alone:.1f} times is the most.")
    return [*lines, ""]


def _link(result: dict[str, Any], law: Law) -> list[str]:
    rows = result["at_once"]
    stays = stays_of(rows)
    fewest, dense = (choose(rows, key=lambda row: row["peak_flows"]) for choose in (min, max))
    dear = max(1.0, dense["ns"] / fewest["ns"])
    lookup = max(row["ns"] for row in result["prefixes"])
    most = dense["peak_flows"]
    by_law = f"({law.per_packet:.1f} x packets + {law.per_flow:,.0f} x flows) x {dear:.2f} / 10^9"
    lines = [
        "### A link of 100 Gbit/s\n",
        f"A frame of L octets takes L + {FRAME_OVERHEAD} on the wire, so a full link carries 10^11 / 8 / (L + "
        f"{FRAME_OVERHEAD}) packets a second. With {_PER_FLOW} packets a flow, a {_PER_FLOW}th of that are new flows; "
        f"each stays in the table for the idle timeout of {_IDLE} s, at most, after its last packet. Cores = {by_law}, "
        f"the factor being how much dearer a packet is with {most:,} flows at once than with the fewest measured. "
        f"Memory = flows at once x {stays.table_octets:.0f} octets + flows of {_HEAD_SECONDS} s x "
        f"{stays.head_octets:,.0f}.\n",
        "| frames | L | packets/s | new flows/s | flows at once | cores | memory |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    asked = {}
    for name, frame in _FRAMES.items():
        found = link(law, stays, bits=_BITS, frame=frame, per_flow=_PER_FLOW, factor=dear)
        asked[name] = found
        rates = f"{found.packets / 1e6:.1f} M | {found.flows / 1e3:,.0f} k | {found.at_once / 1e6:.0f} M"
        lines.append(f"| {name} | {frame} | {rates} | {found.cores:.1f} | {found.memory / 1e9:.0f} GB |")
    name, first = next(iter(asked.items()))
    packets, flows = f"{first.packets:,.0f}", f"{first.flows:,.0f}"
    lines += [
        "",
        f"Written out for {name}: 10^11 / 8 / ({_FRAMES[name]} + {FRAME_OVERHEAD}) = {packets} packets/s; / "
        f"{_PER_FLOW} = {flows} flows/s; {by_law.replace('packets', packets).replace('flows', flows)} = "
        f"{first.cores:.1f} cores; {flows} x {_IDLE} = {first.at_once:,.0f} flows at once; x {stays.table_octets:.0f} "
        f"+ {flows} x {_HEAD_SECONDS} x {stays.head_octets:,.0f} = {first.memory / 1e9:.1f} GB. Looking both ends up "
        f"in the dearest registry measured adds 2 x {flows} x {lookup:.0f} ns = "
        f"{2 * first.flows * lookup / 1e9:.2f} cores.\n",
        "This is arithmetic, not a measurement. It holds for one engine a core, behind a splitter that sends both ways "
        f"of an address pair to the same core; the table is extrapolated from {most:,} flows at once to what the row "
        "says; a link full of scans has far more flows; and what it takes to get packets from a network card is not in "
        "it.\n",
    ]
    return lines


def draw(result: dict[str, Any], path: Path) -> None:
    """Draw the four curves."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "flowclass"  # the same figures give the same file
    from matplotlib import pyplot

    law = law_of(result)
    figure, axes = pyplot.subplots(1, 4, figsize=(17, 4))
    rows = sorted(result["shapes"], key=lambda row: row["packets"] / row["flows"])
    x = [row["packets"] / row["flows"] for row in rows]
    axes[0].plot(x, [row["ns"] / row["packets"] for row in rows], "o", color="#1f6f8b", label="measured")
    axes[0].plot(x, [law.per_packet + law.per_flow / one for one in x], color="#b8b8b8", label="law")
    axes[0].set(xlabel="packets a flow", ylabel="ns a packet", xscale="log")
    axes[0].xaxis.set_major_formatter("{x:g}")
    axes[0].xaxis.set_minor_formatter("")
    axes[0].set_xticks([3, 10, 30])
    axes[0].legend()
    rows = result["at_once"]
    axes[1].plot(
        [row["peak_flows"] for row in rows], [row["ns"] / row["packets"] for row in rows], "o-", color="#1f6f8b"
    )
    axes[1].set(xlabel="flows at once", ylabel="ns a packet", xscale="log")
    for version, colour in ((4, "#1f6f8b"), (6, "#c06030")):
        rows = [row for row in result["prefixes"] if row["version"] == version]
        axes[2].plot([r["prefixes"] for r in rows], [r["ns"] for r in rows], "o-", color=colour, label=f"IPv{version}")
    axes[2].set(xlabel="prefixes", ylabel="ns a look-up", xscale="log")
    axes[2].legend()
    rows = result["threads"]
    counts = [row["threads"] for row in rows]
    axes[3].plot(counts, [rows[0]["wall"] / row["wall"] for row in rows], "o-", color="#1f6f8b")
    axes[3].plot(counts, counts, "--", color="#b8b8b8")
    axes[3].set_xticks(counts)
    axes[3].set(xlabel="threads", ylabel="times as fast")
    for axis in axes[:3]:
        axis.set_ylim(bottom=0)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)

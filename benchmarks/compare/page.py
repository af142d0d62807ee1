"""Writes docs/benchmarks.md: what was measured, on what, and the plot beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.compare.goals import goals
from benchmarks.machine import sentence
from benchmarks.marks import put

__all__ = ["measured", "write_page"]


def write_page(result: dict[str, Any], docs: Path) -> None:
    """Put the figures between the marks of the page, and draw them.

    Parameters
    ----------
    result : dict
        What ``python -m benchmarks.compare --json`` writes.
    docs : Path
        The folder that has ``benchmarks.md``.
    """
    plot = docs / "benchmarks.svg"
    _draw(result, plot)
    put(docs / "benchmarks.md", "measured", measured(result, plot.name))


def measured(result: dict[str, Any], plot: str) -> str:
    """Give what stands between the marks: machine, a table for each trace, the goals, the plot.

    Parameters
    ----------
    result : dict
        What ``python -m benchmarks.compare --json`` writes.
    plot : str
        Name of the plot, as the page names it.
    """
    parts = [sentence(result["date"], result["machine"])]
    if result["absent"]:
        parts.append(f"Not installed here, so left out: {', '.join(result['absent'])}.\n")
    for name in result["traces"]:
        parts += [_heading(name, result["traces"][name]), _table(name, result["rows"])]
    if result.get("starts"):
        parts.append(_starts(result["starts"]))
    judged = goals(result)
    if judged:
        parts += ["### Goals\n", "| | goal | measured | |", "|---|---|---:|---|"]
        parts += [f"| {g.what} | {g.bound} | {g.measured} | {'reached' if g.reached else 'missed'} |" for g in judged]
        parts.append("")
    parts.append(f"![Processor time as a multiple of the floor program's]({plot})\n")
    return "\n".join(parts)


def _starts(rows: list[dict[str, Any]]) -> str:
    lines = ["### Short runs\n", "| | wall s | processor s | peak MB |", "|---|---:|---:|---:|"]
    for row in rows:
        peak = row["peak_memory"] / 1e6
        lines.append(f"| {row['name']} | {row['wall']:.2f} | {row['processor']:.2f} | {peak:,.0f} |")
    return "\n".join(lines) + "\n"


def _heading(name: str, trace: dict[str, Any]) -> str:
    return (
        f"### {name}: {trace['packets']:,} packets, {trace['flows']:,} flows, {trace['file_bytes'] / 1e6:,.0f} MB\n\n"
        "| | version | processor s | x floor | wall s | M packets/s | peak MB | flows | rounds |\n"
        "|---|---|---:|---:|---:|---:|---:|---:|---:|"
    )


def _table(name: str, all_rows: list[dict[str, Any]]) -> str:
    rows = [row for row in all_rows if row["trace"] == name]
    floor = next(row["processor"] for row in rows if row["name"] == "floor")
    lines, failures = [], []
    for row in rows:
        if row["failure"]:
            lines.append(f"| {row['name']} | {row['version']} | failed | | | | | | |")
            failures.append(f"{row['name']} failed: {_one_line(row['failure'])}.\n")
            continue
        flows = "" if row["flows"] is None else f"{row['flows']:,}"
        lines.append(
            f"| {row['name']}: {row['does']} | {row['version']} | {row['processor']:.2f} | "
            f"{row['processor'] / floor:.1f} | {row['wall']:.2f} | {row['packets'] / row['wall'] / 1e6:.2f} | "
            f"{row['peak_memory'] / 1e6:,.0f} | {flows} | {row['rounds']} |"
        )
    return "\n".join([*lines, "", *failures])


def _one_line(failure: str) -> str:
    """Give the last thing it said, short enough for a page, without what could be taken for markup."""
    last = failure.strip().splitlines()[-1].replace("|", "/").replace("`", "'")
    return last if len(last) <= 200 else last[:200] + " ..."


def _draw(result: dict[str, Any], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "flowclass"  # the same figures give the same file
    from matplotlib import pyplot

    names = list(result["traces"])
    figure, axes = pyplot.subplots(1, len(names), figsize=(4.5 * len(names), 4.5), sharey=True, squeeze=False)
    for axis, name in zip(axes[0], names, strict=True):
        rows = [row for row in result["rows"] if row["trace"] == name and not row["failure"]]
        floor = next(row["processor"] for row in rows if row["name"] == "floor")
        labels = [row["name"] for row in rows][::-1]
        values = [row["processor"] / floor for row in rows][::-1]
        colours = ["#1f6f8b" if label.startswith("flowclass") else "#b8b8b8" for label in labels]
        axis.barh(labels, values, color=colours)
        axis.set_xscale("log")
        axis.set_title(name)
        axis.set_xlabel("processor time, x floor")
        for place, value in enumerate(values):
            axis.text(value, place, f" {value:.1f}", va="center", fontsize=8)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)

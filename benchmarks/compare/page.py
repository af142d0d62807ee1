"""Writes docs/benchmarks.md: what was measured, on what, and the plot beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["write_page"]

_BEGIN, _END = "<!-- measured: begin -->", "<!-- measured: end -->"


def write_page(result: dict[str, Any], docs: Path) -> None:
    """Put the figures between the marks of the page, and draw them.

    Parameters
    ----------
    result : dict
        What ``python -m benchmarks.compare --json`` writes.
    docs : Path
        The folder that has ``benchmarks.md``.
    """
    page = docs / "benchmarks.md"
    before, rest = page.read_text(encoding="utf-8").split(_BEGIN)
    after = rest.split(_END)[1]
    parts = [_machine(result)]
    for name in result["traces"]:
        parts += [_heading(name, result["traces"][name]), _table(name, result["rows"])]
    plot = docs / "benchmarks.svg"
    _draw(result, plot)
    parts.append(f"![Processor time as a multiple of the floor program's]({plot.name})\n")
    page.write_text(f"{before}{_BEGIN}\n" + "\n".join(parts) + f"{_END}{after}", encoding="utf-8")


def _machine(result: dict[str, Any]) -> str:
    facts = result["machine"]
    said = (
        f"Measured {result['date']} on {facts['processors']} cores of {facts['processor']}, Linux {facts['kernel']}, "
        f"Python {facts['python']}, {facts['compiler']}; commit {facts['commit']}. Load before: {facts['load']:.1f}.\n"
    )
    if result["absent"]:
        said += f"Not installed, left out: {', '.join(result['absent'])}.\n"
    return said


def _heading(name: str, trace: dict[str, Any]) -> str:
    return (
        f"### {name}: {trace['packets']:,} packets, {trace['flows']:,} flows, {trace['file_bytes'] / 1e6:,.0f} MB\n\n"
        "| | version | processor s | x floor | wall s | M packets/s | peak MB | flows | rounds |\n"
        "|---|---|---:|---:|---:|---:|---:|---:|---:|"
    )


def _table(name: str, all_rows: list[dict[str, Any]]) -> str:
    rows = [row for row in all_rows if row["trace"] == name]
    floor = next(row["processor"] for row in rows if row["name"] == "floor")
    lines = []
    for row in rows:
        if row["failure"]:
            lines.append(f"| {row['name']} | {row['version']} | failed | | | | | | |")
            continue
        flows = "" if row["flows"] is None else f"{row['flows']:,}"
        lines.append(
            f"| {row['name']}: {row['does']} | {row['version']} | {row['processor']:.2f} | "
            f"{row['processor'] / floor:.1f} | {row['wall']:.2f} | {row['packets'] / row['wall'] / 1e6:.2f} | "
            f"{row['peak_memory'] / 1e6:,.0f} | {flows} | {row['rounds']} |"
        )
    return "\n".join(lines) + "\n"


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

"""Writes what was measured of many workers, with the law of Amdahl fitted, for docs/scale.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.machine import sentence

__all__ = ["PAGE", "serial_share", "text"]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "scale.md"


def serial_share(rows: list[dict[str, Any]]) -> float | None:
    """Fit ``seconds = first * (share + (1 - share) / workers)`` by least squares; None with one number of workers only.

    Parameters
    ----------
    rows : list of dict
        With ``workers`` and ``seconds``, one of them with one worker.
    """
    first = next((row["seconds"] for row in rows if row["workers"] == 1), None)
    others = [row for row in rows if row["workers"] > 1]
    if first is None or not others:
        return None
    over = sum((row["seconds"] / first - 1 / row["workers"]) * (1 - 1 / row["workers"]) for row in others)
    under = sum((1 - 1 / row["workers"]) ** 2 for row in others)
    return float(over / under)


def text(result: dict[str, Any]) -> str:
    """Give the part of the page."""
    octets, packets = result["octets"], result["packets"]
    lines = [
        sentence(result["date"], result["machine"]),
        f"{result['files']:,} files of {result['span_s']:,} s each, {octets / 1e9:.2f} GB, {packets:,} packets,"
        f" {result['flows']:,} records. One plain run, one thread, rows to Parquet: {result['plain_s']:.1f} s, of the"
        f" processor {result['plain_cpu']:.1f} s.",
        "",
        "| engine | workers | killed | s | processor s | of a plain run | packets joined | records |",
        "|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    for row in result["rows"]:
        lines.append(
            f"| {row['engine']} | {row['workers']} | {row['killed']} | {row['seconds']:.1f} | {row['processor_s']:.1f}"
            f" | {row['seconds'] / result['plain_s']:.2f} | {row['carried'] / packets:.0%} |"
            f" {'the same' if row['same'] else 'DIFFER in ' + ', '.join(row['differ'])} |"
        )
    share = serial_share([row for row in result["rows"] if row["engine"] == "local" and not row["killed"]])
    if share is not None:
        lines += [
            "",
            f"Amdahl's law over the local engine: a share of {share:.2f} of one worker's time is not divided by more"
            f" workers here (on {result['machine']['processors']} cores; more workers than cores divide nothing).",
        ]
    return "\n".join(lines)

"""Writes what was measured of many workers, with the law of Amdahl fitted, for docs/scale.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.machine import sentence

__all__ = ["PAGE", "serial_share", "text"]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "scale.md"


def serial_share(rows: list[dict[str, Any]], processors: int) -> float | None:
    """Fit ``seconds = first * (share + (1 - share) / n)`` by least squares; None with one number of workers only.

    Parameters
    ----------
    rows : list of dict
        With ``workers`` and ``seconds``, one of them with one worker.
    processors : int
        Of the machine: ``n`` is the number of workers, but not more than these.
    """
    first = next((row["seconds"] for row in rows if row["workers"] == 1), None)
    others = [(min(row["workers"], processors), row["seconds"]) for row in rows if row["workers"] > 1]
    others = [(count, seconds) for count, seconds in others if count > 1]
    if first is None or not others:
        return None
    over = sum((seconds / first - 1 / count) * (1 - 1 / count) for count, seconds in others)
    under = sum((1 - 1 / count) ** 2 for count, _ in others)
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
    lines += [
        "",
        "The processor's seconds are those of the whole machine, which did nothing else. A terabyte of such files is "
        + ", ".join(
            f"{row['processor_s'] / octets * 1e12 / 3600:.2f} core hours ({row['engine']}, {row['workers']} workers)"
            for row in result["rows"]
            if row["workers"] == 2 and not row["killed"]
        )
        + f"; {result['plain_cpu'] / octets * 1e12 / 3600:.2f} in a plain run.",
    ]
    processors = result["machine"]["processors"]
    local = [row for row in result["rows"] if row["engine"] == "local" and not row["killed"]]
    share = serial_share(local, processors)
    if share is not None:
        lines += [
            "",
            f"Amdahl's law over the local engine, `seconds = first x (s + (1 - s) / n)` with n the workers, at most the"
            f" {processors} cores: s = {share:.2f}.",
        ]
    return "\n".join(lines)

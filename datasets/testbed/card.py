"""The dataset card's tables: how many captures and flows of which family and variant, counted from the lists."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from .errors import TestbedError

__all__ = ["tables", "up_to_date", "write"]

_BEGIN = "<!-- counted by `python -m datasets.testbed card` -->"
_END = "<!-- end of what is counted -->"


def tables(folder: Path) -> str:
    """Count what the lists in a folder say, in Markdown."""
    labels, captures = _read(folder / "labels.jsonl"), _read(folder / "captures.jsonl")
    records = {record["capture"]: record for record in captures}
    groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for label in labels:
        groups[label["family"], label["variant"] or ""].append(label)
    packets = sum(record["packets"] for record in captures)
    families = len({family for family, _ in groups})
    lines = [
        f"{len(captures)} captures with {packets} packets and {len(labels)} flows of {families} families.",
        "",
        "| family | variant | captures | flows | IPv4 | IPv6 | TCP | UDP | other |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for (family, variant), members in sorted(groups.items()):
        six = sum(":" in label["src_ip"] for label in members)
        tcp, udp = (sum(label["ip_proto"] == number for label in members) for number in (6, 17))
        counts = (len({label["capture"] for label in members}), len(members), len(members) - six, six, tcp, udp)
        cells = [family, variant, *map(str, counts), str(len(members) - tcp - udp)]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", *_impaired(records), *_synthetic(records)]
    return "\n".join(lines).rstrip() + "\n"


def up_to_date(folder: Path) -> bool:
    """Whether README.md of the folder has these tables."""
    return _with_tables(folder) == (folder / "README.md").read_text(encoding="utf-8")


def write(folder: Path) -> None:
    """Put the tables into README.md of the folder."""
    (folder / "README.md").write_text(_with_tables(folder), encoding="utf-8")


def _with_tables(folder: Path) -> str:
    path = folder / "README.md"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise TestbedError(f"{path} does not say where its tables go: between the lines {_BEGIN} and {_END}")
    return f"{before}{_BEGIN}\n{tables(folder)}{_END}{after}"


def _impaired(records: dict[str, dict[str, Any]]) -> list[str]:
    rows = []
    for name, record in sorted(records.items()):
        told = {key: value for key, value in record.get("impairments", {}).items() if key != "counts"}
        if told:
            rows.append(f"| {name} | {', '.join(f'{key} {value}' for key, value in told.items())} |")
    return ["| capture | impaired path |", "|---|---|", *rows, ""] if rows else []


def _synthetic(records: dict[str, dict[str, Any]]) -> list[str]:
    made = sorted(name for name, record in records.items() if record.get("synthetic"))
    if not made:
        return ["Every packet was sent by a program that speaks the protocol."]
    return ["Packets made by a packet crafting program instead of the protocol's own: " + ", ".join(made) + "."]


def _read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

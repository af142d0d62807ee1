"""The three traces of the comparison: flows of real programs, and of public captures where they are at hand.

The truth of a trace is made together with it (`benchmarks.traces`): packets and flows, counted from what was put in.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.public import public_templates
from benchmarks.templates import read_templates
from benchmarks.traces import TraceOptions, ensure

__all__ = ["TRACES", "make", "public_captures"]

# T0 warms up and is for trying; T1 has realistic sizes; T2 many small flows, where each packet finds its flow cold.
TRACES: Mapping[str, TraceOptions] = {
    "T0": TraceOptions(size=60_000_000, flows=10_000, vpn=0.2, seconds=60, seed=20),
    "T1": TraceOptions(size=1_200_000_000, flows=220_000, vpn=0.2, seconds=300, seed=21),
    "T2": TraceOptions(size=300_000_000, flows=1_050_000, vpn=0.05, seconds=300, seed=22),
}


def public_captures() -> Path | None:
    """Give the folder of public captures, from FLOWCLASS_CORPUS or beside the checkout; None where there is none."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "corpus"
    folder = Path(os.environ.get("FLOWCLASS_CORPUS", beside)) / "captures"
    return folder if folder.is_dir() else None


def make(name: str, folder: Path) -> tuple[Path, dict[str, Any]]:
    """Write a trace into `folder` unless it is there; give its path and its truth."""
    templates = read_templates()
    public = public_captures()
    if public is not None:
        templates += public_templates(public)
    path = folder / f"flowclass-{name}{'' if public is None else '-public'}.pcap"
    return path, ensure(path, TRACES[name], templates)

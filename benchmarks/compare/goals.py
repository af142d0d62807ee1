"""What was to be reached, beside what was: pure functions of the comparison's figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Goal", "goals"]

# Processor time of one thread with all flows named, as a multiple of the floor's, at most.
_TIMES_FLOOR = {"T1": 2.5, "T2": 3.0}
# Processor time of a peer as a multiple of ours, at least.
_TIMES_OURS = {("T1", "ndpiReader"): 12, ("T1", "nfstream, nDPI"): 35, ("T2", "ndpiReader"): 15}
_TIMES_OURS |= {("T2", "nfstream, nDPI"): 50, ("T1", "mercury"): 1, ("T2", "mercury"): 1}
_TWO_THREADS = 1.7  # times as fast by the clock on the wall
# Processor time as a multiple of another run's, at most.
_DEARER = {"flowclass, features": ("flowclass, rows", 1.4), "flowclass, Parquet": ("flowclass, rows", 1.5)}
_MEMORY = {"T2": 1_000_000_000}
_SECONDS = (0.5, 10.0)  # of the two runs of starts.py


@dataclass(frozen=True, slots=True)
class Goal:
    """One goal: what, the bound, what was measured, whether that is within the bound."""

    what: str
    bound: str
    measured: str
    reached: bool


def goals(result: dict[str, Any]) -> list[Goal]:
    """Judge every goal that the figures speak of; those whose rows are not there are left out."""
    rows = {(row["trace"], row["name"]): row for row in result["rows"] if not row["failure"]}
    found = []
    for trace in result["traces"]:
        ours = rows.get((trace, "flowclass"))
        if ours is not None:
            found += _of_trace(trace, ours, rows)
    for row, most in zip(result.get("starts", []), _SECONDS, strict=False):
        found.append(Goal(row["name"], f"<= {most:g} s", f"{row['wall']:.2f} s", row["wall"] <= most))
    return found


def _of_trace(trace: str, ours: dict[str, Any], rows: dict[tuple[str, str], dict[str, Any]]) -> list[Goal]:
    found = []
    if trace in _TIMES_FLOOR and (trace, "floor") in rows:
        times = ours["processor"] / rows[trace, "floor"]["processor"]
        most = _TIMES_FLOOR[trace]
        found.append(Goal(f"{trace}: processor time", f"<= {most:g} x floor", f"{times:.2f} x", times <= most))
    for (of, peer), least in _TIMES_OURS.items():
        if of == trace and (trace, peer) in rows:
            times = rows[trace, peer]["processor"] / ours["processor"]
            said = f">= {least} x as fast" if least > 1 else "faster"
            found.append(Goal(f"{trace}: beside {peer}", said, f"{times:.1f} x", times > 1 and times >= least))
    if trace in _TIMES_FLOOR:
        two = rows.get((trace, "flowclass, 2 threads"))
        if two is not None:
            times = ours["wall"] / two["wall"]
            bound = f">= {_TWO_THREADS:g} x by the wall clock"
            found.append(Goal(f"{trace}: two threads", bound, f"{times:.2f} x", times >= _TWO_THREADS))
        for name, (base, most) in _DEARER.items():
            if (trace, name) in rows and (trace, base) in rows:
                times = rows[trace, name]["processor"] / rows[trace, base]["processor"]
                bound = f"<= {most:g} x {base}"
                what = f"{trace}: {name.removeprefix('flowclass, ')}"
                found.append(Goal(what, bound, f"{times:.2f} x", times <= most))
    if trace in _MEMORY:
        peak, most_memory = ours["peak_memory"], _MEMORY[trace]
        bound = f"<= {most_memory / 1e6:,.0f} MB"
        found.append(Goal(f"{trace}: peak memory", bound, f"{peak / 1e6:,.0f} MB", peak <= most_memory))
    return found

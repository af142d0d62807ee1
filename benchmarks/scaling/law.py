"""The law and what follows from it: pure functions of figures.

Takes what was measured. Gives the law ``ns = a * packets + b * flows`` with its residuals, a line through two columns,
and the arithmetic of a link.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["FRAME_OVERHEAD", "Law", "Line", "Link", "Stays", "fit_law", "fit_line", "link"]

# Of a frame on the wire but not in a capture, in octets: preamble and start 8, check sequence 4, gap 12 (IEEE 802.3).
FRAME_OVERHEAD = 24


@dataclass(frozen=True, slots=True)
class Law:
    """Processor time: ns a packet and a flow, and by what share each measured point lies off the law."""

    per_packet: float
    per_flow: float
    residuals: tuple[float, ...]

    def ns(self, packets: float, flows: float) -> float:
        """Give the ns of processor time that the law says."""
        return self.per_packet * packets + self.per_flow * flows


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line: ``y = base + slope * x``."""

    base: float
    slope: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stays:
    """What stays of a flow: for how many seconds it is in the table and its head is open, and the octets of each."""

    table_seconds: float
    table_octets: float
    head_seconds: float
    head_octets: float


@dataclass(frozen=True, slots=True)
class Link:
    """What a full link asks for: packets and new flows a second, flows at once, cores, octets of memory."""

    packets: float
    flows: float
    at_once: float
    open_heads: float
    cores: float
    memory: float


def fit_law(packets: Sequence[float], flows: Sequence[float], ns: Sequence[float]) -> Law:
    """Fit by least squares of the relative errors, so that a small trace counts as much as a large one.

    Parameters
    ----------
    packets, flows : sequence of float, one for each trace
        What was in it.
    ns : sequence of float
        Processor time that it took, in ns.

    Raises
    ------
    ValueError
        Where packets and flows grow together in all traces, so that nothing can tell them apart.
    """
    wanted = np.asarray(ns, dtype=np.float64)
    columns = np.column_stack([packets, flows]).astype(np.float64) / wanted[:, None]
    found, _, rank, _ = np.linalg.lstsq(columns, np.ones(len(wanted)))
    if rank < 2:
        raise ValueError(f"{len(wanted)} traces with the same packets a flow: two different ones at least")
    residuals = columns @ found - 1
    return Law(float(found[0]), float(found[1]), tuple(map(float, residuals)))


def fit_line(x: Sequence[float], y: Sequence[float]) -> Line:
    """Fit a line by least squares."""
    slope, base = np.polyfit(np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64), 1)
    return Line(float(base), float(slope))


def link(law: Law, stays: Stays, *, bits: float, frame: float, per_flow: float, factor: float) -> Link:
    """Do the arithmetic of a full link.

    Parameters
    ----------
    law : Law
        What packets and flows cost.
    stays : Stays
        What stays of a flow, and how long.
    bits : float
        Bits a second.
    frame : float
        Mean octets of a frame, as captured.
    per_flow : float
        Packets of a mean flow.
    factor : float
        How much dearer a packet is where the table is as large as measured than where caches hold it.
    """
    packets = bits / 8 / (frame + FRAME_OVERHEAD)
    flows = packets / per_flow
    at_once, open_heads = flows * stays.table_seconds, flows * stays.head_seconds
    memory = at_once * stays.table_octets + open_heads * stays.head_octets
    return Link(packets, flows, at_once, open_heads, law.ns(packets, flows) * factor / 1e9, memory)

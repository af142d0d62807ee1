"""Feature sets by the names that the literature gives them, made of the columns of a flow record.

Takes columns as arrays of float64 with NaN for null. Gives the set's columns, by their names there. Definitions are
those of docs/features.md, not the errors that it lists: a model trained on the other numbers has to be trained anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

NS_PER_US = 1_000


@dataclass(frozen=True, slots=True)
class Derived:
    """A column of a set.

    Parameters
    ----------
    unit : str
        Of its values.
    formula : str
        Of columns of the record, as Python writes it.
    make : callable
        The same of arrays; NaN where there is nothing to divide by.
    """

    unit: str
    formula: str
    make: Callable[[Mapping[str, Any]], Any]


def _column(name: str, unit: str = "") -> Derived:
    return Derived(unit, name, lambda columns: columns[name])


def _us(name: str) -> Derived:
    """Give a time in microseconds, as CICFlowMeter writes it."""
    return Derived("us", f"{name} / 1000", lambda columns: columns[name] / NS_PER_US)


def _per_second(*names: str) -> Derived:
    unit = "octets/s" if names[0].startswith("bytes") else "1/s"
    return Derived(
        unit,
        f"({' + '.join(names)}) / (duration_ns / 1e9)",
        lambda columns: _divided(sum(columns[name] for name in names), columns["duration_ns"] / 1e9),
    )


def _sum(*names: str, unit: str = "") -> Derived:
    return Derived(unit, " + ".join(names), lambda columns: sum(columns[name] for name in names))


def _less(whole: str, part: str, unit: str) -> Derived:
    return Derived(unit, f"{whole} - {part}", lambda columns: columns[whole] - columns[part])


def _ratio(over: str, under: str, unit: str = "") -> Derived:
    return Derived(unit, f"{over} / {under}", lambda columns: _divided(columns[over], columns[under]))


def _divided(over: Any, under: Any) -> Any:
    import numpy as np

    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(under == 0, np.nan, over / under)


def _iscxvpn2016() -> dict[str, Derived]:
    """Give the 23 time-related features of Draper-Gil and others, ICISSP 2016, table 1."""
    found = {"duration": _us("duration_ns")}
    for there, here in (("fiat", "fwd"), ("biat", "rev"), ("flowiat", "bi")):
        found |= {f"{one}_{there}": _us(f"iat_ns_{one}_{here}") for one in ("mean", "min", "max", "std")}
    for kind in ("active", "idle"):
        found |= {f"{one}_{kind}": _us(f"{kind}_ns_{one}") for one in ("mean", "min", "max", "std")}
    found["fb_psec"] = _per_second("bytes_fwd", "bytes_rev")
    found["fp_psec"] = _per_second("packets_fwd", "packets_rev")
    return found


def _total_gap(side: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda columns: columns[f"iat_ns_mean_{side}"] * (columns[f"packets_{side}"] - 1) / NS_PER_US


_SIDES = (("fwd", "fwd"), ("bwd", "rev"))
_CONTROL_BITS = ("fin", "syn", "rst", "psh", "ack", "urg", "ece")


def _cicflowmeter() -> dict[str, Derived]:
    """Give those of CICFlowMeter's columns that mean something, by its names."""
    found = {
        "flow_duration": _us("duration_ns"),
        "flow_byts_s": _per_second("bytes_fwd", "bytes_rev"),
        "flow_pkts_s": _per_second("packets_fwd", "packets_rev"),
    }
    for there, here in _SIDES:
        found[f"tot_{there}_pkts"] = _column(f"packets_{here}")
        found[f"totlen_{there}_pkts"] = _column(f"payload_bytes_{here}", "octets")
        found |= {
            f"{there}_pkt_len_{one}": _column(f"pkt_len_{one}_{here}", "octets")
            for one in ("max", "min", "mean", "std")
        }
        found[f"{there}_seg_size_avg"] = _ratio(f"payload_bytes_{here}", f"packets_{here}", "octets")
        found[f"{there}_header_len"] = _less(f"bytes_{here}", f"payload_bytes_{here}", "octets")
        found[f"{there}_pkts_s"] = _per_second(f"packets_{here}")
        found[f"{there}_iat_tot"] = Derived(
            "us",
            f"iat_ns_mean_{here} * (packets_{here} - 1) / 1000",
            _total_gap(here),
        )
        found |= {f"{there}_iat_{one}": _us(f"iat_ns_{one}_{here}") for one in ("mean", "std", "max", "min")}
        found |= {f"{there}_{bit}_flags": _column(f"tcp_{bit}_packets_{here}") for bit in ("psh", "urg")}
        found[f"init_{there}_win_byts"] = _column(f"tcp_window_first_{here}", "octets")
    found |= {f"flow_iat_{one}": _us(f"iat_ns_{one}_bi") for one in ("mean", "std", "max", "min")}
    found |= {f"pkt_len_{one}": _column(f"pkt_len_{one}_bi", "octets") for one in ("min", "max", "mean", "std")}
    found["pkt_len_var"] = Derived(
        "octets^2", "pkt_len_std_bi * pkt_len_std_bi", lambda columns: columns["pkt_len_std_bi"] ** 2
    )
    for bit in _CONTROL_BITS:
        found[f"{bit}_flag_cnt"] = _sum(f"tcp_{bit}_packets_fwd", f"tcp_{bit}_packets_rev")
    found["cwr_flag_cnt"] = _sum("tcp_cwr_packets_fwd", "tcp_cwr_packets_rev")
    found["down_up_ratio"] = _ratio("packets_rev", "packets_fwd")
    found["pkt_size_avg"] = _column("pkt_len_mean_bi", "octets")
    for kind in ("active", "idle"):
        found |= {f"{kind}_{one}": _us(f"{kind}_ns_{one}") for one in ("mean", "std", "max", "min")}
    return found


SETS: Mapping[str, Mapping[str, Derived]] = MappingProxyType(
    {"iscxvpn2016": MappingProxyType(_iscxvpn2016()), "cicflowmeter": MappingProxyType(_cicflowmeter())}
)


def markdown(name: str) -> str:
    """Give a set as a Markdown table."""
    rows = [f"| `{column}` | {one.unit} | `{one.formula}` |" for column, one in SETS[name].items()]
    return "\n".join(["| there | unit | made of |", "|---|---|---|", *rows, ""])

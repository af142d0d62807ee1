"""Takes flows. Gives a table of what matters for a person: VPN flows first, the rest behind."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import IO, Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from flowclass.cli.values import clean
from flowclass.sinks.columns import rows

MOST_TUNNELS = 500
MOST_OTHERS = 50
FLOW_ID_SHOWN = 12
TUNNEL_CLASSES = ("vpn", "overlay", "proxy", "covert")
_COLUMNS = (
    "flow_id", "time_start", "src_ip", "src_port", "dst_ip", "dst_port", "protocol", "protocol_class", "variant",
    "tier", "evidence_bits", "registry_match", "policy_outcome", "packets_fwd", "packets_rev", "bytes_fwd",
    "bytes_rev",
)  # fmt: skip
_SHOWN: dict[str, Literal["left", "right"]] = {
    "time (UTC)": "left",
    "flow": "left",
    "source": "left",
    "destination": "left",
    "protocol": "left",
    "tier": "left",
    "bits": "right",
    "registry": "left",
    "outcome": "left",
    "packets": "right",
    "bytes": "right",
}
_DROPPED_WHEN_NARROW = ("bytes", "bits", "packets", "registry", "flow", "time (UTC)")
_STYLES = {
    "violation": "bold red",
    "violation_trial": "red",
    "review": "yellow",
    "allow": "green",
    "allow_grace": "green",
}


class TableSink:
    """Keeps the first flows of a run and prints them at its end.

    Parameters
    ----------
    stream : text file object
        Where the table goes.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._tunnels: list[dict[str, Any]] = []
        self._others: list[dict[str, Any]] = []
        self._count = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Take one batch."""
        self._count += batch.num_rows
        slim = batch.select(list(_COLUMNS))
        is_tunnel = pc.is_in(slim.column("protocol_class").cast(pa.string()), value_set=pa.array(TUNNEL_CLASSES))
        self._tunnels += rows(slim.filter(is_tunnel).slice(0, MOST_TUNNELS - len(self._tunnels)))
        self._others += rows(slim.filter(pc.invert(is_tunnel)).slice(0, MOST_OTHERS - len(self._others)))

    def finish(self, metadata: Mapping[str, str] | None = None) -> None:
        """Print the table, without its least needed columns where the terminal is too narrow."""
        del metadata
        from rich.console import Console
        from rich.measure import Measurement

        as_wide_as_needed = not self._stream.isatty() and "COLUMNS" not in os.environ
        console = Console(file=self._stream, width=10_000 if as_wide_as_needed else None, highlight=False)
        dropped: tuple[str, ...] = ()
        for place in range(len(_DROPPED_WHEN_NARROW) + 1):
            dropped = _DROPPED_WHEN_NARROW[:place]
            table = self._table(dropped)
            if Measurement.get(console, console.options.update(max_width=10_000), table).maximum <= console.width:
                break
        console.print(self._table(dropped))
        left = self._count - len(self._tunnels) - len(self._others)
        if left > 0:
            console.print(f"... and {left:,} flows more: write them all with -o flows.parquet")

    def abort(self) -> None:
        """Forget the flows."""
        self._tunnels.clear()
        self._others.clear()

    def _table(self, dropped: tuple[str, ...]) -> Any:
        from rich.table import Table

        table = Table(box=None, pad_edge=False, header_style="bold")
        for name, justify in _SHOWN.items():
            if name not in dropped:
                table.add_column(name, no_wrap=True, justify=justify)
        for flow in sorted(self._tunnels, key=_time) + sorted(self._others, key=_time):
            table.add_row(*(cell for name, cell in _cells(flow).items() if name not in dropped))
        return table


def _cells(flow: dict[str, Any]) -> dict[str, Any]:
    from rich.text import Text

    is_tunnel = flow["protocol_class"] in TUNNEL_CLASSES
    style = "bold cyan" if is_tunnel else ("dim" if flow["protocol"] == "unknown" else "")
    name = str(flow["protocol"]) + (f"/{flow['variant']}" if flow["variant"] else "")
    outcome = "" if flow["policy_outcome"] in (None, "not_applicable") else str(flow["policy_outcome"])
    return {
        "time (UTC)": f"{flow['time_start'][:10]} {flow['time_start'][11:23]}",
        "flow": Text(clean(str(flow["flow_id"]))[:FLOW_ID_SHOWN]),
        "source": Text(_end(flow["src_ip"], flow["src_port"])),
        "destination": Text(_end(flow["dst_ip"], flow["dst_port"])),
        "protocol": Text(clean(name), style=style),
        "tier": Text(str(flow["tier"])),
        "bits": f"{flow['evidence_bits'] or 0:.0f}",
        "registry": Text(str(flow["registry_match"] or "") if is_tunnel else ""),
        "outcome": Text(outcome, style=_STYLES.get(outcome, "")),
        "packets": f"{flow['packets_fwd'] + flow['packets_rev']:,}",
        "bytes": f"{flow['bytes_fwd'] + flow['bytes_rev']:,}",
    }


def stdout_table() -> TableSink:
    """Give the table that goes to standard output."""
    return TableSink(sys.stdout)


def _time(flow: dict[str, Any]) -> str:
    return str(flow["time_start"])


def _end(address: str, port: int | None) -> str:
    if port is None:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"

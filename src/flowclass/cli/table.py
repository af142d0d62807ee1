"""Takes flows. Gives a table of what matters for a person: VPN flows first, the rest behind."""

from __future__ import annotations

import os
import sys
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc

from flowclass.cli.values import clean
from flowclass.sinks.columns import rows

MOST_TUNNELS = 500
MOST_OTHERS = 50
WIDTH_WITHOUT_TERMINAL = 180
TUNNEL_CLASSES = ("vpn", "overlay", "proxy", "covert")
_COLUMNS = (
    "flow_id", "time_start", "src_ip", "src_port", "dst_ip", "dst_port", "protocol", "protocol_class", "variant",
    "tier", "evidence_bits", "registry_match", "policy_outcome", "packets_fwd", "packets_rev", "bytes_fwd",
    "bytes_rev",
)  # fmt: skip
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

    def finish(self) -> None:
        """Print the table."""
        from rich.console import Console

        width = None if self._stream.isatty() or "COLUMNS" in os.environ else WIDTH_WITHOUT_TERMINAL
        console = Console(file=self._stream, width=width, highlight=False)
        console.print(self._table())
        left = self._count - len(self._tunnels) - len(self._others)
        if left > 0:
            console.print(f"... and {left:,} flows more: write them all with -o flows.parquet")

    def abort(self) -> None:
        """Forget the flows."""
        self._tunnels.clear()
        self._others.clear()

    def _table(self) -> Any:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in ("time (UTC)", "flow", "source", "destination", "protocol", "tier"):
            table.add_column(name, no_wrap=True)
        table.add_column("bits", justify="right", no_wrap=True)
        for name in ("registry", "outcome"):
            table.add_column(name, no_wrap=True)
        for name in ("packets", "bytes"):
            table.add_column(name, justify="right", no_wrap=True)
        for flow in sorted(self._tunnels, key=_time) + sorted(self._others, key=_time):
            is_tunnel = flow["protocol_class"] in TUNNEL_CLASSES
            style = "bold cyan" if is_tunnel else ("dim" if flow["protocol"] == "unknown" else "")
            name = str(flow["protocol"]) + (f"/{flow['variant']}" if flow["variant"] else "")
            outcome = str(flow["policy_outcome"] or "")
            table.add_row(
                f"{flow['time_start'][:10]} {flow['time_start'][11:23]}",
                Text(clean(str(flow["flow_id"]))),
                Text(_end(flow["src_ip"], flow["src_port"])),
                Text(_end(flow["dst_ip"], flow["dst_port"])),
                Text(clean(name), style=style),
                Text(str(flow["tier"])),
                f"{flow['evidence_bits'] or 0:.0f}",
                Text(str(flow["registry_match"] or "") if is_tunnel else ""),
                Text(outcome if outcome != "not_applicable" else "", style=_STYLES.get(outcome, "")),
                f"{flow['packets_fwd'] + flow['packets_rev']:,}",
                f"{flow['bytes_fwd'] + flow['bytes_rev']:,}",
            )
        return table


def stdout_table() -> TableSink:
    """Give the table that goes to standard output."""
    return TableSink(sys.stdout)


def _time(flow: dict[str, Any]) -> str:
    return str(flow["time_start"])


def _end(address: str, port: int | None) -> str:
    if port is None:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"

"""Takes a run. Gives every figure of the report, computed once, in memory that grows with the groups alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from flowclass.anonymize import CryptoPan, refuse_anonymized, source_name
from flowclass.registry import Registry
from flowclass.report.inside import Inside
from flowclass.report.judged import CLASSES, OUTCOMES, TIERS, with_ends, with_marks
from flowclass.report.records import Records
from flowclass.report.registrations import beside_registry
from flowclass.report.stand_ins import RUN, with_stand_ins
from flowclass.report.sums import Sums, grouped, rows_of
from flowclass.types import check_range

SCHEMA = "flowclass.report/1"
MOST_BUCKETS = 60
SECOND = 1_000_000_000
WIDTHS = tuple(
    SECOND * seconds
    for seconds in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
)
SOON_DAYS = (7, 30, 90)
_RUN_COLUMNS = (
    "time_start", "time_end", "packets_fwd", "packets_rev", "bytes_fwd", "bytes_rev", "truncated_packets", "segment",
    "registry_match", "policy_outcome",
)  # fmt: skip
_TOTALS = {"flows": "sum", "bytes": "sum"}
_SEEN = {**_TOTALS, "time_start": "min", "time_end": "max"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """What a report is made with.

    Parameters
    ----------
    scope : tuple of str
        The operator's own prefixes; empty = private space counts as inside.
    registry : Registry, optional
        The list of registrations, for those never seen and those that end soon.
    most : int
        Rows of a table; how many were left out is said.
    anonymize : CryptoPan, optional
        The key by which the report has other addresses. A run that was anonymised with it already stays as it is.
    """

    scope: tuple[str, ...] = ()
    registry: Registry | None = None
    most: int = 200
    anonymize: CryptoPan | None = None

    def __post_init__(self) -> None:
        check_range("rows", self.most, 1, 100_000)


def figures_of(path: Path, options: ReportOptions | None = None) -> dict[str, Any]:
    """Compute the figures of a run.

    Parameters
    ----------
    path : Path
        Parquet or Arrow, or the folder that ``classify -o`` wrote into.
    options : ReportOptions, optional
        Scope, registry and the length of tables.

    Returns
    -------
    dict
        Plain values, ready for JSON; times are ns UTC.

    Raises
    ------
    SourceError, SchemaError
        When the file cannot be read or holds no flow records, or was anonymised with another key.
    """
    chosen = options or ReportOptions()
    records = Records(path)
    run = _run(records)
    done = bool(records.metadata.get("anonymized"))
    key = _key(records, chosen.anonymize)
    inside = Inside(chosen.scope, anonymized=done, hidden=key is not None)
    sums = _Sums(run["time_start"] or 0, _width(run), key)
    for table in records.tables():
        sums.add(with_marks(table), inside)
    seen = _registrations(sums.registrations, chosen.most)
    if chosen.registry is not None and run["records"]:
        ids = {row["registration_id"] for row in rows_of(sums.registrations.table())} - {None}
        seen |= _beside(chosen.registry, ids, run, records.metadata.get("registry_version"))
    return {
        "schema": SCHEMA,
        "run": run,
        "outcomes": _outcomes(sums.outcomes),
        "protocols": _protocols(sums.protocols),
        "timeline": _timeline(sums.timeline, sums.width, run),
        "registrations": seen,
        "endpoints": _endpoints(sums.endpoints, chosen.most),
        "thresholds": _thresholds(sums),
        "inside": {
            "known": inside.known,
            "rule": inside.rule,
            "scope": list(inside.scope),
            **_hosts(sums, chosen.most),
        },
        "provenance": _provenance(records, chosen.most, key),
    }


def _key(records: Records, asked: CryptoPan | None) -> CryptoPan | None:
    """Give the key to anonymise with: none where the run is anonymised with it already."""
    if asked is None or records.metadata.get("anonymization_key") == asked.fingerprint:
        return None
    refuse_anonymized(str(records.path), {f"flowclass.{name}": text for name, text in records.metadata.items()})
    return asked


class _Sums:
    """All groups that one pass over the records fills."""

    def __init__(self, start: int, width: int, key: CryptoPan | None = None) -> None:
        self._key = key
        self.width = width
        self.start = start // width * width
        self.outcomes = Sums(("outcome", "phase", "reason", "registry_match", "gravity"), _TOTALS)
        self.protocols = Sums(("protocol_class", "protocol", "tier"), _TOTALS)
        self.timeline = Sums(("bucket", "series"), {"flows": "sum"})
        self.registrations = Sums(("registration_id", "registry_match", "gravity", "counted"), _SEEN)
        self.endpoints = Sums(
            ("address", "port", "protocol", "registry_match", "gravity", "sure", "accused"),
            {**_SEEN, "evidence_bits": "max", "flow_id": "first", "server_name": "first"},
            (("evidence_bits", "descending"), ("flow_id", "ascending")),
        )
        self.hosts = Sums(
            ("host", "address", "protocol", "gravity", "sure", "accused"), {**_SEEN, "evidence_bits": "max"}
        )
        self.without_inside = 0

    def add(self, table: Any, inside: Inside) -> None:
        """Count the records of one table."""
        import pyarrow.compute as pc

        table = table.append_column("phase", table["policy_phase"]).append_column("reason", table["policy_reason"])
        place = pc.divide(pc.subtract(table["time_start"], self.start), self.width)
        table = table.append_column("bucket", place)
        self.outcomes.add(table)
        self.protocols.add(table)
        self.timeline.add(table)
        self.registrations.add(table.filter(pc.is_valid(table["registration_id"])))
        flows, hosts, without = with_ends(table.filter(table["open"]), inside)
        self.endpoints.add(with_stand_ins(flows, self._key))
        self.hosts.add(with_stand_ins(hosts, self._key))
        self.without_inside += without


def _run(records: Records) -> dict[str, Any]:
    """Give the run's span and what it holds, in a first pass over few columns."""
    import pyarrow.compute as pc

    totals = dict.fromkeys(("records", "continued", "judged", "looked_up", "packets", "bytes", "truncated_packets"), 0)
    starts: list[int] = []
    ends: list[int] = []
    for table in records.tables(*_RUN_COLUMNS):
        if table.num_rows == 0:
            continue
        totals["records"] += table.num_rows
        totals["continued"] += pc.sum(pc.greater(table["segment"], 0)).as_py()
        totals["judged"] += table.num_rows - table["policy_outcome"].null_count
        totals["looked_up"] += table.num_rows - table["registry_match"].null_count
        totals["truncated_packets"] += pc.sum(table["truncated_packets"]).as_py()
        for way in ("fwd", "rev"):
            totals["packets"] += pc.sum(table[f"packets_{way}"]).as_py()
            totals["bytes"] += pc.sum(table[f"bytes_{way}"]).as_py()
        starts.append(pc.min(table["time_start"]).as_py())
        ends.append(pc.max(table["time_end"]).as_py())
    return {**totals, "time_start": min(starts, default=None), "time_end": max(ends, default=None)}


def _width(run: dict[str, Any]) -> int:
    """Give the span of one column of the timeline, in ns."""
    if not run["records"]:
        return SECOND
    span = run["time_end"] - run["time_start"]
    fitting = next((width for width in WIDTHS if span // width + 2 <= MOST_BUCKETS), None)
    return fitting or WIDTHS[-1] * (span // WIDTHS[-1] // (MOST_BUCKETS - 2) + 1)


def _ranked(sums: Sums, by: Sequence[str], then: Sequence[str]) -> list[dict[str, Any]]:
    rows = rows_of(sums.table()) if sums.table() is not None else []
    return sorted(rows, key=lambda row: (*(-row[name] for name in by), *(row[name] or "" for name in then)))


def _outcomes(sums: Sums) -> list[dict[str, Any]]:
    rows = _ranked(sums, ("gravity", "flows"), ("phase", "reason", "registry_match"))
    return [{name: value for name, value in row.items() if name != "gravity"} for row in rows]


def _protocols(sums: Sums) -> list[dict[str, Any]]:
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in _ranked(sums, ("flows",), ("protocol_class", "protocol")):
        key = (row["protocol_class"], row["protocol"])
        one = found.setdefault(
            key,
            {"protocol_class": key[0], "protocol": key[1], "flows": 0, "bytes": 0, "tiers": dict.fromkeys(TIERS, 0)},
        )
        one["flows"] += row["flows"]
        one["bytes"] += row["bytes"]
        one["tiers"][row["tier"]] = one["tiers"].get(row["tier"], 0) + row["flows"]
    order = {"vpn": 0, "overlay": 1, "proxy": 2, "covert": 3, "app": 4}
    return sorted(found.values(), key=lambda one: (order.get(one["protocol_class"], 5), -one["flows"], one["protocol"]))


def _timeline(sums: Sums, width: int, run: dict[str, Any]) -> dict[str, Any]:
    if not run["records"]:
        return {"width_ns": width, "series": [], "buckets": []}
    rows = rows_of(sums.table())
    start = run["time_start"] // width * width
    found = {row["series"] for row in rows}
    series = [name for name in (*reversed(OUTCOMES), *CLASSES) if name in found]
    buckets: list[dict[str, Any]] = [
        {"time": start + place * width, "flows": dict.fromkeys(series, 0)}
        for place in range(max(row["bucket"] for row in rows) + 1)
    ]
    for row in rows:
        buckets[row["bucket"]]["flows"][row["series"]] += row["flows"]
    return {"width_ns": width, "series": series, "buckets": buckets}


def _registrations(sums: Sums, most: int) -> dict[str, Any]:
    import pyarrow.compute as pc

    table = sums.table()
    if table is None or table.num_rows == 0:
        return {"seen": [], "seen_total": 0, "left_out": 0}
    table = table.append_column("tunnels", pc.multiply(table["flows"], pc.cast(table["counted"], "int64")))
    made = grouped(table, ["registration_id"], {**_SEEN, "gravity": "max", "tunnels": "sum"})
    order = [(name, "descending") for name in ("gravity", "tunnels", "flows")]
    shown = made.sort_by([*order, ("registration_id", "ascending")]).slice(0, most)
    matches = _listed(table, "registration_id", "registry_match", shown)
    rows = rows_of(shown)
    for row in rows:
        row["outcome"] = OUTCOMES[row.pop("gravity")]
        row["registry_matches"] = matches[row["registration_id"]]
    return {"seen": rows, "seen_total": made.num_rows, "left_out": made.num_rows - len(rows)}


def _beside(registry: Registry, ids: set[str], run: dict[str, Any], version: str | None) -> dict[str, Any]:
    compared = beside_registry(registry, ids, (run["time_start"], run["time_end"]), SOON_DAYS)
    compared["same_version"] = compared["version"] == version
    return {"registry": compared}


def _endpoints(sums: Sums, most: int) -> dict[str, Any]:
    table = sums.table()
    if table is None or table.num_rows == 0:
        return {"ranked": [], "total": 0, "addresses": 0, "left_out": 0}
    keys = ("address", "port", "protocol")
    kinds = {**_SEEN, "evidence_bits": "max", "gravity": "max", "sure": "max"}
    kinds |= {"flow_id": "first", "server_name": "first", "registry_match": "first"}
    made = grouped(table, keys, kinds, (("evidence_bits", "descending"), ("flow_id", "ascending")))
    order = [(name, "descending") for name in ("gravity", "sure", "flows", "bytes")]
    rows = rows_of(made.sort_by([*order, *((name, "ascending") for name in keys)]).slice(0, most))
    for row in rows:
        row["outcome"], row["tier"] = OUTCOMES[row.pop("gravity")], TIERS[row.pop("sure")]
    addresses = len(table["address"].unique())
    return {"ranked": rows, "total": made.num_rows, "addresses": addresses, "left_out": made.num_rows - len(rows)}


def _thresholds(sums: _Sums) -> list[dict[str, Any]]:
    """Count what each threshold of the tier would accuse: in the phases as they are, and with all in force."""
    import pyarrow.compute as pc

    ends, hosts = sums.endpoints.table(), sums.hosts.table()
    found = []
    for place in range(len(TIERS) - 1, 0, -1):
        row: dict[str, Any] = {"tier": TIERS[place]}
        for name, only in (("as_phased", True), ("all_enforced", False)):
            row[name] = {"flows": 0, "endpoints": 0, "inside_hosts": 0}
            if ends is None:
                continue
            kept, within = (
                table.filter(pc.and_(pc.greater_equal(table["sure"], place), pc.or_(table["accused"], not only)))
                for table in (ends, hosts)
            )
            row[name] = {
                "flows": pc.sum(kept["flows"]).as_py() or 0,
                "endpoints": len(kept["address"].unique()),
                "inside_hosts": len(within["host"].unique()),
            }
        found.append(row)
    return found


def _hosts(sums: _Sums, most: int) -> dict[str, Any]:
    """Rank the inside hosts that have flows without a valid registration, with how sure each is."""
    import pyarrow.compute as pc

    nothing = {"hosts": [], "total": 0, "left_out": 0, "by_outcome_and_tier": []}
    table = sums.hosts.table()
    if table is None or table.num_rows == 0:
        return {**nothing, "flows_without_inside_end": sums.without_inside}
    kinds = {**_SEEN, "evidence_bits": "max", "gravity": "max", "sure": "max"}
    for place, tier in enumerate(TIERS[1:], 1):
        table = table.append_column(tier, pc.if_else(pc.equal(table["sure"], place), table["flows"], 0))
        kinds[tier] = "sum"
    made = grouped(table, ["host"], kinds)
    order = [(name, "descending") for name in ("gravity", "sure", "flows", "bytes")]
    shown = made.sort_by([*order, ("host", "ascending")]).slice(0, most)
    protocols, ends = _listed(table, "host", "protocol", shown), _listed(table, "host", "address", shown)
    rows = rows_of(shown)
    for row in rows:
        row["outcome"], row["tier"] = OUTCOMES[row.pop("gravity")], TIERS[row.pop("sure")]
        row["protocols"], row["endpoints"] = protocols[row["host"]], len(ends[row["host"]])
    marked = made.append_column("hosts", pc.if_else(pc.is_valid(made["host"]), 1, 0))
    by = [
        {"outcome": OUTCOMES[row["gravity"]], "tier": TIERS[row["sure"]], "hosts": row["hosts"], "flows": row["flows"]}
        for row in sorted(
            rows_of(grouped(marked, ["gravity", "sure"], {"hosts": "sum", "flows": "sum"})),
            key=lambda row: (-row["gravity"], -row["sure"]),
        )
    ]
    return {
        "hosts": rows,
        "total": made.num_rows,
        "left_out": made.num_rows - len(rows),
        "by_outcome_and_tier": by,
        "flows_without_inside_end": sums.without_inside,
    }


def _listed(table: Any, key: str, value: str, shown: Any) -> dict[str, list[str]]:
    """Give the different values of each key that is shown, in order."""
    import pyarrow.compute as pc

    kept = table.filter(pc.is_in(table[key], value_set=shown[key].combine_chunks()))
    found: dict[str, list[str]] = {}
    for row in rows_of(grouped(kept, [key, value], {})):
        found.setdefault(row[key], []).append(row[value] or "none")
    return {name: sorted(values) for name, values in found.items()}


def _provenance(records: Records, most: int, key: CryptoPan | None) -> dict[str, Any]:
    known = dict(records.metadata)
    if key is not None:
        known |= {name.removeprefix("flowclass."): text for name, text in key.metadata().items()}
    inputs, balance = _parsed(known.pop("inputs", "")), _parsed(known.pop("balance", ""))
    listed = [
        {"name": str(one.get("name", "")) if key is None else source_name(place), "size": one.get("size")}
        for place, one in enumerate(inputs if isinstance(inputs, list) else [])
        if isinstance(one, dict)
    ]
    return {
        "file": str(records.path) if key is None else RUN,
        "metadata": known,
        "inputs": listed[:most],
        "inputs_total": len(listed),
        "balance": balance if isinstance(balance, dict) else None,
    }


def _parsed(text: str) -> Any:
    try:
        return msgspec.json.decode(text) if text else None
    except msgspec.DecodeError:
        return None

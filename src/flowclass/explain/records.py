"""Takes a file that classify wrote. Gives the records of one flow."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flowclass.anonymize import fingerprint_in
from flowclass.errors import SchemaError, SourceError
from flowclass.sinks.columns import rows
from flowclass.sinks.rotating import parts

NEAREST = 3
NEEDED = ("flow_id", "src_ip", "src_port", "dst_ip", "dst_port", "ip_proto", "protocol", "tier", "evidence")


def records_of(path: Path, flow_id: str) -> list[dict[str, Any]]:
    """Give the records of one flow: one, or one for each segment.

    Parameters
    ----------
    path : Path
        Parquet or Arrow, or the folder that ``classify -o`` wrote into.
    flow_id : str
        Or the beginning of one.

    Raises
    ------
    SourceError
        When the file cannot be read, or holds no such flow (with the nearest ids), or several.
    SchemaError
        When it holds no flow records.
    """
    found = _flows(path, flow_id)
    records = [_with_times(row) for batch in found.combine_chunks().to_batches() for row in rows(batch)]
    ids = sorted({str(record["flow_id"]) for record in records})
    if not ids:
        near = _nearest(path, flow_id)
        hint = f"the nearest ids are {', '.join(near)}" if near else "it holds no flow at all"
        raise SourceError(f"{path}: holds no flow {flow_id!r}; {hint}")
    if len(ids) > 1:
        raise SourceError(f"{path}: {len(ids)} flows begin with {flow_id!r}, e.g. {ids[0]} and {ids[1]}; give more")
    return records


def key_of(path: Path) -> str | None:
    """Give the fingerprint of the key that a file's records were anonymised with; None where they were not."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = _files(path)[0]
    try:
        with path.open("rb") as file:
            head = file.read(6)
        if head[:4] == b"PAR1":
            return fingerprint_in(pq.read_schema(path).metadata)
        reader = pa.ipc.open_file(path) if head == b"ARROW1" else pa.ipc.open_stream(path)
        return fingerprint_in(reader.schema.metadata)
    except (OSError, pa.ArrowException) as problem:
        why = getattr(problem, "strerror", None) or problem
        raise SourceError(f"{path}: cannot be read: {why}; give what classify wrote with -o") from problem


def _files(path: Path) -> list[Path]:
    """Give the files themselves where the folder that ``classify -o`` wrote into is named."""
    return (parts(path) or [path]) if path.is_dir() else [path]


def _flows(path: Path, flow_id: str) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    table = pa.concat_tables([_table(part, None, flow_id) for part in _files(path)], promote_options="default")
    return table.filter(pc.starts_with(table.column("flow_id").cast(pa.string()), pattern=flow_id))


def _nearest(path: Path, flow_id: str) -> list[str]:
    """Give the ids that agree with what was asked for in the most places."""
    import numpy as np

    found = [_table(part, ["flow_id"], "").column("flow_id").to_numpy(zero_copy_only=False) for part in _files(path)]
    ids = np.asarray(np.concatenate(found), dtype="S")
    width = max(ids.dtype.itemsize, 1)
    asked = np.frombuffer(flow_id.encode()[:width].ljust(width, b"\0"), dtype=np.uint8)
    same = (ids.view(np.uint8).reshape(len(ids), width) == asked).cumsum(axis=1)
    # What agrees early counts more: ids are read and typed from the left.
    order = np.argsort(-(same.sum(axis=1)), kind="stable")
    return list(dict.fromkeys(str(ids[place].decode()) for place in order[: 8 * NEAREST]))[:NEAREST]


def _table(path: Path, columns: list[str] | None, flow_id: str) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    try:
        with path.open("rb") as file:
            head = file.read(6)
        if head[:4] == b"PAR1":
            _check(path, pq.read_schema(path))
            wanted = pc.starts_with(pc.field("flow_id").cast(pa.string()), pattern=flow_id) if flow_id else None
            return pq.read_table(path, columns=columns, filters=wanted)
        if head == b"ARROW1":
            table = pa.ipc.open_file(path).read_all()
        elif head[:4] == b"\xff\xff\xff\xff":
            table = pa.ipc.open_stream(path).read_all()
        else:
            raise SourceError(f"{path}: is neither Parquet nor Arrow; write the flows with classify -o flows.parquet")
        _check(path, table.schema)
        return table if columns is None else table.select(columns)
    except (OSError, pa.ArrowException) as problem:
        why = getattr(problem, "strerror", None) or problem
        raise SourceError(f"{path}: cannot be read: {why}; give what classify wrote with -o") from problem


def _check(path: Path, schema: Any) -> None:
    absent = [name for name in NEEDED if name not in schema.names]
    if absent:
        raise SchemaError(f"{path}: holds no flow records: column {absent[0]} is missing; give what classify wrote")


def _with_times(record: dict[str, Any]) -> dict[str, Any]:
    record["evidence"] = [dict(check, time_ns=nanoseconds(check["time"])) for check in record["evidence"] or []]
    return record


def nanoseconds(text: str) -> int:
    """Read a time as ``sinks.columns`` writes it, to the nanosecond."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    seconds = datetime.fromisoformat(whole).replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (seconds.days * 86400 + seconds.seconds) * 1_000_000_000 + int(fraction or 0)

"""``flowclass explain``: which octets of which packets prove a verdict, and how to see them elsewhere."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from flowclass.cli.options import common
from flowclass.cli.values import clean
from flowclass.engine import matchers
from flowclass.errors import SchemaError, SourceError
from flowclass.pipeline.frames import Ends, Frame, find_frames
from flowclass.sources.file import find

ROW = 16
CONTEXT_ROWS = 1
_NEEDED = ("flow_id", "src_ip", "src_port", "dst_ip", "dst_port", "ip_proto", "protocol", "tier", "evidence")


@click.command(short_help="Show which octets of which packets prove a verdict.")
@click.argument("flow_id")
@click.option("--in", "flows", required=True, type=click.Path(path_type=Path), help="Flows: Parquet or Arrow.")
@click.option("--pcap", "captures", multiple=True, metavar="SRC", help="The capture, to show the octets themselves.")
@common
def explain(flow_id: str, flows: Path, captures: tuple[str, ...], as_json: bool) -> int:
    """Show the evidence of the flow FLOW_ID, or of the one whose id begins so.

    With --pcap the frames are found by the flow's ends, time and payload, in any copy of the capture.
    """
    records = [_explained(record, captures) for record in _records(flows, flow_id)]
    if as_json:
        click.echo(msgspec.json.encode({"schema": "flowclass.explain/1", "flows": records}).decode())
        return 0
    for record in records:
        for line in _lines(record, captures):
            click.echo(line)
    return 0


def _records(path: Path, flow_id: str) -> list[dict[str, Any]]:
    """Give the records of one flow: one, or one for each segment."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from flowclass.sinks.columns import rows

    table = _table(path)
    missing = [name for name in _NEEDED if name not in table.schema.names]
    if missing:
        raise SchemaError(f"{path}: holds no flow records: column {missing[0]} is missing; give what classify wrote")
    found = table.filter(pc.starts_with(table.column("flow_id").cast(pa.string()), pattern=flow_id))
    records = [_with_times(row) for batch in found.combine_chunks().to_batches() for row in rows(batch)]
    ids = sorted({str(record["flow_id"]) for record in records})
    if not ids:
        raise SourceError(f"{path}: holds no flow {flow_id!r}; the column flow_id says which there are")
    if len(ids) > 1:
        raise SourceError(f"{path}: {len(ids)} flows begin with {flow_id!r}, e.g. {ids[0]} and {ids[1]}; give more")
    return records


def _table(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with path.open("rb") as file:
            head = file.read(6)
        if head[:4] == b"PAR1":
            return pq.read_table(path)
        if head == b"ARROW1":
            return pa.ipc.open_file(path).read_all()
        if head[:4] == b"\xff\xff\xff\xff":
            return pa.ipc.open_stream(path).read_all()
    except (OSError, pa.ArrowException) as problem:
        why = getattr(problem, "strerror", None) or problem
        raise SourceError(f"{path}: cannot be read: {why}; give what classify wrote with -o") from problem
    raise SourceError(f"{path}: is neither Parquet nor Arrow; write the flows with classify -o flows.parquet")


def _with_times(record: dict[str, Any]) -> dict[str, Any]:
    record["evidence"] = [dict(check, time_ns=_nanoseconds(check["time"])) for check in record["evidence"] or []]
    return record


def _nanoseconds(text: str) -> int:
    """Read a time as ``sinks.columns`` writes it, to the nanosecond."""
    from datetime import UTC, datetime

    whole, _, fraction = text.removesuffix("Z").partition(".")
    seconds = datetime.fromisoformat(whole).replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (seconds.days * 86400 + seconds.seconds) * 1_000_000_000 + int(fraction or 0)


def _explained(record: dict[str, Any], captures: tuple[str, ...]) -> dict[str, Any]:
    meanings = {rule: meaning for matcher in matchers() for rule, meaning in matcher["rules"]}
    frames = _frames(record, captures) if captures else []
    for check in record["evidence"]:
        check["meaning"] = meanings.get(check["rule"], "a rule of another version of flowclass")
        frame = _frame_of(check, record, frames)
        if frame is not None:
            start = frame.payload_offset + check["offset"]
            end = min(start + check["length"], frame.payload_offset + frame.payload_captured)
            check["frame"] = {
                "source": frame.source,
                "number": frame.number,
                "payload_offset": frame.payload_offset,
                "payload_length": frame.payload_length,
                "offset": start,
                "octets": frame.octets[start:end].hex(),
                "dump": list(_dump(frame.octets, start, max(end, start))),
            }
    keys = (*_NEEDED, "segment", "variant", "protocol_class", "evidence_bits", "alternatives", "time_start", "time_end",
            "registry_match", "registration_id", "policy_outcome", "policy_phase", "policy_reason", "source_file",
            "packet_first", "packet_last")  # fmt: skip
    return {key: record[key] for key in keys if key in record}


def _frames(record: dict[str, Any], captures: tuple[str, ...]) -> list[Frame]:
    found = find(captures)
    if found.problems:
        raise SourceError("; ".join(sentence for _, sentence in found.problems))
    frames = find_frames(found.sources, _ends(record), [check["time_ns"] for check in record["evidence"]])
    if record["evidence"] and not frames:
        raise SourceError(f"no frame of the flow is in {', '.join(captures)}; give the capture that was classified")
    return frames


def _ends(record: dict[str, Any]) -> Ends:
    return Ends(**{key: record[key] for key in ("src_ip", "src_port", "dst_ip", "dst_port", "ip_proto")})


def _frame_of(check: dict[str, Any], record: dict[str, Any], frames: list[Frame]) -> Frame | None:
    ends = _ends(record)
    sender = ends if check["direction"] == "fwd" else ends.turned
    least = check["offset"] + min(check["length"], 1)
    for frame in frames:
        if frame.time == check["time_ns"] and frame.sender == sender and frame.payload_length >= least:
            return frame
    return None


def _dump(octets: bytes, start: int, end: int) -> Iterator[str]:
    """Give rows as ``tshark -x`` prints them, the octets in question in brackets."""
    first = max(0, start // ROW - CONTEXT_ROWS) * ROW
    last = min(len(octets), ((max(end, start + 1) - 1) // ROW + 1 + CONTEXT_ROWS) * ROW)
    for row in range(first, last, ROW):
        cells = ""
        for place in range(row, min(row + ROW, last)):
            opens = start <= place < end and (place in (start, row))
            closes = start < place <= end and place == end and place != row
            cells += "[" if opens else ("]" if closes else " ")
            cells += f"{octets[place]:02x}"
        at_end = min(row + ROW, last)
        cells += "]" if start < at_end <= end or (row < end == at_end) else ""
        yield f"{row:04x} {cells}"


def _lines(record: dict[str, Any], captures: tuple[str, ...]) -> Iterator[str]:
    name = record["protocol"] + (f"/{record['variant']}" if record.get("variant") else "")
    yield clean(f"flow      {record['flow_id']} segment {record.get('segment', 0)}")
    yield clean(f"ends      {_end(record, 'src')} -> {_end(record, 'dst')}, IP protocol {record['ip_proto']}")
    yield clean(f"time      {record.get('time_start')} to {record.get('time_end')}")
    yield clean(f"verdict   {name}: {record['tier']}, {record.get('evidence_bits') or 0:.1f} bits")
    if record.get("registry_match") or record.get("policy_outcome"):
        yield clean(
            f"registry  {record.get('registry_match')} ({record.get('registration_id') or 'no entry'}); policy:"
            f" {record.get('policy_outcome')}, phase {record.get('policy_phase') or 'none'},"
            f" {record.get('policy_reason')}"
        )
    yield clean(
        f"source    {record.get('source_file')}, frames {record.get('packet_first')} to {record.get('packet_last')}"
    )
    for other in record.get("alternatives") or []:
        yield clean(f"rejected  {other['protocol']}: {other['bits']:.1f} bits")
    if not record["evidence"]:
        yield "evidence  none: no fingerprint matched"
    for check in record["evidence"]:
        yield ""
        yield clean(f"{check['rule']}  {check['bits']:.1f} bits: {check['meaning']}")
        last = check["offset"] + check["length"] - 1
        place = f"octets {check['offset']} to {last} of" if check["length"] else "length of"
        yield clean(f"  {place} the payload of packet {check['packet']} ({check['direction']}, {check['time']})")
        yield from _frame_lines(check, captures)


def _frame_lines(check: dict[str, Any], captures: tuple[str, ...]) -> Iterator[str]:
    frame = check.get("frame")
    if frame is None:
        if captures:
            yield "  its frame is not in the capture given"
        return
    yield clean(
        f"  frame {frame['number']} of {frame['source']}: payload of {frame['payload_length']} octets at"
        f" {frame['payload_offset']:#06x}; see it with"
    )
    yield clean(f"    tshark -r {shlex.quote(frame['source'])} -Y 'frame.number == {frame['number']}' -x")
    if check["length"]:
        for row in frame["dump"]:
            yield f"    {row}"


def _end(record: dict[str, Any], end: str) -> str:
    address, port = record[f"{end}_ip"], record[f"{end}_port"]
    return str(address) if port is None else (f"[{address}]:{port}" if ":" in address else f"{address}:{port}")

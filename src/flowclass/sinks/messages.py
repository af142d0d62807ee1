"""Takes record batches. Gives them as messages for a broker: one for each row as text, or Arrow streams of many rows.

A row's key is its ``community_id``, so a broker that orders by key keeps the order within a connection. Its id is
``flow_id`` and ``segment``, of an early verdict also ``head_state``, so one that was sent twice can be told. A row's
message is the same line that a file of the format has, without its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import pyarrow as pa

from flowclass.sinks.columns import rows
from flowclass.sinks.eve import events

STEP = 1024
HEADERS = ("schema", "version", "rules_sha256", "registry_version", "policy_sha256")
CONTENT = {"jsonl": "application/json", "eve": "application/json", "arrow": "application/vnd.apache.arrow.stream"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is sent at once.

    Parameters
    ----------
    value : bytes
        The row, or rows.
    key : str
        Of a row; empty of several.
    id : str
        Of a row; empty of several.
    rows : int
        How many it holds.
    """

    value: bytes
    key: str = ""
    id: str = ""
    rows: int = 1


def headers(form: str, metadata: Mapping[str, str]) -> dict[str, str]:
    """Give what every message says about itself and the run."""
    said = {name: metadata.get(f"flowclass.{name}", "") for name in HEADERS}
    return {"content-type": CONTENT[form]} | {f"flowclass-{name}": text for name, text in said.items() if text}


def messages(batch: pa.RecordBatch, form: str, most_octets: int) -> Iterator[Message]:
    """Give a batch as messages.

    Parameters
    ----------
    batch : pyarrow.RecordBatch
        Of flow records.
    form : {"jsonl", "eve", "arrow"}
        What a message is.
    most_octets : int
        Messages of several rows have no more, but for single rows that have.
    """
    if form == "arrow":
        yield from _streams(batch, most_octets)
        return
    encoder = msgspec.json.Encoder()
    for start in range(0, batch.num_rows, STEP):
        part = batch.slice(start, STEP)
        made = events(part) if form == "eve" else rows(part)
        ids = [name for name in ("flow_id", "segment", "head_state") if name in part.schema.names]
        names = part.select(["community_id", *ids]).to_pylist()
        for row, name in zip(made, names, strict=True):
            said = ".".join(str(name[one]) for one in ids)
            yield Message(value=encoder.encode(row), key=name["community_id"] or "", id=said)


def _streams(batch: pa.RecordBatch, most_octets: int) -> Iterator[Message]:
    if batch.num_rows == 0:
        return
    out: Any = pa.BufferOutputStream()
    with pa.ipc.new_stream(out, batch.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_batch(batch)
    value = out.getvalue()
    if value.size <= most_octets or batch.num_rows == 1:
        yield Message(value=value.to_pybytes(), rows=batch.num_rows)
        return
    half = batch.num_rows // 2
    yield from _streams(batch.slice(0, half), most_octets)
    yield from _streams(batch.slice(half), most_octets)

"""Takes a file of flow records. Gives its batches with the columns asked for, whatever its format is.

The format follows from the content: Parquet, Arrow, JSON lines, CSV. Nothing is read whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from flowclass.errors import SchemaError, SourceError
from flowclass.sinks import SUFFIXES

ROWS = 65_536
LINES = 8_192
MOST_LINE_OCTETS = 64 << 20
TEXTS = ("flow_id", "src_ip", "dst_ip", "protocol", "registration_id", "policy_outcome", "policy_reason")
NUMBERS = ("bytes_fwd", "bytes_rev")
COLUMNS = (*TEXTS, *NUMBERS)
NEVER_NULL = ("flow_id", "src_ip", "dst_ip", "protocol", *NUMBERS)
NO_RECORDS = "holds no flow records; give what classify or judge wrote with -o"


class Line(msgspec.Struct):
    """A line of JSON, as far as two runs are compared."""

    flow_id: str
    src_ip: str
    dst_ip: str
    protocol: str
    registration_id: str | None
    policy_outcome: str | None
    policy_reason: str | None
    bytes_fwd: int
    bytes_rev: int


def open_file(path: Path) -> tuple[Iterator[Any], Mapping[bytes, bytes]]:
    """Open one file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    batches : iterator of pyarrow.RecordBatch
        With ``COLUMNS``, as the file has them.
    metadata : mapping of bytes to bytes
        What the file says about the run; empty where its format has no place for it.

    Raises
    ------
    SourceError
        When it cannot be read, here or from the iterator.
    SchemaError
        When it holds no flow records.
    """
    import pyarrow as pa

    try:
        with path.open("rb") as file:
            head = file.read(4096)
        opened = _binary(path, head)
        if opened is None:
            opened = _text(path, head)
    except (OSError, pa.ArrowException) as problem:
        raise unreadable(path, problem) from problem
    batches, metadata = opened
    return _guarded(path, batches), metadata


def unreadable(path: Path, problem: Exception) -> SourceError:
    """Give the error of a file that cannot be read."""
    why = str(getattr(problem, "strerror", None) or problem).split("\n", 1)[0]
    return SourceError(f"{path}: cannot be read: {why}; give what classify or judge wrote with -o")


def _guarded(path: Path, batches: Iterator[Any]) -> Iterator[Any]:
    import pyarrow as pa

    try:
        yield from batches
    except (OSError, pa.ArrowException) as problem:
        raise unreadable(path, problem) from problem


def _binary(path: Path, head: bytes) -> tuple[Iterator[Any], Mapping[bytes, bytes]] | None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if head[:4] == b"PAR1":
        parquet = pq.ParquetFile(path)
        _check(path, parquet.schema_arrow.names)
        batches = parquet.iter_batches(batch_size=ROWS, columns=list(COLUMNS))
        return batches, parquet.schema_arrow.metadata or {}
    if head[:6] == b"ARROW1":
        file = pa.ipc.open_file(path)
        _check(path, file.schema.names)
        return (file.get_batch(number) for number in range(file.num_record_batches)), file.schema.metadata or {}
    if head[:4] == b"\xff\xff\xff\xff":
        stream = pa.ipc.open_stream(path)
        _check(path, stream.schema.names)
        return iter(stream), stream.schema.metadata or {}
    return None


def _text(path: Path, head: bytes) -> tuple[Iterator[Any], Mapping[bytes, bytes]]:
    begin = head.lstrip()
    if begin[:1] == b"{" or (not begin and SUFFIXES.get(path.suffix.lower()) == "jsonl"):
        return _json_lines(path), {}
    names = [name.strip().strip(b'"') for name in begin.split(b"\n", 1)[0].split(b",")]
    if b"flow_id" in names:
        _check(path, [name.decode("utf-8", "replace") for name in names])
        return _csv(path), {}
    raise SchemaError(f"{path}: {NO_RECORDS}, or its records as JSON lines or CSV")


def _check(path: Path, names: list[str]) -> None:
    absent = [name for name in COLUMNS if name not in names]
    if absent:
        raise SchemaError(f"{path}: it has no column {', '.join(absent[:3])}: it {NO_RECORDS}")


def _csv(path: Path) -> Iterator[Any]:
    import pyarrow as pa
    from pyarrow import csv

    types = {name: pa.string() for name in TEXTS} | {name: pa.uint64() for name in NUMBERS}
    convert = csv.ConvertOptions(
        include_columns=list(COLUMNS),
        column_types=types,
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
        null_values=[""],
        check_utf8=False,
    )
    # A block holds at least one line, so it is as long as the longest line may be.
    yield from csv.open_csv(path, csv.ReadOptions(block_size=16 << 20), convert_options=convert)


def _json_lines(path: Path) -> Iterator[Any]:
    import pyarrow as pa

    decoder = msgspec.json.Decoder(Line)
    schema = pa.schema(
        [(name, pa.string()) for name in TEXTS] + [(name, pa.uint64()) for name in NUMBERS],
    )
    number = 0
    with path.open("rb") as file:
        lines = iter(lambda: file.readline(MOST_LINE_OCTETS), b"")
        while part := list(islice(lines, LINES)):
            read = []
            for line in part:
                number += 1
                if line.isspace():
                    continue
                try:
                    read.append(decoder.decode(line))
                except (msgspec.DecodeError, UnicodeDecodeError) as problem:
                    raise SchemaError(f"{path}:{number}: is no flow record ({problem}): it {NO_RECORDS}") from None
            try:
                columns = [pa.array([getattr(one, name) for one in read], schema.field(name).type) for name in COLUMNS]
            except (OverflowError, pa.ArrowException) as problem:
                raise SchemaError(f"{path}: before line {number}, {problem}: it {NO_RECORDS}") from None
            yield pa.record_batch(columns, schema=schema)

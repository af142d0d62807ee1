"""The desk's rows as a registry's file: CSV, JSON lines or Parquet, with the columns that every registry has."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from flowclass.desk.desk import Desk
from flowclass.errors import ConfigError
from flowclass.registries import desk as reader
from flowclass.registries.row import COLUMNS
from flowclass.sinks.atomic import AtomicFile, output_error

FORMATS = ("csv", "jsonl", "parquet")
Row = Mapping[str, str]


def export(
    desk: Desk,
    target: Path,
    *,
    at: int | None = None,
    known_at: int | None = None,
    with_references: bool = False,
) -> int:
    """Write the registry as of an instant; the file appears complete or not at all.

    Parameters
    ----------
    desk : Desk
        The desk.
    target : Path
        Its ending says the format.
    at, known_at : int, optional
        As for ``flowclass.registries.desk.read``.
    with_references : bool
        Whether `note_ref` is written: where the registrar's own files lie.

    Returns
    -------
    int
        How many rows were written.

    Raises
    ------
    ConfigError
        Where the ending says no format.
    OutputError
        Where it cannot be written.
    """
    form = target.suffix.lower().removeprefix(".")
    if form not in FORMATS:
        raise ConfigError(f"{target}: its ending says no format; write {', '.join('.' + known for known in FORMATS)}")
    rows = table(desk, at=at, known_at=known_at, with_references=with_references)
    columns = [column for column in COLUMNS if with_references or column != "note_ref"]
    data = {"csv": _csv, "jsonl": _jsonl, "parquet": _parquet}[form](rows, columns)
    file = AtomicFile(target)
    try:
        file.file.write(data)
    except OSError as problem:
        file.abort()
        raise output_error(str(target), problem) from problem
    except BaseException:
        file.abort()
        raise
    file.commit()
    return len(rows)


def table(
    desk: Desk, *, at: int | None = None, known_at: int | None = None, with_references: bool = False
) -> list[dict[str, str]]:
    """Give the rows as texts by column, from one state of the desk; see `export`."""
    with desk.reading() as connection:
        references = reader.references_by_number(connection) if with_references else {}
        return [
            {
                **{column: reader.text_of(value) for column, value in values.items()},
                **({"note_ref": references.get(number, "")} if with_references else {}),
            }
            for values, number in reader.held_rows(connection, at, known_at)
        ]


def _csv(rows: Iterable[Row], columns: list[str]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _jsonl(rows: Iterable[Row], columns: list[str]) -> bytes:
    return b"".join(reader.line_of(row, columns) for row in rows)


def _parquet(rows: Iterable[Row], columns: list[str]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(column, pa.string()) for column in columns])
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(list(rows), schema), sink, compression="zstd")
    data: bytes = sink.getvalue().to_pybytes()
    return data

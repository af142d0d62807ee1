"""Registries as Parquet: a row a registration's prefix or list of prefixes; dates as texts, dates or timestamps."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from flowclass.errors import RegistryError, RowProblem
from flowclass.registries.header import check_columns
from flowclass.registries.kinds import MOST_ROWS, Limits, Nanoseconds, shown
from flowclass.registries.row import LISTS, TIMES, RegistryRow, RowChecker

NAME = "Parquet"
ENDINGS = (".parquet", ".pq")
BINARY = True
BATCH_ROWS = 16_384
MOST_OCTETS = 1 << 31
_UNITS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_DAY_NS = 86_400 * 10**9

Convert = Callable[[Any], list[object]]


def recognise(head: bytes) -> bool:
    """Say whether octets begin as such a file."""
    return head.startswith(b"PAR1")


def read(
    data: bytes, *, name: str, known_protocols: Collection[str] = (), limits: Limits | None = None
) -> tuple[list[RegistryRow], list[RowProblem]]:
    """Read all rows and all problems, rows counted from 1; see ``flowclass.registries.csv.read``."""
    import pyarrow as pa

    checker = RowChecker(name, known_protocols, limits)
    rows: list[RegistryRow] = []
    line = 0
    try:
        file, converts = _open(data, checker)
        for batch in file.iter_batches(batch_size=BATCH_ROWS):
            columns = [convert(batch.column(column)) for column, convert in converts.items()]
            for values in zip(*columns, strict=True):
                line += 1
                row = checker.check(line, dict(zip(converts, values, strict=True)))
                if row is not None:
                    rows.append(row)
    except RegistryError:
        raise
    except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError) as problem:
        raise checker.refusal(line + 1, f"the Parquet file is damaged: {shown(problem)}", "unreadable") from None
    return rows, checker.finish()


def _open(data: bytes, checker: RowChecker) -> tuple[Any, dict[str, Convert]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pq.ParquetFile(pa.BufferReader(data))
    schema, metadata = file.schema_arrow, file.metadata
    octets = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    if metadata.num_rows > MOST_ROWS or octets > MOST_OCTETS:
        reason = f"{metadata.num_rows:,} rows of {octets:,} octets: this is no registry"
        raise checker.refusal(1, reason)
    check_columns(schema.names, file=checker.file, line=1, where="the schema")
    converts: dict[str, Convert] = {}
    texts: list[str] = []
    wrong: list[RowProblem] = []
    for field in schema:
        convert = _convert(field.name, field.type)
        if convert is None:
            reason = f"a column of type {shown(field.type)} is not taken; {_wanted(field.name)}"
            wrong.append(
                RowProblem(file=checker.file, line=1, column=field.name, value="", reason=reason, kind="wrong_type")
            )
        else:
            converts[field.name] = convert
            texts += [field.name] if _is_text(field.type) else []
    if wrong:
        raise RegistryError(f"{checker.file}: the columns cannot be used", wrong)
    # As dictionaries a text that is repeated a million times lies in memory once.
    return pq.ParquetFile(pa.BufferReader(data), read_dictionary=texts), converts


def _wanted(column: str) -> str:
    if column in TIMES:
        return "give timestamps, dates or texts"
    return "give texts or lists of texts" if column in LISTS else "give texts"


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    types = pa.types
    if types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return any(test(kind) for test in (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary))


def _convert(column: str, kind: Any) -> Convert | None:
    """Give what turns a column of this type into values, None where it is not taken."""
    import pyarrow as pa

    types = pa.types
    if _is_text(kind):
        return _texts
    if types.is_null(kind):
        return _plain
    if column in TIMES:
        if types.is_timestamp(kind):
            return lambda values: _instants(values.cast(pa.int64()), _UNITS[kind.unit])
        if types.is_date32(kind):
            return lambda values: _instants(values.cast(pa.int32()), _DAY_NS)
        return (lambda values: _instants(values.cast(pa.int64()), 10**6)) if types.is_date64(kind) else None
    if types.is_integer(kind) and column in ("registration_id", "note_ref"):
        return _plain
    is_list = types.is_list(kind) or types.is_large_list(kind)
    return _lists if column in LISTS and is_list and _is_text(kind.value_type) else None


def _plain(values: Any) -> list[object]:
    return list(values.to_pylist())


def _instants(values: Any, unit: int) -> list[object]:
    return [None if value is None else Nanoseconds(value * unit) for value in values.to_pylist()]


def _texts(values: Any) -> list[object]:
    import pyarrow as pa

    if pa.types.is_dictionary(values.type):
        words = _texts(values.dictionary)
        return [None if index is None else words[index] for index in values.indices.to_pylist()]
    return [
        None if octets is None else octets.decode("utf-8", "surrogateescape")
        for octets in values.cast(pa.large_binary()).to_pylist()
    ]


def _lists(values: Any) -> list[object]:
    words = _texts(values.values)
    offsets = values.offsets.to_pylist()
    return [
        words[begin:end] if held else None
        for begin, end, held in zip(offsets[:-1], offsets[1:], values.is_valid().to_pylist(), strict=True)
    ]

"""Takes a file of flow records. Gives its batches, one after the other, with the columns a report needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from flowclass.errors import SchemaError, SourceError
from flowclass.pipeline.records import BALANCE, PREFIX, closing_metadata, metadata_of
from flowclass.sinks.rotating import parts

ROWS = 65_536
BALANCE_NAME = BALANCE.removeprefix(PREFIX)
COLUMNS = (
    "flow_id", "time_start", "time_end", "src_ip", "dst_ip", "src_port", "dst_port", "packets_fwd", "packets_rev",
    "bytes_fwd", "bytes_rev", "truncated_packets", "segment", "protocol", "protocol_class", "tier", "evidence_bits",
    "server_name", "registry_match", "registration_id", "policy_outcome", "policy_phase", "policy_reason",
)  # fmt: skip


class Records:
    """The flow records of a run, to be read as often as needed.

    Parameters
    ----------
    path : Path
        Parquet or Arrow, or the folder that ``classify -o`` wrote into.

    Attributes
    ----------
    path : Path
        The file.
    metadata : dict of str to str
        What the file says about the run, without the prefix ``flowclass.``.

    Raises
    ------
    SourceError
        When the file cannot be read.
    SchemaError
        When it holds no flow records.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._parts = [path]
        if path.is_dir():
            self._parts = parts(path)
            if not self._parts:
                raise SourceError(f"{path}: the folder holds no flow records; write them with classify -o {path}/")
            if len(self._parts) == 1:
                self.path = self._parts[0]
        self.metadata: dict[str, str] = {}
        self._balances: dict[Path, str] = {}
        _, schema = self._open()
        absent = [name for name in COLUMNS if name not in schema.names]
        if absent:
            raise SchemaError(f"{path}: holds no flow records: column {absent[0]} is missing; give what classify wrote")
        self._note(self._parts[0], schema.metadata)

    def tables(self, *columns: str) -> Iterator[Any]:
        """Give the records as small tables of the columns asked for, dictionaries as their values.

        Parameters
        ----------
        *columns : str
            Of ``COLUMNS``; all of them where none is named.
        """
        import pyarrow as pa

        names = list(columns or COLUMNS)
        batches, _ = self._open(names)
        try:
            for batch in batches:
                yield pa.table([_plain(batch.column(name)) for name in names], names=names)
        except (OSError, pa.ArrowException) as problem:
            raise self._unreadable(problem) from problem

    def _open(self, columns: list[str] | None = None) -> tuple[Iterator[Any], Any]:
        """Open the first file; the others, where there are some, as they are read."""
        batches, schema = self._open_part(self._parts[0], columns)
        return (chain(batches, self._others(columns)) if len(self._parts) > 1 else batches), schema

    def _others(self, columns: list[str] | None) -> Iterator[Any]:
        for path in self._parts[1:]:
            yield from self._open_part(path, columns)[0]

    def _open_part(self, path: Path, columns: list[str] | None) -> tuple[Iterator[Any], Any]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with path.open("rb") as file:
                head = file.read(6)
            if head[:4] == b"PAR1":
                parquet = pq.ParquetFile(path)
                self._note(path, parquet.metadata.metadata)
                return parquet.iter_batches(batch_size=ROWS, columns=columns), parquet.schema_arrow
            if head == b"ARROW1":
                made = pa.ipc.open_file(path)
                self._note(path, closing_metadata(made))
                return (made.get_batch(number) for number in range(made.num_record_batches)), made.schema
            if head[:4] == b"\xff\xff\xff\xff":
                stream = pa.ipc.open_stream(path)
                return self._streamed(path, stream), stream.schema
        except (OSError, pa.ArrowException) as problem:
            raise self._unreadable(problem) from problem
        raise SourceError(f"{path}: is neither Parquet nor Arrow; write the flows with classify -o flows.parquet")

    def _streamed(self, path: Path, stream: Any) -> Iterator[Any]:
        for batch, metadata in stream.iter_batches_with_custom_metadata():
            self._note(path, metadata)
            yield batch

    def _note(self, path: Path, metadata: Mapping[bytes, bytes] | None) -> None:
        """Note what a file says about its run. Of the balances that runs ended with, one alone is that of the whole."""
        found = {key.removeprefix(PREFIX): text for key, text in metadata_of(metadata).items()}
        if (balance := found.pop(BALANCE_NAME, None)) is not None:
            self._balances[path] = balance
        self.metadata.pop(BALANCE_NAME, None)
        if len(self._balances) == 1:
            found[BALANCE_NAME] = next(iter(self._balances.values()))
        self.metadata = dict(sorted((self.metadata | found).items()))

    def _unreadable(self, problem: Exception) -> SourceError:
        why = getattr(problem, "strerror", None) or problem
        return SourceError(f"{self.path}: cannot be read: {why}; give what classify wrote with -o")


def _plain(column: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        return column.cast(column.type.value_type)
    return column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column

"""Takes flow records as files or tables hold them. Gives their batches, their metadata, and columns in other forms.

What a run knows only at its end, its balance, stands in a Parquet file's own metadata, and in an Arrow file or stream
as that of a last batch without rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from flowclass.errors import SchemaError, SourceError

PREFIX = "flowclass."
BALANCE = "flowclass.balance"
"""The one thing that a run says of itself at its end."""
JUDGED = (
    "registry_match",
    "registration_id",
    "matched_prefix",
    "matched_end",
    "policy_outcome",
    "policy_phase",
    "policy_reason",
)
VERSIONS = ("registry_version", "policy_version")
"""Who judged; records of schema 1.2 and before have no such columns."""


class Records:
    """Records to be read once.

    Parameters
    ----------
    flows : path, or what speaks the Arrow stream interface
        What ``classify`` gave: a file, a folder of files, or records.
    rows : int
        How many a batch has at most, where the source does not say.

    Attributes
    ----------
    name : str
        For people.
    schema : pyarrow.Schema
        As the source has it.
    metadata : dict of str to str
        What the source says about its run, by keys that begin with ``flowclass.``. What stands at the end of an Arrow
        stream is in it when that was read.

    Raises
    ------
    SourceError
        When the file cannot be read.
    """

    def __init__(self, flows: str | Path | Any, rows: int) -> None:
        import pyarrow as pa

        self.metadata: dict[str, str] = {}
        if isinstance(flows, pa.Table):
            self.name, self.schema = "the table", flows.schema
            self._batches: Iterator[Any] = iter(flows.to_batches(max_chunksize=rows))
        elif hasattr(flows, "__arrow_c_stream__"):
            reader = pa.RecordBatchReader.from_stream(flows)
            self.name, self.schema = "the stream", reader.schema
            self._batches = iter(reader)
        else:
            self.name = str(flows)
            self._open(Path(flows), rows)
        self._note(self.schema.metadata)

    def __iter__(self) -> Iterator[Any]:
        """Give the record batches."""
        import pyarrow as pa

        try:
            yield from self._batches
        except (OSError, pa.ArrowInvalid) as problem:
            raise SourceError(f"{self.name}: cannot be read to its end: {problem}; give a whole copy") from problem

    def refuse_other_columns(self, wanted: Any) -> None:
        """Raise where the records have not these columns.

        Parameters
        ----------
        wanted : iterable of pyarrow.Field
            The columns.

        Raises
        ------
        SchemaError
            When one is missing or of another type.
        """
        absent = [field.name for field in wanted if field.name not in self.schema.names]
        if absent == ["head"]:
            raise SchemaError(f"{self.name}: the records have no heads: classify the capture again with --heads")
        if absent:
            raise SchemaError(f"{self.name}: is no file of flow records: it has no column {', '.join(absent[:3])}")
        for field in wanted:
            kind = self.schema.field(field.name).type
            if kind != field.type:
                raise SchemaError(
                    f"{self.name}: column {field.name} is {kind}, not {field.type}: another version wrote it; classify"
                    " the capture again"
                )

    def _open(self, path: Path, rows: int) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if path.is_dir():
            self._open_folder(path, rows)
            return
        try:
            with path.open("rb") as file:
                begin = file.read(6)
            if begin[:4] == b"PAR1":
                parquet = pq.ParquetFile(path)
                self.schema = parquet.schema_arrow
                self._batches = parquet.iter_batches(batch_size=rows)
                self._note(parquet.metadata.metadata)
            elif begin == b"ARROW1":
                file_reader = pa.ipc.open_file(path)
                self.schema = file_reader.schema
                self._batches = (file_reader.get_batch(number) for number in range(file_reader.num_record_batches))
                self._note(closing_metadata(file_reader))
            else:
                stream = pa.ipc.open_stream(path)
                self.schema = stream.schema
                self._batches = self._streamed(stream)
        except OSError as problem:
            why = (problem.strerror or str(problem)).lower()
            raise SourceError(f"{path}: cannot be read: {why}; give what classify wrote") from problem
        except pa.ArrowInvalid as problem:
            raise SourceError(
                f"{path}: is neither Parquet nor Arrow ({problem}); give what classify wrote"
            ) from problem

    def _open_folder(self, path: Path, rows: int) -> None:
        """Open the files that a run left in a folder, to be read one after the other."""
        from flowclass.sinks.rotating import parts

        found = parts(path)
        if not found:
            raise SourceError(f"{path}: the folder holds no flow records; give what classify wrote")
        first = Records(found[0], rows)
        self.schema, self.metadata = first.schema, at_beginning(first.metadata)
        self._batches = self._one_by_one(first, found[1:], rows)

    def _one_by_one(self, first: Records, others: list[Path], rows: int) -> Iterator[Any]:
        """Give the batches of several files. Of the balances that runs ended with, one alone is that of the whole."""
        balances: list[str] = []
        for opened in chain([first], (Records(path, rows) for path in others)):
            if not opened.schema.equals(self.schema):
                raise SchemaError(f"{opened.name}: its columns are not those of {first.name}: another run wrote it")
            yield from opened
            balances += at_end(opened.metadata).values()
        if len(balances) == 1:
            self.metadata[BALANCE] = balances[0]

    def _streamed(self, stream: Any) -> Iterator[Any]:
        for batch, metadata in stream.iter_batches_with_custom_metadata():
            self._note(metadata)
            yield batch

    def _note(self, metadata: Mapping[bytes, bytes] | None) -> None:
        self.metadata |= metadata_of(metadata)


def closing_metadata(reader: Any) -> Mapping[bytes, bytes] | None:
    """Give what an Arrow file says at its end.

    Parameters
    ----------
    reader : pyarrow.RecordBatchFileReader
        Of the file.
    """
    if not reader.num_record_batches:
        return None
    found: Mapping[bytes, bytes] | None = reader.get_batch_with_custom_metadata(reader.num_record_batches - 1)[1]
    return found


def metadata_of(metadata: Mapping[bytes, bytes] | None) -> dict[str, str]:
    """Give what metadata say about a run, as texts.

    Examples
    --------
    >>> metadata_of({b"flowclass.version": b"1", b"pandas": b"{}"})
    {'flowclass.version': '1'}
    """
    texts = {
        key.decode("utf-8", "replace"): value.decode("utf-8", "replace") for key, value in (metadata or {}).items()
    }
    return {key: text for key, text in texts.items() if key.startswith(PREFIX)}


def at_beginning(metadata: Mapping[str, str]) -> dict[str, str]:
    """Give what is known of a run before its first record."""
    return {key: text for key, text in metadata.items() if key != BALANCE}


def at_end(metadata: Mapping[str, str]) -> dict[str, str]:
    """Give what is known of a run behind its last record."""
    return {key: text for key, text in metadata.items() if key == BALANCE}


def as_text(column: Any) -> Any:
    """Give a column of dictionary-encoded texts as its texts."""
    import pyarrow as pa

    return column.cast(pa.string())


def encoded(values: Any, kind: Any) -> Any:
    """Give texts as a dictionary column of a type."""
    import pyarrow as pa

    made = values.dictionary_encode()
    return pa.DictionaryArray.from_arrays(made.indices.cast(kind.index_type), made.dictionary)


def octets_of(column: Any) -> tuple[Any, Any]:
    """Give the offsets and the octets of a binary or text column as numpy arrays, from the first value on."""
    import numpy as np

    _, offsets, data = column.buffers()
    ends = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    octets = np.frombuffer(data, np.uint8) if data is not None and data.size > 0 else np.zeros(0, np.uint8)
    return np.ascontiguousarray(ends - ends[0]), octets[ends[0] : ends[-1]]

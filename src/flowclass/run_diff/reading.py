"""Takes a run: a file, a folder, or records. Gives slim tables of what is compared, its texts as small numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from flowclass.errors import SchemaError, SourceError
from flowclass.run_diff.formats import COLUMNS, NEVER_NULL, NO_RECORDS, ROWS, open_file, unreadable
from flowclass.sinks import FORMATS, SUFFIXES

CODED = {"protocol": "protocol", "outcome": "policy_outcome", "reason": "policy_reason", "category": "registration_id"}


class Codes:
    """Numbers for texts, the same for both runs. 0 is null.

    Examples
    --------
    >>> codes = Codes()
    >>> codes.of("dns"), codes.of(None), codes.of("dns"), codes.text(1), codes.text(0)
    (1, 0, 1, 'dns', None)
    """

    def __init__(self) -> None:
        self._texts: list[str | None] = [None]
        self._places: dict[str | None, int] = {None: 0}

    def __len__(self) -> int:
        return len(self._texts)

    def of(self, text: str | None) -> int:
        """Give the number of a text, a new one where it is new."""
        place = self._places.setdefault(text, len(self._texts))
        if place == len(self._texts):
            self._texts.append(text)
        return place

    def text(self, code: int) -> str | None:
        """Give the text of a number."""
        return self._texts[code]


class Run:
    """The records of a run, to be read once.

    Parameters
    ----------
    run : path, pyarrow.Table or pyarrow.RecordBatchReader
        Parquet, Arrow, JSON lines or CSV; a folder with ``flows.*`` or with any files of these; or records.
    name : str
        What records are called.

    Attributes
    ----------
    name : str
        The path, or what was given.
    metadata : dict of str to tuple of str
        What the files say about the run, without the prefix ``flowclass.``: the different values, in their order.

    Raises
    ------
    SourceError, SchemaError
        When it cannot be read, or holds no flow records.
    """

    def __init__(self, run: str | Path | Any, name: str) -> None:
        import pyarrow as pa

        self._parts: list[tuple[str, Iterator[Any]]] = []
        found: list[Mapping[bytes, bytes]] = []
        if isinstance(run, (pa.Table, pa.RecordBatchReader)):
            self.name = name
            absent = [column for column in COLUMNS if column not in run.schema.names]
            if absent:
                raise SchemaError(f"{name}: it has no column {', '.join(absent[:3])}: it {NO_RECORDS}")
            found.append(run.schema.metadata or {})
            batches = run.to_batches(max_chunksize=ROWS) if isinstance(run, pa.Table) else run
            self._parts.append((name, iter(batches)))
        else:
            self.name = str(run)
            for path in _files(Path(run)):
                part, metadata = open_file(path)
                self._parts.append((str(path), part))
                found.append(metadata)
        self.metadata: dict[str, tuple[str, ...]] = {}
        for metadata in found:
            for key, value in metadata.items():
                if key.startswith(b"flowclass."):
                    told = key.decode("utf-8", "replace").removeprefix("flowclass.")
                    here = self.metadata.get(told, ())
                    text = value.decode("utf-8", "replace")
                    self.metadata[told] = here if text in here or not text else (*here, text)

    def tables(self, codes: Mapping[str, Codes], category: Callable[[str | None], str | None]) -> Iterator[Any]:
        """Give the records as tables of ``flow_id, src_ip, dst_ip, bytes`` and the columns of `codes`.

        Parameters
        ----------
        codes : mapping of str to Codes
            For each of ``CODED``.
        category : callable
            The category of a registration id.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        for name, batches in self._parts:
            for batch in batches:
                if batch.num_rows == 0:
                    continue
                for column in NEVER_NULL:
                    if batch.column(column).null_count:
                        raise SchemaError(f"{name}: column {column} has nulls: it {NO_RECORDS}")
                try:
                    made = {column: _text(batch.column(column)) for column in ("flow_id", "src_ip", "dst_ip")}
                    both = [batch.column(column).cast(pa.uint64()) for column in ("bytes_fwd", "bytes_rev")]
                    made["bytes"] = pc.add(*both)
                    for column, source in CODED.items():
                        by = category if column == "category" else _same
                        made[column] = _coded(batch.column(source), codes[column], by)
                except pa.ArrowException as problem:
                    raise SchemaError(f"{name}: its columns are not those of flow records: {problem}") from None
                yield pa.table(made)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    for form in FORMATS:
        if (path / f"flows.{form}").is_file():
            return [path / f"flows.{form}"]
    try:
        found = sorted(
            inside
            for inside in path.rglob("*")
            if inside.suffix.lower() in SUFFIXES and not inside.name.startswith(".") and inside.is_file()
        )
    except OSError as problem:
        raise unreadable(path, problem) from problem
    if not found:
        raise SourceError(f"{path}: the folder holds no flow records; give what classify or judge wrote with -o")
    return found


def _same(text: str | None) -> str | None:
    return text


def _text(column: Any) -> Any:
    import pyarrow as pa

    return column if pa.types.is_string(column.type) else column.cast(pa.string())


def _coded(column: Any, codes: Codes, by: Callable[[str | None], str | None]) -> Any:
    """Give a column of texts as numbers."""
    import numpy as np
    import pyarrow as pa

    encoded = column if pa.types.is_dictionary(column.type) else _text(column).dictionary_encode()
    values = encoded.dictionary.cast(pa.string()).cast(pa.binary()).to_pylist()
    texts = [None if value is None else value.decode("utf-8", "replace") for value in values]
    numbers = np.array([*(codes.of(by(text)) for text in texts), codes.of(by(None))], np.int32)
    places = encoded.indices.cast(pa.int64()).fill_null(len(texts)).to_numpy(zero_copy_only=False)
    return pa.array(numbers[places])

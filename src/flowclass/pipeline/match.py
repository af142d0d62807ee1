"""Takes flow records with saved heads. Gives them with the verdicts of this build's fingerprints.

The rest of a record stays as it was. What the registry and the policy said holds for the verdict it was said of: where
the verdict is another one now, these columns are null.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from flowclass import _core
from flowclass.anonymize import CryptoPan, refuse_anonymized
from flowclass.engine import UserFunctions
from flowclass.pipeline.records import JUDGED, VERSIONS, Records, as_text, encoded, octets_of
from flowclass.schema import arrow_schema
from flowclass.types import UserFunction, check_udf

ROWS = 8192
VERDICT = (
    "direction_basis",
    "protocol",
    "protocol_class",
    "variant",
    "tier",
    "evidence_bits",
    "evidence",
    "alternatives",
    "server_name",
    "alpn",
    "ja4",
)
SIDES = (
    ("src_ip", "dst_ip"),
    ("src_port", "dst_port"),
    ("packets_fwd", "packets_rev"),
    ("bytes_fwd", "bytes_rev"),
    ("payload_bytes_fwd", "payload_bytes_rev"),
    ("tcp_flags_fwd", "tcp_flags_rev"),
)


def match(flows: str | Path | Any, *, anonymize: CryptoPan | None = None, udf: tuple[UserFunction, ...] = ()) -> Any:
    """Match saved heads again, without the capture.

    Parameters
    ----------
    flows : path, or what speaks the Arrow stream interface
        What ``classify`` gave with ``heads``: Parquet or Arrow, or the records themselves.
    anonymize : CryptoPan, optional
        The key by which the records given have other addresses; they have no heads then.
    udf : tuple of Fingerprint and FlowFunction
        Users' own functions: fingerprints compete for the verdict, features and scorers make columns. They read no
        feature columns here.

    Returns
    -------
    pyarrow.RecordBatchReader
        The records, in their order, with the verdicts of this build; ``read_all()`` gives a table.

    Raises
    ------
    SourceError
        When the file cannot be read.
    SchemaError
        When it holds no flow records, or none with heads, or anonymised ones.

    Examples
    --------
    >>> import struct, flowclass
    >>> empty = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    >>> kept = flowclass.classify(empty, options=flowclass.EngineOptions(heads=True)).to_pyarrow()
    >>> match(kept).read_all().num_rows
    0
    """
    import pyarrow as pa

    heads = SavedHeads(flows, anonymize, udf)
    return pa.RecordBatchReader.from_batches(heads.schema, iter(heads))


class SavedHeads:
    """Records with heads, matched again as they are read. Takes what `match` takes, and raises what it raises.

    Attributes
    ----------
    schema : pyarrow.Schema
        Of every batch.
    rows, changed : int
        Records given so far, and those of them whose verdict is another one now.
    """

    def __init__(
        self, flows: str | Path | Any, anonymize: CryptoPan | None = None, udf: tuple[UserFunction, ...] = ()
    ) -> None:
        check_udf(udf, features=False)
        self._functions = UserFunctions(udf)
        self.schema = arrow_schema(heads=anonymize is None, udf=udf)
        self._anonymize = anonymize
        self._kept = arrow_schema(heads=True)
        self.rows = 0
        self.changed = 0
        self._records = Records(flows, ROWS)
        refuse_anonymized(self._records.name, self._records.schema.metadata)
        self._records.refuse_other_columns(field for field in self._kept if field.name not in VERSIONS)

    @property
    def metadata(self) -> dict[str, str]:
        """What the input says about its run; at the end, when all was read."""
        return self._records.metadata

    @property
    def faults(self) -> Mapping[str, tuple[int, int]]:
        """How often users' functions failed so far, and how often what they said was refused, by their names."""
        return self._functions.faults

    def __iter__(self) -> Iterator[Any]:
        """Give the record batches."""
        made = self._matched()
        return made if self._anonymize is None else self._anonymize.records(made)

    def _matched(self) -> Iterator[Any]:
        for batch in self._records:
            made, changed, faults = _matched(batch, self._kept, self._functions.native)
            self._functions.count(faults)
            self.rows += made.num_rows
            self.changed += changed
            yield self._functions.with_columns(made)


def _matched(batch: Any, schema: Any, user: _core.UserMatchers | None) -> tuple[Any, int, dict[str, tuple[int, int]]]:
    """Give one batch with its verdicts made anew, how many of them are other ones, and what users' functions failed."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    batch = pa.record_batch([_column(batch, field) for field in schema], schema=schema)
    native, flags, faults = _core.match_heads(_columns(batch), user)
    made = pa.record_batch(native)
    columns = {field.name: batch.column(field.name) for field in schema}
    columns.update({name: made.column(name) for name in VERDICT})
    turned = pa.array(np.frombuffer(flags, np.uint8) != 0)
    if pc.any(turned).as_py():
        for one, other in SIDES:
            here, there = columns[one], columns[other]
            columns[one], columns[other] = pc.if_else(turned, there, here), pc.if_else(turned, here, there)
        columns["conn_state"] = _null_where(turned, columns["conn_state"])
        columns["head"] = _turned_heads(columns["head"], turned)
    changed = turned
    for name in ("protocol", "protocol_class", "tier"):
        changed = pc.or_(changed, pc.not_equal(as_text(batch.column(name)), as_text(made.column(name))))
    count = pc.sum(changed).as_py() or 0
    if count:
        for name in (*JUDGED, *VERSIONS):
            columns[name] = _null_where(changed, columns[name])
    return pa.record_batch([columns[field.name] for field in schema], schema=schema), count, faults


def _column(batch: Any, field: Any) -> Any:
    import pyarrow as pa

    if field.name in VERSIONS and field.name not in batch.schema.names:
        return encoded(pa.nulls(batch.num_rows, pa.string()), field.type)
    return batch.column(field.name)


def _columns(batch: Any) -> dict[str, Any]:
    """Give what the native core takes: numpy views of rows and of list items."""
    import numpy as np
    import pyarrow.compute as pc

    head = batch.column("head")
    offsets = head.offsets.to_numpy()
    items = head.values.slice(offsets[0], offsets[-1] - offsets[0])
    names = [field.name for field in items.type]
    fields = dict(zip(names, items.flatten(), strict=True))
    prefix = fields.pop("prefix")
    ends, octets = octets_of(prefix)
    link, link_time = _links(batch.column("evidence"))
    columns = {name: field.to_numpy(zero_copy_only=False) for name, field in fields.items() if name != "direction"}
    return columns | {
        "reverse": pc.equal(as_text(fields["direction"]), "rev").to_numpy(zero_copy_only=False).astype(np.uint8),
        "prefix_offsets": ends,
        "octets": octets,
        "offsets": np.ascontiguousarray(offsets - offsets[0]),
        "ip_proto": batch.column("ip_proto").to_numpy(),
        "from_syn": pc.equal(as_text(batch.column("direction_basis")), "syn")
        .to_numpy(zero_copy_only=False)
        .astype(np.uint8),
        "time_start": batch.column("time_start").cast("int64").to_numpy(),
        "link": link,
        "link_time": link_time,
    }


def _links(evidence: Any) -> tuple[Any, Any]:
    """Give for each row which rule its link had, as a place in the link rules or -1, and its time."""
    import numpy as np

    places = {rule: place for place, (rule, *_) in enumerate(_core.link_rules())}
    offsets = evidence.offsets.to_numpy()
    link = np.full(len(evidence), -1, np.int8)
    time = np.zeros(len(evidence), np.int64)
    rules = evidence.values.field("rule")
    if len(rules) == 0:
        return link, time
    by_index = np.array([places.get(name, -1) for name in rules.dictionary.to_pylist()], np.int8)
    last = np.maximum(offsets[1:] - 1, 0)
    # The link is the last check of its row.
    found = np.where(offsets[1:] > offsets[:-1], by_index[rules.indices.to_numpy()[last]], -1)
    return found.astype(np.int8), np.ascontiguousarray(evidence.values.field("time").cast("int64").to_numpy()[last])


def _null_where(condition: Any, column: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    plain = as_text(column) if pa.types.is_dictionary(column.type) else column
    kept = pc.if_else(condition, pa.scalar(None, plain.type), plain)
    return encoded(kept, column.type) if pa.types.is_dictionary(column.type) else kept


def _turned_heads(heads: Any, turned: Any) -> Any:
    """Give the heads with the directions of the turned rows the other way round."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    offsets = heads.offsets.to_numpy()
    items = heads.values
    of_row = np.zeros(len(items), bool)
    per_row = np.repeat(turned.to_numpy(zero_copy_only=False), np.diff(offsets))
    of_row[offsets[0] : offsets[-1]] = per_row
    kind = items.type.field("direction").type
    direction = as_text(items.field("direction"))
    other = pc.if_else(pc.equal(direction, "fwd"), "rev", "fwd")
    fields = [items.field(name) for name in (field.name for field in items.type)]
    fields[0] = encoded(pc.if_else(pa.array(of_row), other, direction), kind)
    made = pa.StructArray.from_arrays(fields, fields=list(items.type))
    return pa.ListArray.from_arrays(heads.offsets, made, type=heads.type)

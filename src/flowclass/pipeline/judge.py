"""Takes finished flows, a registry, and a policy. Gives the flows as a run with these would have judged them.

No capture is needed: what registry and policy ask of a flow stands in its record. All other columns stay.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from flowclass import _core
from flowclass.anonymize import fingerprint_in
from flowclass.errors import ConfigError, SchemaError
from flowclass.pipeline.records import JUDGED, VERSIONS, Records, as_text, encoded, octets_of
from flowclass.pipeline.tally import KEYS, Tally
from flowclass.policy import Policy
from flowclass.registries.timestamps import datetime_to_ns, parse_timestamp
from flowclass.registry import Instant, Registry
from flowclass.schema import VERSION_DIGITS, arrow_schema

ASKED = ("src_ip", "dst_ip", "time_start", "protocol", "protocol_class", "tier")
ROWS = 65_536
NONE = 2**32 - 1
NO_PHASE = 2**16 - 1


def judge(
    flows: str | Path | Any,
    *,
    registry: Registry | str | os.PathLike[str],
    policy: Policy | str | os.PathLike[str] | None = None,
    at: Instant | None = None,
) -> Any:
    r"""Judge finished flows again, without the capture.

    Parameters
    ----------
    flows : path, or what speaks the Arrow stream interface
        What ``classify`` gave: Parquet or Arrow, or the records themselves.
    registry : Registry or path
        The registered endpoints.
    policy : Policy or path, optional
        What follows from them; without it the columns of the policy are null.
    at : int, str or datetime, optional
        Judge as if every flow had begun then: ns UTC, ISO 8601, or a datetime. By default each is judged at its own
        ``time_start``.

    Returns
    -------
    pyarrow.RecordBatchReader
        The records, in their order, with the columns of registry and policy made anew; ``read_all()`` gives a table.

    Raises
    ------
    SourceError
        When the file cannot be read.
    SchemaError
        When it holds no flow records, or anonymised ones.
    ConfigError
        When registry, policy or instant is not valid.

    Examples
    --------
    A capture of one packet of ESP (RFC 4303) in November 2025, judged as of its own time and as of December:

    >>> import struct, flowclass
    >>> esp = struct.pack(">II", 0x1001, 1) + bytes(range(48))
    >>> packet = struct.pack(">BxH4xBB2x4s4s", 0x45, 76, 64, 50, bytes([192, 0, 2, 7]), bytes([198, 51, 100, 9])) + esp
    >>> capture = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
    >>> capture += struct.pack("<IIII", 1764460800, 0, len(packet), len(packet)) + packet
    >>> run = flowclass.classify(capture).to_pyarrow()
    >>> policy = flowclass.Policy.parse(
    ...     b'[[phase]]\nname = "trial"\nfrom = 2025-11-01\noutcome = "violation_trial"\n'
    ...     b'[[phase]]\nname = "enforce"\nfrom = 2025-12-01\noutcome = "violation"\n'
    ... )
    >>> nobody = flowclass.Registry([])
    >>> judge(run, registry=nobody, policy=policy).read_all()["policy_outcome"].to_pylist()
    ['violation_trial']
    >>> judge(run, registry=nobody, policy=policy, at="2025-12-05").read_all()["policy_outcome"].to_pylist()
    ['violation']
    """
    import pyarrow as pa

    judged = JudgedFlows(
        flows,
        Registry.load(registry) if isinstance(registry, (str, os.PathLike)) else registry,
        Policy.load(policy) if isinstance(policy, (str, os.PathLike)) else policy,
        at,
    )
    return pa.RecordBatchReader.from_batches(judged.schema, iter(judged))


class JudgedFlows:
    """Records judged as they are read. Takes what `judge` takes, and raises what it raises.

    Attributes
    ----------
    schema : pyarrow.Schema
        Of every batch: that of the input, with renewed metadata.
    tally : Tally
        Of the records given so far.
    changed : int
        Records given so far whose outcome is another one now.
    """

    def __init__(
        self, flows: str | Path | Any, registry: Registry, policy: Policy | None, at: Instant | None = None
    ) -> None:
        import pyarrow as pa

        self._registry, self._policy = registry.native, None if policy is None else policy.native
        self._at = None if at is None else _instant(at)
        self._records = Records(flows, ROWS)
        _refuse(self._records)
        self._registry_version, self._policy_sha256 = registry.version, "" if policy is None else policy.sha256
        self.schema = pa.schema(list(self._records.schema), metadata=self.metadata)
        self._names = _core.judged_names(self._policy)
        self.tally = Tally()
        self.changed = 0
        self._row = 0

    @property
    def metadata(self) -> dict[str, str]:
        """What the input says about its run, with who judges now; at the end, when all was read."""
        return self._records.metadata | {
            "flowclass.registry_version": self._registry_version,
            "flowclass.policy_sha256": self._policy_sha256,
            "flowclass.judged_at": "" if self._at is None else str(self._at),
        }

    def __iter__(self) -> Iterator[Any]:
        """Give the record batches."""
        import pyarrow.compute as pc

        for batch in self._records:
            made = self._judged(batch)
            before, after = as_text(batch.column("policy_outcome")), as_text(made.column("policy_outcome"))
            same = pc.equal(pc.fill_null(before, ""), pc.fill_null(after, ""))
            self.changed += batch.num_rows - (pc.sum(same).as_py() or 0)
            self.tally.add(made)
            self._row += batch.num_rows
            yield made

    def _judged(self, batch: Any) -> Any:
        import pyarrow as pa

        columns, protocols = self._columns(batch)
        try:
            found = _core.judge_finished(self._registry, self._policy, columns, protocols)
        except ValueError as problem:
            raise SchemaError(
                f"{self._records.name}: from row {self._row} on, {problem}; classify the capture again"
            ) from None
        made = self._answers(found, batch.num_rows)
        arrays = [made.get(field.name, batch.column(place)) for place, field in enumerate(batch.schema)]
        return pa.record_batch(arrays, schema=self.schema)

    def _columns(self, batch: Any) -> tuple[dict[str, Any], list[str]]:
        """Give what the native core takes: numpy views of rows."""
        import numpy as np

        for name in ASKED:
            if batch.column(name).null_count:
                raise SchemaError(f"{self._records.name}: column {name} has nulls; classify the capture again")
        columns: dict[str, Any] = {}
        for name in ("src_ip", "dst_ip"):
            columns[f"{name}_ends"], columns[f"{name}_text"] = octets_of(batch.column(name))
        time = batch.column("time_start").cast("int64").to_numpy()
        columns["time"] = time if self._at is None else np.full(batch.num_rows, self._at, np.int64)
        for name in ("protocol_class", "tier"):
            column = batch.column(name)
            places = {value: place for place, value in enumerate(self._names[name])}
            by_index = np.array([places.get(value, 255) for value in column.dictionary.to_pylist()], np.uint8)
            columns[name] = by_index[column.indices.to_numpy()]
        protocol = batch.column("protocol")
        columns["protocol"] = protocol.indices.to_numpy().astype(np.int32)
        return columns, [str(value) for value in protocol.dictionary.to_pylist()]

    def _answers(self, found: dict[str, Any], rows: int) -> dict[str, Any]:
        import numpy as np
        import pyarrow as pa

        entries = pa.array(found["entry"], mask=found["entry"] == NONE).dictionary_encode()
        ids, prefixes = _core.entry_names(self._registry, entries.dictionary.to_pylist())
        end = found["end"]
        made = {
            "registration_id": pa.array(ids, pa.string()).take(entries.indices),
            "matched_prefix": pa.array(prefixes, pa.string()).take(entries.indices),
            "registry_match": self._named("registry_match", found["match"], None),
            "matched_end": self._named("matched_end", end, end == self._names["matched_end"].index("none")),
        }
        versions = (self._registry_version, self._policy_sha256)
        made |= {name: self._version(name, said, rows) for name, said in zip(VERSIONS, versions, strict=True)}
        if self._policy is None:
            nothing = np.zeros(rows, np.uint8), np.ones(rows, bool)
            return made | {name: self._named(name, *nothing) for name in JUDGED if name.startswith("policy_")}
        phase = found["phase"]
        return made | {
            "policy_outcome": self._named("policy_outcome", found["outcome"], None),
            "policy_phase": self._named("policy_phase", phase, phase == NO_PHASE),
            "policy_reason": self._named("policy_reason", found["reason"], None),
        }

    def _version(self, name: str, said: str, rows: int) -> Any:
        import pyarrow as pa

        if name not in self.schema.names:
            return None
        return encoded(
            pa.repeat(pa.scalar(said[:VERSION_DIGITS] or None, pa.string()), rows), self.schema.field(name).type
        )

    def _named(self, name: str, codes: Any, null: Any) -> Any:
        import numpy as np
        import pyarrow as pa

        kind = self.schema.field(name).type
        if not self._names[name]:  # a policy without phases
            return encoded(pa.nulls(len(codes), pa.string()), kind)
        indices = pa.array(codes.astype(np.int64), mask=null).cast(kind.index_type, safe=False)
        return pa.DictionaryArray.from_arrays(indices, pa.array(self._names[name], pa.string()))


def _instant(at: Instant) -> int:
    try:
        if isinstance(at, str):
            return parse_timestamp(at)
        return datetime_to_ns(at) if isinstance(at, datetime) else int(at)
    except ValueError as problem:
        raise ConfigError(f"at = {at!r} is not an instant: {problem}") from None


def _refuse(records: Records) -> None:
    if fingerprint_in(records.schema.metadata) is not None:
        raise SchemaError(
            f"{records.name}: its addresses are anonymised: no registry knows them; judge the run it was made of"
        )
    wanted = dict.fromkeys((*ASKED, *JUDGED, *KEYS))
    records.refuse_other_columns([arrow_schema().field(column) for column in wanted])

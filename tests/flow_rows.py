"""Flow records made by hand, for tests of what is written of them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from flowclass.schema import arrow_schema

SCHEMA = arrow_schema()
START = 1_732_000_000_123_456_789
ROW: dict[str, Any] = {
    "flow_id": "0123456789abcdef01234567", "community_id": "1:LQU9qZlK+B5F3KDmev6m5PMibrg=", "time_start": START,
    "time_end": START + 1_500_000_999, "duration_ns": 1_500_000_999, "src_ip": "192.0.2.1", "dst_ip": "198.51.100.7",
    "src_port": 40000, "dst_port": 443, "ip_proto": 6, "encap": [], "packets_fwd": 7, "packets_rev": 5,
    "bytes_fwd": 700, "bytes_rev": 500, "payload_bytes_fwd": 300, "payload_bytes_rev": 200, "truncated_packets": 0,
    "tcp_flags_fwd": 0x1B, "tcp_flags_rev": 0x1A, "conn_state": "SF", "end_reason": "fin", "segment": 0,
    "direction_basis": "syn", "observed_directions": 2, "protocol": "tls", "protocol_class": "app",
    "tier": "confirmed", "evidence_bits": 61.5,
    "evidence": [{"rule": "tls.hello", "packet": 1, "time": START, "offset": 0, "length": 5, "direction": "fwd",
                  "bits": 31.5}],
    "alternatives": [], "source_file": "a.pcap", "packet_first": 1, "packet_last": 12,
}  # fmt: skip
"""A TLS flow; what is not named is null."""


def batch_of(*rows: dict[str, Any]) -> pa.RecordBatch:
    """Give records: each is ``ROW`` but for what it names."""
    whole = [{name: None for name in SCHEMA.names} | ROW | row for row in rows]
    columns = []
    for field in SCHEMA:
        values = [row[field.name] for row in whole]
        if pa.types.is_dictionary(field.type):
            made = pa.array(values, pa.string()).dictionary_encode()
            made = pa.DictionaryArray.from_arrays(made.indices.cast(field.type.index_type), made.dictionary)
        elif pa.types.is_list(field.type):
            made = _listed(values, field.type)
        else:
            made = pa.array(values, field.type)
        columns.append(made)
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def numbered(count: int, start: int = 0, step_ns: int = 1_000_000_000) -> pa.RecordBatch:
    """Give records with packet_first from `start` on, one ending `step_ns` after the other."""
    return batch_of(
        *(
            {
                "flow_id": f"{number:024x}",
                "packet_first": number,
                "time_start": START + number * step_ns,
                "time_end": START + number * step_ns + 7,
            }
            for number in range(start, start + count)
        )
    )


def _listed(values: list[Any], kind: Any) -> Any:
    """Give lists of structs, which may hold dictionaries."""
    item = kind.value_type
    offsets = [0]
    for value in values:
        offsets.append(offsets[-1] + len(value or []))
    items = [one for value in values for one in value or []]
    members = []
    for place in range(item.num_fields):
        field = item.field(place)
        texts = [one[field.name] for one in items]
        if pa.types.is_dictionary(field.type):
            made = pa.array(texts, pa.string()).dictionary_encode()
            members.append(pa.DictionaryArray.from_arrays(made.indices.cast(field.type.index_type), made.dictionary))
        else:
            members.append(pa.array(texts, field.type))
    struct = pa.StructArray.from_arrays(members, fields=list(item))
    mask = pa.array([value is None for value in values], pa.bool_())
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), struct, type=kind, mask=mask)

"""Suricata's EVE: one ``flow`` event a line, with an object ``flowclass`` of our own.

Fields as in https://docs.suricata.io/en/latest/output/eve/eve-json-format.html, sections "Common Section" and "Event
type: flow". What is not known is left out, as Suricata does; what EVE has no field for stands in ``flowclass``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pyarrow as pa

from flowclass.sinks import Target
from flowclass.sinks.atomic import AtomicFile, output_error
from flowclass.sinks.columns import rows
from flowclass.sinks.kept_file import KeptFile

STEP = 4096
PROTOS = {
    1: "ICMP", 2: "IGMP", 4: "IPv4", 6: "TCP", 17: "UDP", 41: "IPv6", 46: "RSVP", 47: "GRE", 50: "ESP", 51: "AH",
    58: "IPv6-ICMP", 88: "EIGRP", 89: "OSPFIGP", 103: "PIM", 112: "VRRP", 115: "L2TP", 132: "SCTP", 137: "MPLS-in-IP",
}  # fmt: skip
"""Keywords of IANA's list; of other numbers Suricata writes three digits."""
APP_PROTOS = {"kerberos": "krb5", "ethernet-ip": "enip", "postgresql": "pgsql", "vnc": "rfb", "xmpp": "jabber"}
"""Where Suricata's name is not ours. Protocols that it has no name for keep ours."""
SURE = frozenset({"confirmed", "probable"})
REASONS = {"eof": "shutdown", "forced": "forced", "evicted": "forced"}
"""Suricata lets a closed flow time out too, so what has ended by itself has the reason timeout."""
TCP_STATES = {
    "S0": "syn_sent", "S1": "established", "SF": "closed", "REJ": "closed", "RSTO": "closed", "RSTR": "closed",
    "RSTOS0": "closed", "RSTRH": "closed",
}  # fmt: skip
TCP_FLAGS = (
    ("fin", 0x01), ("syn", 0x02), ("rst", 0x04), ("psh", 0x08), ("ack", 0x10), ("urg", 0x20), ("ecn", 0x40),
    ("cwr", 0x80),
)  # fmt: skip
OWN = (
    "flow_id", "parent_flow_id", "linked_flow_id", "time_start", "time_end", "encap", "payload_bytes_fwd",
    "payload_bytes_rev", "truncated_packets", "conn_state", "end_reason", "segment", "direction_basis", "protocol",
    "protocol_class", "variant", "tier", "evidence_bits", "evidence", "alternatives", "server_name", "alpn", "ja4",
    "registry_match", "registration_id", "matched_prefix", "matched_end", "registry_version", "policy_version",
)  # fmt: skip
"""Columns that the object ``flowclass`` has under their own names; ``outcome``, ``phase`` and ``reason`` besides."""
USED = (
    *OWN, "community_id", "src_ip", "dst_ip", "src_port", "dst_port", "ip_proto", "vlan_id", "inner_vlan_id",
    "duration_ns", "packets_fwd", "packets_rev", "bytes_fwd", "bytes_rev", "tcp_flags_fwd", "tcp_flags_rev",
    "observed_directions", "policy_outcome", "policy_phase", "policy_reason", "source_file", "packet_first",
)  # fmt: skip


class Sink(KeptFile):
    """Writes EVE, one JSON object a line."""

    def __init__(self, target: Target, schema: pa.Schema, metadata: Mapping[str, str]) -> None:
        del schema, metadata  # every line names its fields; there is no place for metadata
        self._file = AtomicFile(target)
        self._encoder = msgspec.json.Encoder()

    def write(self, batch: pa.RecordBatch) -> None:
        """Take one batch."""
        try:
            for start in range(0, batch.num_rows, STEP):
                self._file.file.write(self._encoder.encode_lines(events(batch.slice(start, STEP))))
            self._file.file.flush()
        except OSError as problem:
            self.abort()
            raise output_error(self._file.name, problem) from problem

    def finish(self, metadata: Mapping[str, str] | None = None) -> None:
        """Make the file appear; it has no place for metadata."""
        del metadata
        self._file.commit()

    def abort(self) -> None:
        """Leave nothing behind."""
        self._file.abort()


def events(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Give flow records as EVE events.

    Parameters
    ----------
    batch : pyarrow.RecordBatch
        With the columns of a flow record; features and heads are left out.
    """
    absent = {name: None for name in USED if name not in batch.schema.names}  # in records of older schemas
    return [_event(absent | row) for row in rows(batch.select([name for name in USED if name not in absent]))]


def _event(row: dict[str, Any]) -> dict[str, Any]:
    vlan = [row[name] for name in ("vlan_id", "inner_vlan_id") if row[name] is not None]
    number = row["ip_proto"]
    event: dict[str, Any] = {
        "timestamp": _time(row["time_end"]),
        "flow_id": _number(row["flow_id"]),
        "pcap_cnt": row["packet_first"],
        "event_type": "flow",
        "vlan": vlan or None,
        "src_ip": row["src_ip"],
        "src_port": row["src_port"],
        "dest_ip": row["dst_ip"],
        "dest_port": row["dst_port"],
        "proto": None if number is None else PROTOS.get(number, f"{number:03d}"),
        "ip_v": None if row["src_ip"] is None else (6 if ":" in row["src_ip"] else 4),
        "app_proto": _app_proto(row),
        "flow": _known(_flow(row)),
        "community_id": row["community_id"],
        "tcp": _known(_tcp(row)) if number == 6 else None,
        "pcap_filename": row["source_file"],
        "flowclass": _own(row),
    }
    return _known(event)


def _flow(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "pkts_toserver": row["packets_fwd"],
        "pkts_toclient": row["packets_rev"],
        "bytes_toserver": row["bytes_fwd"],
        "bytes_toclient": row["bytes_rev"],
        "start": _time(row["time_start"]),
        "end": _time(row["time_end"]),
        "age": None if row["duration_ns"] is None else row["duration_ns"] // 1_000_000_000,
        "state": _state(row),
        "reason": REASONS.get(row["end_reason"], "timeout"),
        "alerted": row["policy_outcome"] == "violation",
    }


def _state(row: dict[str, Any]) -> str:
    if row["end_reason"] in ("fin", "rst") or TCP_STATES.get(row["conn_state"]) == "closed":
        return "closed"
    return "established" if row["observed_directions"] == 2 else "new"


def _tcp(row: dict[str, Any]) -> dict[str, Any]:
    fwd, rev = row["tcp_flags_fwd"] or 0, row["tcp_flags_rev"] or 0
    said: dict[str, Any] = {
        "tcp_flags": f"{(fwd | rev) & 0xFF:02x}",
        "tcp_flags_ts": f"{fwd & 0xFF:02x}",
        "tcp_flags_tc": f"{rev & 0xFF:02x}",
    }
    said |= {name: True for name, bit in TCP_FLAGS if (fwd | rev) & bit}
    said["state"] = TCP_STATES.get(row["conn_state"])
    return said


def _app_proto(row: dict[str, Any]) -> str | None:
    """Give what Suricata's consumers read as certain: only what is; ``failed`` where payload was and is not known."""
    if row["tier"] in SURE and row["protocol"] != "unknown":
        name: str = row["protocol"]
        return APP_PROTOS.get(name, name)
    return "failed" if row["payload_bytes_fwd"] or row["payload_bytes_rev"] else None


def _own(row: dict[str, Any]) -> dict[str, Any]:
    own = {name: row[name] for name in OWN}
    return own | {name: row[f"policy_{name}"] for name in ("outcome", "phase", "reason")}


def _time(text: str | None) -> str | None:
    """Give an instant as Suricata writes it: microseconds, what is less cut off."""
    return None if text is None else f"{text[:26]}+0000"


def _number(flow_id: str | None) -> int | None:
    """Give the first 51 bits of a flow id: as many as Suricata's have, so that JSON readers keep all of them."""
    try:
        return None if flow_id is None else int(flow_id[:13], 16) >> 1
    except ValueError:
        return None


def _known(said: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if value is not None}

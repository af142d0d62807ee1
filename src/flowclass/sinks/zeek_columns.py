r"""Takes flow records. Gives the lines of Zeek's conn.log.

Columns and their meaning as in https://docs.zeek.org/en/current/scripts/base/protocols/conn/main.zeek.html, and those
of Zeek's policy scripts community-id-logging and vlan-logging. Text is escaped as Zeek's ASCII writer does: octets that
are not printable, the separators and the backslash as ``\xNN``; a text that would read as ``-`` or ``(empty)`` has its
first character so.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from flowclass.sinks.columns import plain

UNSET = "-"
EMPTY = "(empty)"
ZEEKS = {
    "ts": "time", "uid": "string", "id.orig_h": "addr", "id.orig_p": "port", "id.resp_h": "addr", "id.resp_p": "port",
    "proto": "enum", "service": "string", "duration": "interval", "orig_bytes": "count", "resp_bytes": "count",
    "conn_state": "string", "local_orig": "bool", "local_resp": "bool", "missed_bytes": "count", "history": "string",
    "orig_pkts": "count", "orig_ip_bytes": "count", "resp_pkts": "count", "resp_ip_bytes": "count",
    "tunnel_parents": "set[string]", "ip_proto": "count", "community_id": "string", "vlan": "int", "inner_vlan": "int",
}  # fmt: skip
"""Zeek's columns and their types, in Zeek's order."""
OWN = {
    "protocol": "string", "protocol_class": "string", "variant": "string", "tier": "string", "evidence_bits": "double",
    "evidence": "vector[string]", "alternatives": "vector[string]", "linked_flow_id": "string", "server_name": "string",
    "alpn": "string", "ja4": "string", "registry_match": "string", "registration_id": "string",
    "matched_prefix": "string", "matched_end": "string", "policy_outcome": "string", "policy_phase": "string",
    "policy_reason": "string", "registry_version": "string", "policy_version": "string", "end_reason": "string",
    "segment": "count", "direction_basis": "string", "truncated_packets": "count", "tcp_flags_fwd": "count",
    "tcp_flags_rev": "count", "encap": "vector[string]", "source_file": "string", "packet_first": "count",
    "packet_last": "count",
}  # fmt: skip
"""Our columns, under their own names behind ``flowclass.``."""
TYPES = ZEEKS | {f"flowclass.{name}": kind for name, kind in OWN.items()}
RENAMED = {
    "uid": "flow_id", "orig_bytes": "payload_bytes_fwd", "resp_bytes": "payload_bytes_rev", "orig_pkts": "packets_fwd",
    "orig_ip_bytes": "bytes_fwd", "resp_pkts": "packets_rev", "resp_ip_bytes": "bytes_rev", "ip_proto": "ip_proto",
    "community_id": "community_id", "vlan": "vlan_id", "inner_vlan": "inner_vlan_id", "id.orig_h": "src_ip",
    "id.resp_h": "dst_ip",
}  # fmt: skip
SERVICES = {"tls": "ssl", "dcerpc": "dce_rpc", "vnc": "rfb", "gtp-u": "gtpv1"}
BY_TRANSPORT = {
    ("kerberos", 6): "krb_tcp", ("kerberos", 17): "krb", ("ldap", 6): "ldap_tcp", ("ldap", 17): "ldap_udp",
    ("dnp3", 6): "dnp3_tcp", ("dnp3", 17): "dnp3_udp",
}  # fmt: skip
"""Where the name of Zeek's analyzer is not ours. Protocols that it has no name for keep ours."""
PARTS = {
    "evidence": ("rule", "packet", "offset", "length", "direction", "bits"),
    "alternatives": ("protocol", "bits"),
    "encap": ("type", "id"),
}
"""What stands of an element of a list."""
SURE = ("confirmed", "probable")
TCP, UDP, SYN = 6, 17, 0x02
REFUSED = (0x04, 0x14)  # RST, RST and ACK
ESCAPED = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")
RE2_ESCAPED = r"[\x00-\x1f\x7f-\x{9f}\\]"


def lines(batch: pa.RecordBatch) -> bytes:
    """Give flow records as lines, each with its end."""
    made = columns(batch)
    joined = pc.binary_join_element_wise(*[made[name] for name in TYPES], "\t")
    return ("\n".join([*joined.to_pylist(), ""])).encode()


def columns(batch: pa.RecordBatch) -> dict[str, Any]:
    """Give flow records as columns of text, as they stand in the log.

    Parameters
    ----------
    batch : pyarrow.RecordBatch
        With the columns of a flow record; features and heads are left out.

    Returns
    -------
    dict of str to pyarrow.StringArray
        By Zeek's names, none with nulls.
    """
    made = {name: written(batch.column(ours)) for name, ours in RENAMED.items()}
    for side, ours in (("orig", "src"), ("resp", "dst")):
        # a port is never unset in Zeek; where there are none it is 0
        made[f"id.{side}_p"] = pc.fill_null(batch.column(f"{ours}_port").cast(pa.string()), "0")
    made["ts"] = seconds(batch.column("time_start").cast(pa.int64()))
    made["duration"] = seconds(batch.column("duration_ns"))
    number = batch.column("ip_proto")
    made["proto"] = _proto(number)
    made["service"] = written(_service(batch, number))
    made["conn_state"] = _conn_state(batch, number)
    made["history"] = _history(batch)
    made["tunnel_parents"] = written(batch.column("parent_flow_id"))
    for name in ("local_orig", "local_resp", "missed_bytes"):  # what these say is not known here
        made[name] = pa.repeat(pa.scalar(UNSET), batch.num_rows)
    for name in OWN:
        if name not in batch.schema.names:  # records of an older schema
            made[f"flowclass.{name}"] = pa.repeat(pa.scalar(UNSET), batch.num_rows)
            continue
        column = batch.column(name)
        made[f"flowclass.{name}"] = _list(name, column) if pa.types.is_list(column.type) else written(column)
    return made


def written(column: Any) -> Any:
    """Give numbers and texts as the log has them."""
    column = plain(column)
    if not pa.types.is_string(column.type):
        return pc.fill_null(column.cast(pa.string()), UNSET)
    hostile = pc.or_(
        pc.match_substring_regex(column, RE2_ESCAPED),
        pc.is_in(column, value_set=pa.array([UNSET, EMPTY, ""])),
    )
    if pc.any(hostile).as_py():
        column = pa.array([None if text is None else escaped(text) for text in column.to_pylist()], pa.string())
    return pc.fill_null(column, UNSET)


def escaped(text: str) -> str:
    r"""Give a text as it stands in a field.

    Examples
    --------
    >>> escaped("a\tb"), escaped("-"), escaped("(empty)"), escaped("")
    ('a\\x09b', '\\x2d', '\\x28empty)', '(empty)')
    """
    if not text:
        return EMPTY
    if text in (UNSET, EMPTY):
        return f"\\x{ord(text[0]):02x}{text[1:]}"
    return ESCAPED.sub(_hex, text)


def seconds(column: Any) -> Any:
    """Give ns as seconds with six decimals; what is less is cut off."""
    micro = pc.divide(column, 1000)
    negative = pc.less(micro, 0)
    size = pc.abs(micro)
    whole = pc.divide(size, 1_000_000)
    rest = pc.subtract(size, pc.multiply(whole, 1_000_000))
    text = pc.binary_join_element_wise(
        pc.if_else(negative, "-", ""),
        whole.cast(pa.string()),
        ".",
        pc.utf8_lpad(rest.cast(pa.string()), 6, "0"),
        "",
    )
    return pc.fill_null(text, UNSET)


def times(batch: pa.RecordBatch) -> tuple[int | None, int | None]:
    """Give the least time_start and the greatest time_end, in ns."""
    first = pc.min(batch.column("time_start").cast(pa.int64())).as_py()
    return first, pc.max(batch.column("time_end").cast(pa.int64())).as_py()


def day(time_ns: int) -> str:
    """Give an instant as the header has it, in UTC.

    Examples
    --------
    >>> day(1_732_000_000_123_456_789)
    '2024-11-19-07-06-40'
    """
    return f"{datetime.fromtimestamp(time_ns // 1_000_000_000, UTC):%Y-%m-%d-%H-%M-%S}"


def _hex(found: re.Match[str]) -> str:
    return "".join(f"\\x{octet:02x}" for octet in found[0].encode())


def _proto(number: Any) -> Any:
    names = pc.if_else(pc.equal(number, TCP), "tcp", pc.if_else(pc.equal(number, UDP), "udp", "unknown_transport"))
    return pc.fill_null(pc.if_else(pc.is_in(number, value_set=pa.array([1, 58], pa.uint8())), "icmp", names), UNSET)


def _service(batch: pa.RecordBatch, number: Any) -> Any:
    """Give what is certain enough to be read as confirmed, by Zeek's names."""
    protocol = plain(batch.column("protocol"))
    sure = pc.is_in(plain(batch.column("tier")), value_set=pa.array(SURE))
    known = pc.and_(sure, pc.not_equal(protocol, "unknown"))
    named = pc.if_else(known, protocol, pa.scalar(None, pa.string()))
    for ours, zeeks in SERVICES.items():
        named = pc.if_else(pc.equal(protocol, ours), pc.if_else(known, zeeks, None), named)
    for (ours, transport), zeeks in BY_TRANSPORT.items():
        here = pc.and_(pc.equal(protocol, ours), pc.equal(number, transport))
        named = pc.if_else(here, pc.if_else(known, zeeks, None), named)
    return named


def _conn_state(batch: pa.RecordBatch, number: Any) -> Any:
    """Give Zeek's state: of UDP by who sent, of other protocols without TCP's states OTH."""
    sent = [pc.greater(batch.column(f"packets_{way}"), 0) for way in ("fwd", "rev")]
    of_udp = pc.if_else(sent[0], pc.if_else(sent[1], "SF", "S0"), pc.if_else(sent[1], "SHR", "OTH"))
    of_tcp = pc.fill_null(plain(batch.column("conn_state")), UNSET)
    return pc.fill_null(
        pc.if_else(pc.equal(number, TCP), of_tcp, pc.if_else(pc.equal(number, UDP), of_udp, "OTH")), UNSET
    )


def _history(batch: pa.RecordBatch) -> Any:
    """Give the letters where what a record keeps leaves one order only.

    A record has no order of control bits. One order is left of a SYN without an answer, of one that was refused, and of
    UDP that was not answered, or whose first packet, by its sender, made it the originator.
    """
    number, fwd, rev = (batch.column(name) for name in ("ip_proto", "tcp_flags_fwd", "tcp_flags_rev"))
    sent, received = (pc.greater(batch.column(f"payload_bytes_{way}"), 0) for way in ("fwd", "rev"))
    first = pc.equal(plain(batch.column("direction_basis")), "first_packet")
    unanswered = pc.equal(batch.column("packets_rev"), 0)
    data = pc.and_(pc.and_(pc.equal(number, UDP), pc.or_(first, unanswered)), sent)
    silent = pc.invert(pc.or_(sent, received))
    attempt = pc.and_(pc.and_(pc.equal(number, TCP), pc.equal(fwd, SYN)), silent)
    alone = pc.and_(attempt, unanswered)
    refused = pc.and_(attempt, pc.is_in(rev, value_set=pa.array(REFUSED, rev.type)))
    letters = pc.if_else(data, pc.if_else(received, "Dd", "D"), pc.if_else(refused, "Sr", UNSET))
    return pc.fill_null(pc.if_else(pc.fill_null(alone, False), "S", letters), UNSET)


def _list(name: str, column: Any) -> Any:
    """Give a list as a vector of texts: the rule, the protocol or the kind, and behind colons what goes with it."""
    column = pa.concat_arrays([column])  # begins where its buffers do
    items = column.flatten()
    fields = {items.type.field(place).name: item for place, item in enumerate(items.flatten())}
    texts = [pc.fill_null(plain(fields[part]).cast(pa.string()), "") for part in PARTS[name]]
    joined = written(pc.binary_join_element_wise(*texts, ":"))
    if pc.any(pc.match_substring(joined, ",")).as_py():
        joined = pc.replace_substring(joined, ",", "\\x2c")
    ends = pc.cumulative_sum(pc.fill_null(pc.list_value_length(column), 0)).cast(pa.int32())
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends])
    made = pc.binary_join(pa.ListArray.from_arrays(offsets, joined), ",")
    made = pc.if_else(pc.equal(pc.list_value_length(column), 0), EMPTY, made)
    return pc.if_else(column.is_null(), UNSET, made)

"""The columns of a flow record: names, types, units, meanings, and their names elsewhere.

Takes them from the native core, where each is written once. Gives them as an Arrow schema, as
Markdown and as JSON.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flowclass import _core

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA_VERSION: str = _core.SCHEMA_VERSION

VERSION_DIGITS: int = _core.VERSION_DIGITS
"""Of a registry's or a policy's SHA-256, in the columns ``registry_version`` and ``policy_version``."""

FLOW_DEFINITION = (
    "A flow is the packets, in both directions, with one key: addresses, ports, IP protocol, VLAN ids and the"
    " symmetric ids of the tunnels around them. It ends when it is idle, older than the active timeout, closed by"
    " TCP FIN or RST and its linger, evicted, or when the input ends."
)


def fields(*, heads: bool = False, features: bool = False) -> list[dict[str, Any]]:
    """Give every column in order.

    Parameters
    ----------
    heads : bool
        With the column of saved heads.
    features : bool
        With the feature columns.

    Returns
    -------
    list of dict
        ``name, type, unit, meaning, zeek, eve, ipfix`` of each.

    Examples
    --------
    >>> fields()[0]["name"]
    'flow_id'
    """
    return _core.schema_fields(heads, features)


def feature_fields() -> list[dict[str, Any]]:
    """Give every feature column in order.

    Returns
    -------
    list of dict
        ``name, type, unit, meaning, formula, source`` of each.

    Examples
    --------
    >>> feature_fields()[0]["name"]
    'pkt_len_min_fwd'
    """
    return _core.feature_fields()


def arrow_schema(*, heads: bool = False, features: bool = False, udf: Iterable[Any] = ()) -> pa.Schema:
    """Give the Arrow schema of every record batch.

    Parameters
    ----------
    heads : bool
        With the column of saved heads.
    features : bool
        With the feature columns.
    udf : iterable of UserFunction
        With the columns of users' features and scorers, behind all others.

    Examples
    --------
    >>> arrow_schema().names[:2]
    ['flow_id', 'community_id']
    """
    import pyarrow as pa

    columns: pa.Schema = pa.schema(_core.schema(heads, features))
    for function in udf:
        if function.kind != "fingerprint":
            columns = columns.append(function.field)
    return columns


def early_fields() -> list[dict[str, Any]]:
    """Give every column of an early verdict in order, as ``fields`` does.

    Examples
    --------
    >>> [column["name"] for column in early_fields()][3:5]
    ['time_start', 'time_verdict']
    """
    return _core.schema_fields(early=True)


def early_schema() -> pa.Schema:
    """Give the Arrow schema of early verdicts.

    Examples
    --------
    >>> early_schema().names[-1]
    'head_state'
    """
    import pyarrow as pa

    columns: pa.Schema = pa.schema(_core.schema(early=True))
    return columns


def markdown() -> str:
    """Give the columns as Markdown tables: those of a record, then what is different in an early verdict."""
    record = fields()
    early = early_fields()
    names = {column["name"] for column in record}
    own = [column for column in early if column["name"] not in names]
    absent = names - {column["name"] for column in early}
    lines = [f"# Flow record {SCHEMA_VERSION}", "", *_table(fields(heads=True, features=True))]
    lines += [
        "",
        "# Early verdict",
        "",
        "`live --verdicts` gives a row as soon as a flow's head is closed: the columns of the record without "
        + ", ".join(f"`{column['name']}`" for column in record if column["name"] in absent)
        + ", and two more. Its sums, and `packet_last`, are those up to the last payload that the verdict rests on.",
        "",
        *_table(own),
    ]
    return "\n".join([*lines, ""])


def _table(columns: list[dict[str, Any]]) -> list[str]:
    head = ("column", "type", "unit", "meaning", "Zeek conn.log", "Suricata EVE", "IPFIX")
    keys = ("name", "type", "unit", "meaning", "zeek", "eve", "ipfix")
    lines = [_row(head), _row(["---"] * len(head))]
    for column in columns:
        cells = [str(column.get(key) or "").replace("|", "\\|") for key in keys]
        cells[0] = f"`{cells[0]}`"
        lines.append(_row(cells))
    return lines


def features_markdown() -> str:
    """Give the feature columns as a Markdown table: what they are, their formulas and sources."""
    keys = ("name", "type", "unit", "meaning", "formula", "source")
    lines = [_row(("column", *keys[1:])), _row(["---"] * len(keys))]
    for column in feature_fields():
        lines.append(_row([f"`{column['name']}`", *(str(column[key]) for key in keys[1:])]))
    return "\n".join([*lines, ""])


def _row(cells: tuple[str, ...] | list[str]) -> str:
    return "| " + " | ".join(cells) + " |"

"""What a file of records says about its run: how flows were cut, by which rules and registry; its balance."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowclass.engine import rules_sha256
from flowclass.pipeline.records import BALANCE
from flowclass.schema import FLOW_DEFINITION, SCHEMA_VERSION
from flowclass.types import Balance, EngineOptions
from flowclass.version import __version__

if TYPE_CHECKING:
    from flowclass.policy import Policy
    from flowclass.registry import Registry


def json_text(value: Any) -> str:
    """Write plain values as JSON in one line: by the standard library, since loading a quicker one takes longer.

    Examples
    --------
    >>> json_text({"flows": [1, None], "name": "a\u00df"})
    '{"flows":[1,null],"name":"a\u00df"}'
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def run_metadata(
    options: EngineOptions,
    *,
    registry: Registry | None,
    policy: Policy | None,
    inputs: Sequence[Mapping[str, Any]],
    files: str,
) -> dict[str, str]:
    """Give what is known of a run before its first record.

    Parameters
    ----------
    options : EngineOptions
        How flows are cut.
    registry : Registry or None
        By which they are judged.
    policy : Policy or None
        What follows from it.
    inputs : sequence of mapping
        Name and size of each source.
    files : str
        Whether the sources are one stream.

    Returns
    -------
    dict of str to str
        With keys that begin with ``flowclass.``.
    """
    return {
        "flowclass.schema": SCHEMA_VERSION,
        "flowclass.version": __version__,
        "flowclass.rules_sha256": rules_sha256(),
        "flowclass.registry_version": "" if registry is None else str(registry.version),
        "flowclass.policy_sha256": "" if policy is None else str(policy.sha256),
        "flowclass.inputs": json_text(inputs),
        "flowclass.flow_definition": f"{FLOW_DEFINITION} idle_timeout_ns={options.idle_timeout_ns}"
        f" active_timeout_ns={options.active_timeout_ns} tcp_linger_ns={options.tcp_linger_ns}"
        f" vlan_in_key={options.vlan_in_key} tunnels={options.tunnels} files={files}",
        **({} if options.anonymize is None else options.anonymize.metadata()),
    }


def balance_json(balance: Balance) -> dict[str, Any]:
    """Give a balance for programs, as the summary and the files of a run hold it."""
    return {
        "packets_read": balance.packets_read,
        "packets_in_flows": balance.packets_in_flows,
        "packets_skipped": dict(balance.packets_skipped),
        "bytes_read": balance.bytes_read,
        "bytes_in_flows": balance.bytes_in_flows,
        "link_overhead_bytes": balance.link_overhead_bytes,
        "bytes_skipped": dict(balance.bytes_skipped),
        "closed": balance.closed,
    }


def closing(balance: Balance) -> dict[str, str]:
    """Give what a run says of itself at its end."""
    return {BALANCE: json_text(balance_json(balance))}

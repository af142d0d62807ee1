"""Tells for every network flow which VPN or tunnel protocol it is, with evidence.

The public face: `classify`, `stream`, `read_flows`, `match`, `judge`, `diff`, `evaluate`, users' own functions, and
what they take and give. Nothing else is public. A name is imported when it is first asked for, so that a program pays
for what it uses.

Examples
--------
From a folder of captures to the VPN flows in it:

>>> import flowclass
>>> flows = flowclass.classify(flowclass.samples()).to_pandas()
>>> flows[flows.protocol_class == "vpn"].groupby("protocol", observed=True).size().to_dict()
{'ike': 2, 'openvpn': 1, 'wireguard': 1}
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from flowclass.version import __version__

if TYPE_CHECKING:
    from flowclass.accuracy.captures import evaluate
    from flowclass.accuracy.evaluate import Evaluation
    from flowclass.anonymize import CryptoPan
    from flowclass.errors import (
        ConfigError,
        FlowclassError,
        OutputError,
        RegistryError,
        SchemaError,
        SourceError,
        UserFunctionError,
    )
    from flowclass.features.folds import GroupFolds, flow_groups
    from flowclass.features.matrix import Matrix
    from flowclass.pipeline.classify import classify
    from flowclass.pipeline.flows import Flows
    from flowclass.pipeline.judge import judge
    from flowclass.pipeline.match import match
    from flowclass.pipeline.read import SavedFlows, read_flows
    from flowclass.pipeline.result import Result
    from flowclass.pipeline.stream import Stream, stream
    from flowclass.policy import Policy
    from flowclass.registry import Registry
    from flowclass.run_diff.compare import FlowChange, FlowsAlone, RunDiff, RunFacts, diff
    from flowclass.sources.live import LiveOptions
    from flowclass.sources.packets import Packets
    from flowclass.sources.samples import samples
    from flowclass.types import Balance, CaptureCounters, EngineOptions, SourceReport
    from flowclass.udf.columns import FlowFunction, flow_feature, flow_scorer
    from flowclass.udf.fingerprints import Fingerprint, fingerprint

__all__ = [
    "Balance",
    "CaptureCounters",
    "ConfigError",
    "CryptoPan",
    "EngineOptions",
    "Evaluation",
    "Fingerprint",
    "FlowChange",
    "FlowFunction",
    "FlowclassError",
    "Flows",
    "FlowsAlone",
    "GroupFolds",
    "LiveOptions",
    "Matrix",
    "OutputError",
    "Packets",
    "Policy",
    "Registry",
    "RegistryError",
    "Result",
    "RunDiff",
    "RunFacts",
    "SavedFlows",
    "SchemaError",
    "SourceError",
    "SourceReport",
    "Stream",
    "UserFunctionError",
    "__version__",
    "classify",
    "diff",
    "evaluate",
    "fingerprint",
    "flow_feature",
    "flow_groups",
    "flow_scorer",
    "judge",
    "match",
    "read_flows",
    "samples",
    "stream",
]

_HOMES = {
    "evaluate": "flowclass.accuracy.captures",
    "Evaluation": "flowclass.accuracy.evaluate",
    "CryptoPan": "flowclass.anonymize",
    "ConfigError": "flowclass.errors",
    "FlowclassError": "flowclass.errors",
    "OutputError": "flowclass.errors",
    "RegistryError": "flowclass.errors",
    "SchemaError": "flowclass.errors",
    "SourceError": "flowclass.errors",
    "UserFunctionError": "flowclass.errors",
    "GroupFolds": "flowclass.features.folds",
    "flow_groups": "flowclass.features.folds",
    "Matrix": "flowclass.features.matrix",
    "classify": "flowclass.pipeline.classify",
    "Flows": "flowclass.pipeline.flows",
    "SavedFlows": "flowclass.pipeline.read",
    "read_flows": "flowclass.pipeline.read",
    "judge": "flowclass.pipeline.judge",
    "match": "flowclass.pipeline.match",
    "Result": "flowclass.pipeline.result",
    "Stream": "flowclass.pipeline.stream",
    "stream": "flowclass.pipeline.stream",
    "Policy": "flowclass.policy",
    "Registry": "flowclass.registry",
    "FlowChange": "flowclass.run_diff.compare",
    "FlowsAlone": "flowclass.run_diff.compare",
    "RunDiff": "flowclass.run_diff.compare",
    "RunFacts": "flowclass.run_diff.compare",
    "diff": "flowclass.run_diff.compare",
    "LiveOptions": "flowclass.sources.live",
    "Packets": "flowclass.sources.packets",
    "samples": "flowclass.sources.samples",
    "Balance": "flowclass.types",
    "CaptureCounters": "flowclass.types",
    "EngineOptions": "flowclass.types",
    "SourceReport": "flowclass.types",
    "Fingerprint": "flowclass.udf.fingerprints",
    "FlowFunction": "flowclass.udf.columns",
    "fingerprint": "flowclass.udf.fingerprints",
    "flow_feature": "flowclass.udf.columns",
    "flow_scorer": "flowclass.udf.columns",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

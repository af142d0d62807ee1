"""Tells for every network flow which VPN or tunnel protocol it is, with evidence.

The public face: `classify`, `match`, `judge`, `diff`, and what they take and give. Nothing else is public.

Examples
--------
>>> import flowclass
>>> flowclass.EngineOptions().idle_timeout_ns
120000000000
"""

from __future__ import annotations

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
from flowclass.pipeline.classify import classify
from flowclass.pipeline.judge import judge
from flowclass.pipeline.match import match
from flowclass.pipeline.result import Result
from flowclass.policy import Policy
from flowclass.registry import Registry
from flowclass.run_diff.compare import FlowChange, FlowsAlone, RunDiff, RunFacts, diff
from flowclass.sources.packets import Packets
from flowclass.types import Balance, EngineOptions, SourceReport
from flowclass.version import __version__

__all__ = [
    "Balance",
    "ConfigError",
    "CryptoPan",
    "EngineOptions",
    "FlowChange",
    "FlowclassError",
    "FlowsAlone",
    "OutputError",
    "Packets",
    "Policy",
    "Registry",
    "RegistryError",
    "Result",
    "RunDiff",
    "RunFacts",
    "SchemaError",
    "SourceError",
    "SourceReport",
    "UserFunctionError",
    "__version__",
    "classify",
    "diff",
    "judge",
    "match",
]

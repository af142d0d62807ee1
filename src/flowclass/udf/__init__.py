"""Users' own fingerprints, features and scorers. numba is imported when one is defined, and not before."""

from __future__ import annotations

from flowclass.udf.columns import FlowFunction, flow_feature, flow_scorer
from flowclass.udf.fingerprints import Fingerprint, fingerprint
from flowclass.udf.load import load

__all__ = ["Fingerprint", "FlowFunction", "fingerprint", "flow_feature", "flow_scorer", "load"]

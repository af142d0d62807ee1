"""A policy without a registry would judge nothing and say nothing: it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

import flowclass

DATASETS = Path(__file__).parents[2] / "datasets"


def test_a_policy_needs_a_registry() -> None:
    capture = DATASETS / "captures" / "wireguard-udp-443.pcapng"
    with pytest.raises(flowclass.ConfigError, match="registry"):
        flowclass.classify(capture, policy=DATASETS / "registry" / "policy.toml")


def test_a_registry_alone_matches_and_judges_nothing() -> None:
    capture = DATASETS / "captures" / "wireguard-udp-443.pcapng"
    row = flowclass.classify(capture, registry=DATASETS / "registry" / "sample.csv").to_pyarrow().to_pylist()[0]
    assert row["registry_match"] == "registered"
    assert row["policy_outcome"] is None

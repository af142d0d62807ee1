"""The sets of the literature: complete, as their formulas say, and as the page says."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from capture_files import pcap, udp_frame
from conftest import ROOT

import flowclass
from flowclass.features.literature import SETS, markdown

PAGE = (ROOT / "docs" / "features.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def flows(captures: Path) -> flowclass.Result:
    """Give flows of many kinds, among them those with silences in between."""
    some = {*sorted(captures.glob("*.pcap"))[::7], *captures.glob("*silent*"), *captures.glob("*rekey*")}
    return flowclass.classify(sorted(some), options=flowclass.EngineOptions(features=True))


def expected(formula: str, row: dict[str, Any]) -> float:
    """Give what a formula says of one flow, in Python's numbers; NaN for null and for nothing to divide by."""
    known = {name: value for name, value in row.items() if name in formula}
    if any(value is None for value in known.values()):
        return math.nan
    try:
        return float(eval(formula, {}, known))
    except ZeroDivisionError:
        return math.nan


@pytest.mark.parametrize("name", SETS)
def test_a_set_is_what_its_formulas_say(name: str, flows: flowclass.Result) -> None:
    values, names = flows.to_numpy(features=name)
    rows = flows.to_pyarrow().to_pylist()
    assert names == list(SETS[name])
    assert values.shape == (len(rows), len(names))
    assert not np.isinf(values).any()
    for place, column in enumerate(names):
        wanted = [expected(SETS[name][column].formula, row) for row in rows]
        np.testing.assert_allclose(values[:, place], wanted, rtol=1e-12, err_msg=column)
        assert not np.isnan(values[:, place]).all(), f"{column}: no flow has it"


def test_iscxvpn2016_is_complete() -> None:
    names = list(SETS["iscxvpn2016"])
    assert len(names) == 23
    families = ("fiat", "biat", "flowiat", "active", "idle")
    assert set(names) == {
        "duration",
        "fb_psec",
        "fp_psec",
        *(f"{one}_{family}" for family in families for one in ("mean", "min", "max", "std")),
    }


def test_rates_of_a_known_flow() -> None:
    frames = [(second * 500_000_000, udp_frame("10.0.0.1", 1, "10.0.0.2", 2, bytes(72))) for second in range(5)]
    result = flowclass.classify(pcap(frames), options=flowclass.EngineOptions(features=True))
    (row,), names = result.to_numpy(features="iscxvpn2016")
    found = dict(zip(names, row.tolist(), strict=True))
    assert (found["duration"], found["fb_psec"], found["fp_psec"]) == (2e6, 250.0, 2.5)
    assert found["mean_fiat"] == found["max_flowiat"] == 500_000
    assert math.isnan(found["mean_biat"])
    (row,), names = result.to_numpy(features="cicflowmeter")
    found = dict(zip(names, row.tolist(), strict=True))
    assert (found["fwd_header_len"], found["totlen_fwd_pkts"], found["fwd_seg_size_avg"]) == (140, 360, 72)
    assert (found["fwd_iat_tot"], found["down_up_ratio"], found["bwd_pkts_s"]) == (2e6, 0, 0)
    single = flowclass.classify(pcap(frames[:1]), options=flowclass.EngineOptions(features=True))
    assert math.isnan(single.to_numpy(features="iscxvpn2016").values[0, 21])  # no time, no rate


def test_a_set_needs_the_feature_columns() -> None:
    with pytest.raises(flowclass.ConfigError, match="only runs with features have it"):
        flowclass.classify(flowclass.samples()).to_numpy(features="iscxvpn2016")


@pytest.mark.parametrize("name", SETS)
def test_the_page_has_the_sets(name: str) -> None:
    assert markdown(name) in PAGE


def test_what_the_page_leaves_out_of_cicflowmeters_columns_is_named() -> None:
    """Its columns by its own names, as in the header of the CSV files of its data sets; each is here or named."""
    sides = ("fwd", "bwd")
    whole = {f"{side}_{one}" for side in sides for one in ("byts_b_avg", "pkts_b_avg", "blk_rate_avg")}
    whole |= {f"subflow_{side}_{one}" for side in sides for one in ("pkts", "byts")}
    whole |= {"fwd_act_data_pkts", "fwd_seg_size_min"}
    left_out = PAGE.partition("Left out of CICFlowMeter's")[2].partition("\n\n")[0]
    for name in whole:
        assert name not in SETS["cicflowmeter"]
        assert f"`{name}`" in left_out
    assert len(SETS["cicflowmeter"]) + len(whole) == 76
    assert isinstance(flowclass.classify(flowclass.samples()).to_pyarrow(), pa.Table)

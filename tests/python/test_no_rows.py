"""``--format none``: the summary of a run is the same whether its rows are made or not."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from conftest import ROOT, Command

from flowclass.pipeline.tally import Tally

REGISTRY = ROOT / "datasets" / "registry" / "sample.csv"
POLICY = ROOT / "datasets" / "registry" / "policy.toml"


@pytest.mark.parametrize("threads", ["1", "2", "3"])
@pytest.mark.parametrize("files", ["stream", "each"])
def test_summary_is_that_of_the_rows(
    threads: str, files: str, captures: Path, tmp_path: Path, flowclass_command: Command
) -> None:
    asked = (captures, "--json", "--registry", REGISTRY, "--policy", POLICY, "--threads", threads, "--files", files)
    rows = tmp_path / "flows.arrow"
    with_rows = flowclass_command(*asked, "-o", rows)
    without = flowclass_command(*asked, "--format", "none")
    assert without.code == with_rows.code
    assert without.out.count("\n") == 1
    ours, theirs = json.loads(without.out), json.loads(with_rows.out)
    assert ours["outputs"] == []
    for key in ("flows", "groups", "balance", "sources"):
        assert ours[key] == theirs[key], key
    for key in ("flows_by_protocol", "outcomes"):
        assert ours["counters"][key] == theirs["counters"][key], key

    tally = Tally()
    with pa.OSFile(str(rows), "rb") as file:
        reader = pa.ipc.open_file(file)
        for number in range(reader.num_record_batches):
            tally.add(reader.get_batch(number))
    keys = ("protocol", "variant", "tier", "registry_match", "policy_outcome")
    assert {tuple(group[key] for key in keys): group["flows"] for group in ours["groups"]} == tally.by(*keys)
    assert ours["flows"] == tally.flows > 1000


def test_nothing_is_written(captures: Path, flowclass_command: Command) -> None:
    ended = flowclass_command(captures / "6to4.pcap", "--format", "none")
    assert ended.code == 0
    assert ended.out == ""
    assert ended.err.startswith("flows     3\n")


@pytest.mark.parametrize("other", [("-o", "flows.parquet"), ("-o", "-"), ("--table",)])
def test_no_place_for_rows_that_are_not_made(
    other: tuple[str, ...], captures: Path, flowclass_command: Command
) -> None:
    ended = flowclass_command(captures / "6to4.pcap", "--format", "none", *other)
    assert ended.code == 2
    assert "--format none writes no flows" in ended.err

"""The command imports what a run needs and no more: how soon it begins follows from that."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

CAPTURE = ROOT / "datasets" / "captures"
NEVER = ("pandas", "numba", "pyarrow.acero", "pyarrow.dataset", "pyarrow.parquet", "rich")
OURS = ("flowclass.registry", "flowclass.registries", "flowclass.policy", "flowclass.report", "flowclass.run_diff")


def _imported(*options: str) -> set[str]:
    """Give the modules that a run of ``flowclass classify`` over one capture imports."""
    capture = sorted(CAPTURE.glob("**/*.pcap*"))[0]
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "flowclass", "classify", str(capture), *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        cwd=ROOT / "tests",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


@pytest.mark.parametrize("options", [(), ("-q",), ("--json", "--format", "none"), ("-o", "-", "--format", "arrow")])
def test_nothing_heavy_is_imported(options: tuple[str, ...]) -> None:
    imported = _imported(*options)
    assert "flowclass.pipeline.batch" in imported
    assert not imported & {*NEVER, *OURS}


def test_without_rows_no_arrow() -> None:
    imported = _imported("--format", "none")
    assert not {name.partition(".")[0] for name in imported} & {"pyarrow", "numpy"}


def test_what_is_asked_for_is_imported(tmp_path: Path) -> None:
    assert "pyarrow.parquet" in _imported("-o", str(tmp_path / "flows.parquet"))

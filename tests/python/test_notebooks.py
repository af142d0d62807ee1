"""The notebooks' code runs, cell by cell, and shows what their text says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

pytest.importorskip("sklearn")
FOLDER = ROOT / "examples" / "notebooks"


def run(path: Path) -> dict[str, Any]:
    names: dict[str, Any] = {}
    for number, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"]):
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [], f"{path.name}: kept without what it printed, which no test would hold true"
            exec(compile("".join(cell["source"]), f"{path.name}, cell {number}", "exec"), names)
    return names


def test_leakage(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    names = run(FOLDER / "leakage.ipynb")
    assert len(names["names"]) > 60
    assert not {"src_port", "dst_port", "time_start"} & set(names["names"])
    together, apart = names["results"]["flows at random"], names["results"]["groups apart"]
    # Better than a coin, and better where the recording itself can be recognised.
    assert 0.6 < apart[0] < together[0]
    assert "of 100 alarms" in capsys.readouterr().out


def test_every_notebook_is_tested() -> None:
    assert [path.name for path in FOLDER.glob("*.ipynb")] == ["leakage.ipynb"]

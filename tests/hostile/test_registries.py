"""A registry with overlaps, bad UTF-8, NULs and more, at a size for the suite; a million rows are a command."""

from __future__ import annotations

import sys
from pathlib import Path

from conftest import ROOT

sys.path.insert(0, str(ROOT))
from tests.hostile.registry import BROKEN, checked, rows

ROWS = 10_000


def test_every_broken_row_is_told_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "registry.csv"
    path.write_bytes(b"".join(rows(ROWS, valid=False)))
    entries, kinds = checked(path)
    assert entries == 0
    errors = {kind: count for (severity, kind), count in kinds.items() if severity == "error"}
    assert errors == dict.fromkeys(("not_utf8", "nul", "host_bits", "columns"), ROWS // BROKEN)


def test_overlaps_are_warnings(tmp_path: Path) -> None:
    path = tmp_path / "registry.csv"
    path.write_bytes(b"".join(rows(ROWS, valid=True)))
    entries, kinds = checked(path)
    assert entries == ROWS
    assert kinds.keys() == {("warning", "overlap"), ("warning", "reserved")}
    assert kinds["warning", "overlap"] > ROWS // 20

"""The Python examples of the README and of the site's first pages run, as a reader would run them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

import flowclass

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("howto_*.md"))]
PAGES += [DOCS / f"{name}.md" for name in ("index", "python", "own_functions")]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_examples_of_a_page_run(page: Path, tmp_path: Path, captures: Path) -> None:
    """One after the other, as a reader would type them."""
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    for module in ("pandas", "polars"):
        if any(module in block for block in blocks):
            pytest.importorskip(module)
    shutil.copy(captures / "wireguard-udp-443.pcapng", tmp_path / "capture.pcap")
    program = tmp_path / "program.py"
    program.write_text("\n\n".join(blocks))
    package = str(Path(flowclass.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, program], cwd=tmp_path, env=os.environ | {"PYTHONPATH": package}, capture_output=True,
        text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_five_lines_from_the_package_to_a_frame_of_vpn_flows(tmp_path: Path, captures: Path) -> None:
    """The README's promise: five lines, and what they print is the VPN flows."""
    pytest.importorskip("pandas")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.split("## Five lines to a data frame\n")[1].split("\n## ")[0]
    block = BLOCK.findall(section)[0]
    assert len(block.splitlines()) <= 5
    shutil.copy(captures / "wireguard-udp-443.pcapng", tmp_path / "capture.pcap")
    done = subprocess.run(
        [sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True
    )
    assert "wireguard" in done.stdout
    assert "confirmed" in done.stdout

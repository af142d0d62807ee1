"""The systemd units of examples/: their commands are commands of ours, and systemd takes every line of them."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT

from flowclass.cli.live import live

UNITS = sorted((ROOT / "examples" / "systemd").glob("*.service"))


def command(unit: Path) -> list[str]:
    """Give the words of ExecStart."""
    found = re.search(r"^ExecStart=((?:.*\\\n)*.*)$", unit.read_text(), re.MULTILINE)
    assert found is not None
    return shlex.split(found[1].replace("\\\n", " ").replace("%I", "eth1").replace("%i", "eth1"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: str(unit.name))
def test_the_command_is_one_of_ours(unit: Path) -> None:
    program, name, *rest = command(unit)
    assert (program, name) == ("/usr/bin/flowclass", "live")
    config = rest.index("--config")
    del rest[config : config + 2]  # is not there
    with live.make_context("live", rest) as context:
        assert context.params["sandbox"] == "require"
        assert context.params["metrics"].startswith("/run/flowclass/")
        assert context.params["output"].startswith("/var/lib/flowclass/")


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: str(unit.name))
def test_systemd_takes_every_line(unit: Path, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd is not installed")
    copied = tmp_path / unit.name
    copied.write_text(unit.read_text().replace("/usr/bin/flowclass", "/bin/true"))
    ended = subprocess.run([analyze, "verify", "--man=no", copied], capture_output=True, text=True, check=False)
    assert not [line for line in ended.stderr.splitlines() if "flowclass" in line]
    assert ended.returncode == 0
    rated = subprocess.run(
        [analyze, "security", "--offline=true", "--threshold=20", copied], capture_output=True, text=True, check=False
    )
    assert rated.returncode == 0, rated.stdout


def test_there_are_two() -> None:
    assert len(UNITS) == 2

"""What several rooms of tests share: paths, and the command line run in this process."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from labelled import Classified

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


Command = Callable[..., Ended]


@pytest.fixture
def flowclass_command(capfd: pytest.CaptureFixture[str]) -> Command:
    """Run a command line of flowclass in this process."""
    from flowclass.cli.main import run

    def call(*args: str | Path) -> Ended:
        capfd.readouterr()
        code = run([str(arg) for arg in args])
        captured = capfd.readouterr()
        return Ended(code, captured.out, captured.err)

    return call


@pytest.fixture(scope="session")
def captures() -> Path:
    """Give the folder of our own captures."""
    folder = ROOT / "datasets" / "captures"
    if not any(folder.glob("*.pcap*")):
        pytest.fail(f"{folder} holds no captures: the checkout is not complete")
    return folder


def _missing(what: str, sentence: str) -> None:
    """Skip, or fail where FLOWCLASS_REQUIRE, a list of words, names what is missing."""
    if what in os.environ.get("FLOWCLASS_REQUIRE", "").replace(",", " ").split():
        pytest.fail(f"{sentence}, and FLOWCLASS_REQUIRE names it")
    pytest.skip(sentence)


@pytest.fixture(scope="session")
def corpus() -> Path:
    """Give the folder of public captures: FLOWCLASS_CORPUS, else beside the checkout."""
    folder = Path(os.environ.get("FLOWCLASS_CORPUS") or ROOT.parent / "shared" / "corpus")
    if not (folder / "captures").is_dir():
        _missing("corpus", f"no corpus at {folder}")
    return folder


@pytest.fixture(scope="session")
def everything(corpus: Path) -> list[Classified]:
    """Classify every capture of the corpus, each alone: no one may raise."""
    from labelled import classified, read_list

    listed = read_list(corpus)
    assert len(listed) > 1000
    absent = [capture.name for capture in listed if not capture.path.exists()]
    assert not absent
    return [classified(capture) for capture in listed]


@pytest.fixture(scope="session")
def tshark() -> str:
    """Give the path of tshark."""
    found = shutil.which("tshark")
    if found is None:
        _missing("tshark", "no tshark on this machine")
    assert found is not None
    return found

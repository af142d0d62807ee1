"""Vectors in the package: found where they lie, read strictly, and what they say of the rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

import flowclass
from flowclass import _core
from flowclass.engine import matchers
from flowclass.errors import SourceError
from flowclass.vectors import read
from flowclass.vectors.reach import reach
from flowclass.vectors.read import Case, read_cases

FOLDER = ROOT / "tests" / "vectors" / "fingerprint"
INSTALLED = Path(flowclass.__file__).parent.parent.name in ("site-packages", "dist-packages")
CASE = """
[[case]]
name = "a"
source = "s"
packets = [{ dir = ">", text = "abc", zeros = 2 }, { dir = "<", hex = "01 02", gap_ns = 7, length = 9 }]
[case.expect]
protocol = "unknown"
"""


def written(folder: Path, text: str) -> list[Case]:
    path = folder / "x.toml"
    path.write_text(text)
    return read_cases(path)


@pytest.fixture
def anew() -> Any:
    """Look for the files again, before and after."""
    read.files.cache_clear()
    yield
    read.files.cache_clear()


@pytest.mark.skipif(not INSTALLED, reason="flowclass is not installed here")
def test_an_installed_package_has_every_vector_file() -> None:
    shipped = {name: file.read_text(encoding="utf-8") for name, file in read.files().items()}
    assert shipped == {path.stem: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.toml")}


@pytest.mark.usefixtures("anew")
def test_a_source_tree_finds_those_of_its_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(read.resources, "files", lambda _: tmp_path)
    monkeypatch.setattr(read, "__file__", str(ROOT / "src" / "flowclass" / "vectors" / "read.py"))
    assert set(read.files()) == {path.stem for path in FOLDER.glob("*.toml")}
    assert set(read.files()) == {matcher["name"] for matcher in _core.matchers()}


@pytest.mark.usefixtures("anew")
def test_elsewhere_there_are_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(read.resources, "files", lambda _: tmp_path)
    monkeypatch.setattr(read, "__file__", str(tmp_path / "lib" / "flowclass" / "vectors" / "read.py"))
    assert read.files() == {}


def test_a_case(tmp_path: Path) -> None:
    (case,) = written(tmp_path, CASE)
    assert (case.file, case.name, case.ip_proto, case.from_start) == ("x", "a", 17, True)
    first, second = case.packets
    assert (first.direction, first.octets, first.length) == (0, b"abc\0\0", 5)
    assert (second.direction, second.octets, second.length, second.gap_ns) == (1, b"\1\2", 9, 7)
    assert case.match()["tier"] == "none"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('source = "s"', 'source = ""', "a vector states its source"),
        ('source = "s"', 'source = "s"\nport = 1', "unknown keys port"),
        ('protocol = "unknown"', 'protocol = "unknown"\ntire = "none"', "unknown keys tire"),
        ("zeros = 2", "zeroes = 2", "unknown keys zeroes"),
    ],
)
def test_a_slip_is_an_error(old: str, new: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=sentence):
        written(tmp_path, CASE.replace(old, new))


def test_reach() -> None:
    (wireguard,) = (one for one in matchers() if one["name"] == "wireguard")
    cases = read_cases(FOLDER / "wireguard.toml")
    rules = {rule for rule, _ in wireguard["rules"]}
    found = reach("wireguard", rules, cases)
    assert found.vectors == len(cases)
    assert set(found.bits) == rules
    given = [check for case in cases for check in case.match()["checks"] if check["rule"] == "wireguard.initiation"]
    bits = [check["bits"] for check in given]
    assert found.bits["wireguard.initiation"] == (min(bits), max(bits))
    assert set(found.tiers) == {"", *wireguard["variants"]}
    assert found.tiers[""][0] == "confirmed"
    silent = reach("wireguard", rules, [case for case in cases if case.expect["protocol"] != "wireguard"])
    assert silent.vectors > 0
    assert silent.tiers == {}


def test_links_are_of_known_kinds() -> None:
    kinds = {kind for _, _, _, kind in _core.link_rules()}
    led = {matcher["leads"] for matcher in matchers() if matcher["leads"] is not None}
    followed = {kind for matcher in matchers() for kind in matcher["follows"]}
    assert led == followed, "what leads has something to lead, and the other way round"
    assert {"ike", "tls"} <= led <= kinds

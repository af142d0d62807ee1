"""Documents that are generated, or that name files and rules, say what is so."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
from conftest import ROOT, Command

from flowclass import _core

DOCS = sorted((ROOT / "docs").rglob("*.md"))
PLACES = re.compile(r"`((?:native|src|tests|datasets|benchmarks|docs)/[\w./-]+)`")
RULES = re.compile(r"`([a-z_0-9]+\.[a-z_0-9]+)`")


def test_the_schema_is_current(flowclass_command: Command) -> None:
    """Write it anew with: flowclass schema --format md >docs/schema.md."""
    assert (ROOT / "docs" / "schema.md").read_text() == flowclass_command("schema", "--format", "md").out


@pytest.mark.parametrize("path", DOCS, ids=[str(path.relative_to(ROOT)) for path in DOCS])
def test_the_places_it_names_are_there(path: Path) -> None:
    missing = [place for place in PLACES.findall(path.read_text()) if not (ROOT / place).exists()]
    assert not missing, f"{path.relative_to(ROOT)} names what is not there: {missing}"


def test_the_rules_that_the_page_of_evidence_names_exist() -> None:
    rules = {rule for matcher in _core.matchers() for rule, _ in matcher["rules"]}
    protocols = {rule.split(".")[0] for rule in rules}
    named = [
        rule for rule in RULES.findall((ROOT / "docs" / "evidence.md").read_text()) if rule.split(".")[0] in protocols
    ]
    assert named, "the page names no rule"
    assert set(named) <= rules, set(named) - rules


def test_the_page_of_outputs_names_every_field() -> None:
    from flowclass.sinks.address import WRITE
    from flowclass.sinks.zeek_columns import ZEEKS

    page = (ROOT / "docs" / "outputs.md").read_text()
    events, log = page.split("## Suricata's EVE")[1].split("## Zeek's conn.log")
    assert {name for name in ZEEKS if f"`{name}`" not in log} == set()
    for name in ("timestamp", "flow_id", "app_proto", "flow.reason", "flow.age", "tcp.tcp_flags_ts", "pcap_filename"):
        assert f"`{name}`" in events
    assert all(f"`{written.removesuffix('...]')}".split(",")[0] in page for written in WRITE.values())


def test_a_link_that_leads_nowhere_is_told(tmp_path: Path) -> None:
    """What ``make docs`` ends with can fail."""
    spec = importlib.util.spec_from_file_location("check_links", ROOT / "docs" / "check_links.py")
    assert spec is not None
    assert spec.loader is not None
    links = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(links)
    assert links.broken(tmp_path) == [f"{tmp_path}: holds no page"]
    (tmp_path / "a.html").write_text('<a href="b.html#here">b</a> <a href="https://example.org/">out</a>')
    (tmp_path / "b.html").write_text('<h1 id="here">b</h1> <a href="#here">up</a> <a href="a.html">a</a>')
    assert links.broken(tmp_path) == []
    (tmp_path / "b.html").write_text('<a href="c.html">c</a> <a href="#there">up</a>')
    assert links.broken(tmp_path) == [
        "a.html: b.html#here leads nowhere",
        "b.html: c.html leads nowhere",
        "b.html: #there leads nowhere",
    ]

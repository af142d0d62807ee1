"""``protocols``: the table, everything about one, names that are near."""

from __future__ import annotations

import json
import re

import pytest
from conftest import ROOT, Command

from flowclass import _core
from flowclass.cli.protocols import grouped


@pytest.fixture
def vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the vectors of the checkout, wherever the package lies."""
    found = {path.stem: path for path in (ROOT / "tests" / "vectors" / "fingerprint").glob("*.toml")}
    monkeypatch.setattr("flowclass.cli.protocols.files", lambda: found)


def test_every_fingerprint_is_listed_once(flowclass_command: Command) -> None:
    content = json.loads(flowclass_command("protocols", "--json").out)
    assert content["schema"] == "flowclass.protocols/3"
    listed = [one["name"] for row in content["protocols"] for one in row["fingerprints"]]
    assert sorted(listed) == sorted(matcher["name"] for matcher in _core.matchers())
    names = [row["protocol"] for row in content["protocols"]]
    assert len(names) == len(set(names))
    assert content["protocols"][0]["protocol_class"] == "vpn"
    table = flowclass_command("protocols").out.splitlines()
    assert [line.split()[1] for line in table] == names


def test_one_protocol_of_several_fingerprints(flowclass_command: Command) -> None:
    """ESP is known by its IP protocol number, and in UDP by another fingerprint."""
    ended = flowclass_command("protocols", "esp")
    assert ended.code == 0
    for matcher in _core.matchers():
        if matcher["protocol"] == "esp":
            assert f"rules of {matcher['name']}, over" in ended.out
            assert matcher["sources"] in ended.out
            for rule, meaning in matcher["rules"]:
                assert f"    {rule} " in ended.out
                assert f"  {meaning}\n" in ended.out
            for rule, meaning, bits, kind in _core.link_rules():
                if kind in matcher["follows"]:
                    assert re.search(rf"^    {rule} +{bits:g} bits  {re.escape(meaning)}$", ended.out, re.MULTILINE)
    assert "ports     4500 (usual;" in ended.out
    assert "never decides" in ended.out
    assert "IP protocol number that is assigned to it alone" in ended.out
    assert "flowclass explain" in ended.out


def test_bits_are_those_of_the_vectors(flowclass_command: Command, vectors: None) -> None:
    (row,) = json.loads(flowclass_command("protocols", "wireguard", "--json").out)["protocols"]
    (one,) = (one for one in row["fingerprints"] if one["name"] == "wireguard")
    rules = {rule["rule"]: (rule["bits_least"], rule["bits_most"]) for rule in one["rules"]}
    assert all(0 < least <= most for least, most in rules.values())
    assert rules["wireguard.mac2_zero"] == (66, 66)
    assert {"variant": "tunnelbear", "tiers": ["confirmed"]} in one["reached"]
    shown = flowclass_command("protocols", "wireguard").out
    least, most = rules["wireguard.initiation"]
    assert re.search(rf"^    wireguard.initiation +{least:g} to {most:g} bits  message type 1", shown, re.MULTILINE)
    assert re.search(r"^    wireguard.mac2_zero +66 bits  no cookie", shown, re.MULTILINE)
    assert f"    vectors: {one['vectors']}, which reach confirmed" in shown
    assert "confirmed (tunnelbear)" in shown


def test_every_rule_has_bits(flowclass_command: Command, vectors: None) -> None:
    content = json.loads(flowclass_command("protocols", "--json").out)
    for row in content["protocols"]:
        for one in row["fingerprints"]:
            assert one["vectors"] > 0
            silent = [rule["rule"] for rule in one["rules"] if rule["bits_least"] is None]
            assert not silent, one["name"]


def test_without_vectors_it_says_so(flowclass_command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowclass.cli.protocols.files", dict)
    ended = flowclass_command("protocols", "wireguard")
    assert ended.code == 0
    assert "the vectors that show them are not beside this copy of flowclass" in ended.out
    assert re.search(r"^    wireguard.mac2_zero +no cookie", ended.out, re.MULTILINE)
    (row,) = json.loads(flowclass_command("protocols", "wireguard", "--json").out)["protocols"]
    one = row["fingerprints"][0]
    assert (one["vectors"], one["reached"], one["rules"][0]["bits_least"]) == (None, None, None)


def test_links(flowclass_command: Command) -> None:
    (row,) = json.loads(flowclass_command("protocols", "ike", "--json").out)["protocols"]
    (one,) = (one for one in row["fingerprints"] if one["name"] == "ike")
    assert (one["leads"], one["follows"]) == ("ike", ["ike"])
    assert [link["rule"] for link in one["links"]] == ["link.ike", "link.ike_spi"]
    assert "esp" in one["led"]
    assert f"may lead: flows of {', '.join(one['led'])} between" in flowclass_command("protocols", "ike").out
    assert "link." not in flowclass_command("protocols", "wireguard").out


def test_what_rests_on_no_assigned_number_does_not_say_so(flowclass_command: Command) -> None:
    assert "assigned" not in flowclass_command("protocols", "wireguard").out


@pytest.mark.parametrize(
    ("name", "protocol"), [("openvpn_tcp", "openvpn"), ("OpenVPN", "openvpn"), ("tls-crypt-v2", "openvpn")]
)
def test_a_fingerprint_or_a_variant_leads_to_its_protocol(name: str, protocol: str, flowclass_command: Command) -> None:
    content = json.loads(flowclass_command("protocols", name, "--json").out)
    assert [row["protocol"] for row in content["protocols"]] == [protocol]


def test_an_unknown_name(flowclass_command: Command) -> None:
    ended = flowclass_command("protocols", "wiregard")
    assert (ended.code, ended.out) == (2, "")
    assert "'wiregard' is not known; the nearest known one is 'wireguard'" in ended.err


def test_grouping() -> None:
    facts = {"protocol_class": "app", "title": "T", "sources": "S", "variants": ["v"], "ports": [1]}
    facts |= {"leads": None, "follows": []}
    ones = [
        {**facts, "name": "b", "protocol": "p", "ip_protos": [17], "rules": [("p.x", "x")]},
        {**facts, "name": "a", "protocol": "p", "ip_protos": [6, 17], "rules": [("p.y", "y")]},
    ]
    (row,) = grouped(ones)
    assert [one["name"] for one in row["fingerprints"]] == ["a", "b"]
    assert row["variants"] == ["v"]
    assert row["ports"] == [1]
    assert row["ip_protos"] == [6, 17]
    assert row["fingerprints"][1]["rules"] == [{"rule": "p.x", "meaning": "x"}]

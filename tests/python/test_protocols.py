"""``protocols``: the table, everything about one, names that are near."""

from __future__ import annotations

import json

import pytest
from conftest import Command

from flowclass import _core
from flowclass.cli.protocols import grouped


def test_every_fingerprint_is_listed_once(flowclass_command: Command) -> None:
    content = json.loads(flowclass_command("protocols", "--json").out)
    assert content["schema"] == "flowclass.protocols/2"
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
    assert "ports     4500 (usual;" in ended.out
    assert "never decides" in ended.out
    assert "IP protocol number that is assigned to it alone" in ended.out
    assert "flowclass explain" in ended.out


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

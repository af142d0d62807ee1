"""``evaluate``: intervals against published values, every kind of right and wrong, bad lists, the peer."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from capture_files import START_NS, exchange, pcap, udp_frame
from conftest import Command

from flowclass.accuracy import ndpi
from flowclass.accuracy.compare import compare
from flowclass.accuracy.intervals import wilson
from flowclass.accuracy.labels import LabelledCapture, flow_key, read_labels
from flowclass.accuracy.ndpi import Ndpi, claim_of
from flowclass.accuracy.scores import Claim, Score, Seen

CLASSES = {"wireguard": "vpn", "openvpn": "vpn", "dns": "app", "tls": "app", "ntp": "app"}
SERVER = "10.0.0.2"


@pytest.mark.parametrize(
    ("right", "of", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_against_published_values(right: int, of: int, low: float, high: float) -> None:
    """R. G. Newcombe, Two-sided confidence intervals for the single proportion, 1998, table I, method 3."""
    assert wilson(right, of) == pytest.approx((low, high), abs=5e-5)
    mirrored = wilson(of - right, of)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=5e-5)


def test_wilson_without_trials() -> None:
    assert wilson(0, 0) is None
    assert wilson(3, 3) == pytest.approx((0.4385, 1.0), abs=5e-5)


def ends(port: int, **more: Any) -> dict[str, Any]:
    return {"src_ip": "10.0.0.1", "src_port": port, "dst_ip": SERVER, "dst_port": 443, "ip_proto": 17, **more}


def label(port: int, family: str, capture: str = "a.pcap", **more: Any) -> dict[str, Any]:
    return {"capture": capture, "frame": port - 1000, "family": family, "certainty": "certain", **ends(port), **more}


def claim(name: str, tier: str, kind: str) -> Claim:
    return Claim(ids=(name,), shown=f"{name} {tier}", tier=tier, tunnel=kind != "app")


def initiation(seed: int) -> bytes:
    """Give a WireGuard handshake initiation of random keys without a cookie (WireGuard paper §5.4.2)."""
    return b"\x01\0\0\0" + random.Random(seed).randbytes(128) + bytes(16)


def lists(folder: Path, labels: Sequence[dict[str, Any]], **captures: dict[str, Any]) -> Path:
    (folder / "labels.jsonl").write_text("".join(json.dumps(row) + "\n" for row in labels))
    if captures:
        rows = [{"capture": f"{name}.pcap", **facts} for name, facts in captures.items()]
        (folder / "captures.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "labels.jsonl"


@pytest.fixture
def tunnels(tmp_path: Path) -> Path:
    """Write a capture of six flows: five WireGuard initiations from ports 1001 to 1005, and one of noise, 1006."""
    payloads = [*(initiation(seed) for seed in range(5)), b"\xab" * 40]
    frames = [
        (START_NS + n, udp_frame("10.0.0.1", 1001 + n, SERVER, 443, payload)) for n, payload in enumerate(payloads)
    ]
    (tmp_path / "a.pcap").write_bytes(pcap(frames))
    return tmp_path


def test_every_kind_of_flow(tunnels: Path, flowclass_command: Command) -> None:
    rows = [
        label(1001, "wireguard"),
        label(1002, "openvpn"),  # wrong: a miss and a false positive
        label(1003, "tailscale", accept=["tailscale", "wireguard"], certainty="likely"),
        label(1004, "openvpn", certainty="disputed"),
        label(1006, "tinc"),
    ]
    given = lists(tunnels, rows, a={"negatives_ok": True})
    ended = flowclass_command("evaluate", tunnels / "a.pcap", "--labels", given, "--json")
    assert ended.code == 0, ended.err
    content = json.loads(ended.out)
    by_name = {row["protocol"]: row for row in content["protocols"]}
    assert content["recall"]["right"] == 1
    assert content["recall"]["of"] == 3
    assert by_name["wireguard"]["confirmed"] == by_name["wireguard"]["flows"] == 1
    assert by_name["openvpn"] | {"flows": 1, "missed": 1, "wrong": 1, "none": 1} == by_name["openvpn"]
    assert by_name["tinc"]["missed"] == 1
    assert by_name["tinc"]["wrong"] == 0
    assert by_name["tailscale"]["flows"] == 0  # a likely one must not be found
    assert by_name["tailscale"]["right_claims"] == 1
    # Wrongly called so: the flow labelled openvpn, and the one without label, which the list vouches for.
    assert by_name["wireguard"]["false_claims"] == 2
    assert by_name["wireguard"]["precision"]["value"] == pytest.approx(1 / 3)
    assert content["negatives"]["flows"] == content["negatives"]["called_tunnel"] == 1
    assert content["negatives"]["called_vpn"] == 1
    assert content["negatives"]["false_positives_per_million"]["value"] == 1e6
    assert content["negatives"]["false_positives_per_million"]["low"] == pytest.approx(206549.3, abs=1)
    assert content["hints"] == {"right": 1, "silent": 0, "wrong": 0}
    assert content["left_out"] == {"disputed": 1, "out_of_scope": 0, "unvouched": 0}
    assert [(one["capture"], one["frame"], one["family"]) for one in content["misses"]] == [
        ("a.pcap", 2, "openvpn"),
        ("a.pcap", 6, "tinc"),
    ]
    assert [(one["frame"], one["family"]) for one in content["false_positives"]] == [(2, "openvpn"), (5, "")]


def test_the_text_says_the_same(tunnels: Path, flowclass_command: Command) -> None:
    given = lists(tunnels, [label(1001, "wireguard"), label(1002, "openvpn")], a={"negatives_ok": True})
    shown = flowclass_command("evaluate", tunnels, "--labels", given).out
    assert "recall    50.0 % (95 %: 9.5 to 90.5): 1 of 2 certain flows" in shown
    assert "negatives 4 flows that are no tunnel; called one: 3, and 0 possible" in shown
    assert "750,000 false positives per million" in shown
    assert "a.pcap frame 2 openvpn: wireguard confirmed 96 bits; another name" in shown
    assert "a.pcap frame 3 no tunnel: wireguard confirmed 96 bits; it is no tunnel" in shown


def test_hard_negatives_and_vouching(tunnels: Path, flowclass_command: Command) -> None:
    given = lists(tunnels, [label(1001, "wireguard")], a={"negatives_ok": False, "unvouched_first_frames": [2, 3, 4]})
    hard = tunnels / "looks_like.jsonl"
    hard.write_text(json.dumps({"capture": "a.pcap", **ends(1004)}) + "\n")
    ended = flowclass_command("evaluate", tunnels / "a.pcap", "--labels", given, "--hard-negatives", hard, "--json")
    negatives = json.loads(ended.out)["negatives"]
    assert negatives["flows"] == 3  # 1005 and 1006 are vouched for, 1004 is a hard one
    assert negatives["called_tunnel"] == 2
    assert negatives["hard"] == negatives["hard_called_tunnel"] == 1
    assert json.loads(ended.out)["left_out"]["unvouched"] == 2


def test_nothing_is_negative_unless_somebody_says_so(tunnels: Path, flowclass_command: Command) -> None:
    given = lists(tunnels, [label(1001, "wireguard")])
    content = json.loads(flowclass_command("evaluate", tunnels / "a.pcap", "--labels", given, "--json").out)
    assert content["negatives"]["flows"] == 0
    assert content["negatives"]["false_positives_per_million"] == {"value": None, "low": None, "high": None}
    assert content["false_positives"] == []
    assert content["left_out"]["unvouched"] == 5


def judged(row: dict[str, Any], *claims: Claim) -> Score:
    """Judge one flow."""
    score = Score()
    key = flow_key(row)
    known = {"key": key, "frame": 1, "depth": 0, "variant": None, "scope": "gate", "certainty": "certain"}
    from flowclass.accuracy.labels import Label

    family = row.get("family", "openvpn")
    one = Label(**{**known, "family": family, "accept": (family,), **{k: row[k] for k in row.keys() & known.keys()}})
    seen = Seen(first_frames={key: 1}, claims={(False, key): list(claims)})
    compare(score, LabelledCapture(name="a.pcap", labels=(one,)), seen, CLASSES)
    return score


@pytest.mark.parametrize(
    ("family", "said", "wrong"),
    [
        ("iodine", claim("dns", "confirmed", "app"), False),  # what carries it: true, but a miss
        ("openvpn", claim("ntp", "probable", "app"), True),
        ("dns", claim("tls", "probable", "app"), True),
        ("openvpn", claim("wireguard", "possible", "vpn"), True),
    ],
)
def test_another_name_is_a_miss_and_mostly_wrong(family: str, said: Claim, wrong: bool) -> None:
    score = judged(ends(1, family=family), said)
    assert len(score.misses) == 1
    assert len(score.false_positives) == score.families[family].wrong == wrong
    other = score.families.get(said.ids[0])
    counted = 0 if other is None else other.false_claims + other.false_possible
    assert counted == wrong
    if said.tier == "possible":  # precision is of those who were confirmed or probable
        assert other is not None
        assert (other.false_claims, other.false_possible) == (0, 1)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (claim("openvpn", "possible", "vpn"), "right"),
        (claim("wireguard", "possible", "vpn"), "wrong"),
        (claim("ntp", "confirmed", "app"), "silent"),
    ],
)
def test_hints(said: Claim, kind: str) -> None:
    score = judged(ends(1, scope="hint"), said)
    assert score.hints[kind] == 1
    assert not score.misses
    assert len(score.false_positives) == (kind == "wrong")


def test_the_best_tier_of_a_flow_counts() -> None:
    score = judged(ends(1), claim("openvpn", "possible", "vpn"), claim("openvpn", "probable", "vpn"))
    assert score.families["openvpn"].tiers == {"none": 0, "possible": 0, "probable": 1, "confirmed": 0}
    assert score.recall.value == 1
    weak = judged(ends(1), claim("openvpn", "possible", "vpn"))
    assert weak.families["openvpn"].tiers["possible"] == 1
    assert weak.misses[0].reason == "too little evidence"


def test_the_variant_of_a_catch_all_family_says_which_protocol(tmp_path: Path) -> None:
    given = lists(tmp_path, [label(1001, "other-tunnel", variant="capwap-data"), label(1002, "tinc", variant="tcp")])
    known = read_labels(given)["a.pcap"].labels
    assert [one.accept for one in known] == [("other-tunnel", "capwap-data", "capwap"), ("tinc",)]


def test_an_overlay_on_a_negative_is_no_accusation_of_a_vpn() -> None:
    key = flow_key(ends(1))
    score = Score()
    seen = Seen(first_frames={key: 1}, claims={(False, key): [claim("gre", "possible", "overlay")]})
    compare(score, LabelledCapture(name="a.pcap", negatives_ok=True), seen, {"gre": "overlay"})
    assert (score.negatives_called, score.negatives_possible, score.negatives_vpn) == (0, 1, 0)
    assert len(score.false_positives) == 1


def test_out_of_scope_and_disputed_count_nowhere() -> None:
    for facts in ({"scope": "out"}, {"certainty": "disputed"}):
        score = judged(ends(1, **facts), claim("wireguard", "confirmed", "vpn"))
        assert not score.families
        assert not score.false_positives
        assert sum(score.left_out.values()) == 1


def test_a_capture_that_changed_is_not_judged(tunnels: Path, flowclass_command: Command) -> None:
    (tunnels / "b.pcap").write_bytes(pcap(exchange()))
    sums = {name: hashlib.sha256((tunnels / f"{name}.pcap").read_bytes()).hexdigest() for name in ("a", "b")}
    rows = [label(1001, "wireguard"), label(40000, "dns", "b.pcap", dst_port=7777)]
    given = lists(tunnels, rows, a={"sha256": sums["a"]}, b={"sha256": "0" * 64})
    ended = flowclass_command("evaluate", tunnels, "--labels", given, "--json")
    assert ended.code == 3
    assert "b.pcap: its octets are not those that were labelled" in ended.err
    content = json.loads(ended.out)
    assert content["captures"] == 1
    assert content["captures_not_given"] == ["b.pcap"]
    assert content["certain_flows_not_given"] == 1
    assert not content["misses"]


def test_what_cannot_be_read_is_missed(tunnels: Path, flowclass_command: Command) -> None:
    (tunnels / "b.pcap").write_bytes(b"snoop\0\0\0" + bytes(100))
    given = lists(tunnels, [label(1001, "wireguard"), label(1002, "ike", "b.pcap")])
    ended = flowclass_command("evaluate", tunnels, "--labels", given, "--json")
    assert ended.code == 3
    (miss,) = json.loads(ended.out)["misses"]
    assert miss["capture"] == "b.pcap"
    assert "snoop" in miss["reason"]


def test_a_name_twice_is_judged_once(tunnels: Path, flowclass_command: Command) -> None:
    (tunnels / "copy").mkdir()
    (tunnels / "copy" / "a.pcap").write_bytes((tunnels / "a.pcap").read_bytes())
    given = lists(tunnels, [label(1001, "wireguard")])
    ended = flowclass_command("evaluate", tunnels, "--labels", given, "--json")
    assert ended.code == 3
    assert "another capture of this name was judged already" in ended.err
    assert json.loads(ended.out)["recall"]["of"] == 1


def test_labels_that_are_not_valid(tunnels: Path, flowclass_command: Command) -> None:
    lists(tunnels, [label(1001, "wireguard"), label(1002, "wireguard", "c.pcap")], a={})
    path = tunnels / "labels.jsonl"
    wrong = [label(1003, "x", certainty="sure"), label(1004, "x", src_ip="10.0.0"), {"capture": "a.pcap"}]
    with path.open("a") as file:
        file.write("".join(json.dumps(row) + "\n" for row in wrong) + "{\n")
    ended = flowclass_command("evaluate", tunnels, "--labels", path)
    assert (ended.code, ended.out) == (4, "")
    for line in ("3: Invalid enum value 'sure'", "4: '10.0.0'", "5: Object missing", "6: Input data"):
        assert f"labels.jsonl:{line}" in ended.err
    assert "does not list 'c.pcap'" in ended.err
    ended = flowclass_command("evaluate", tunnels, "--labels", tunnels / "none.jsonl")
    assert ended.code == 4
    assert "none.jsonl: cannot be read" in ended.err


def test_labels_of_other_captures(tunnels: Path, flowclass_command: Command) -> None:
    given = lists(tunnels, [label(1001, "wireguard", "other.pcap")])
    ended = flowclass_command("evaluate", tunnels / "a.pcap", "--labels", given)
    assert (ended.code, ended.out) == (4, "")
    assert "labels go by file names" in ended.err


def test_our_own_lists_are_valid(captures: Path) -> None:
    known = read_labels(captures.parent / "labels.jsonl")
    assert sum(label.counts for one in known.values() for label in one.labels) > 100


@pytest.mark.parametrize(
    ("name", "guessed", "ids", "tier", "tunnel"),
    [
        ("OpenVPN", False, ("openvpn",), "probable", True),
        ("OpenVPN", True, ("openvpn",), "possible", True),
        ("TLS.NordVPN", False, ("vpn-app-tls",), "probable", True),
        ("DNS.Mullvad", False, ("dns",), "probable", False),
        ("GTP.GTP_U", False, ("gtp-u", "gtp-c", "gtp-prime"), "probable", True),
        ("Unknown", False, (), "none", False),
        ("WhatsApp", True, (), "none", False),
    ],
)
def test_the_names_of_the_peer(name: str, guessed: bool, ids: tuple[str, ...], tier: str, tunnel: bool) -> None:
    said = claim_of(name, guessed=guessed)
    assert (said.ids, said.tier, said.tunnel) == (ids, tier, tunnel)


FAKE = """
import os, types
class NFStreamer:
    def __init__(self, source, **options):
        source = os.path.basename(source)
        if "crash" in source:
            os.abort()
        if "hang" in source:
            import time
            time.sleep(3600)
        if "refused" in source:
            raise ValueError("no capture")
    def __iter__(self):
        ends = dict(src_ip="10.0.0.2", src_port=443, dst_ip="10.0.0.1", dst_port=1001, protocol=17)
        yield types.SimpleNamespace(**ends, application_name="WireGuard", application_is_guessed=0)
"""


@pytest.fixture
def fake_nfstream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a module in the place of nfstream that crashes, hangs or refuses by the name of the capture."""
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "nfstream.py").write_text(FAKE)
    monkeypatch.syspath_prepend(str(folder))
    import os

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setattr(ndpi, "MOST_SECONDS", 5)


@pytest.mark.usefixtures("fake_nfstream")
def test_the_peer_may_crash_and_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Ndpi() as peer:
        assert "ended" in str(peer.claims(tmp_path / "crash.pcap"))
        said = peer.claims(tmp_path / "good.pcap")  # by a new process
        assert not isinstance(said, str)
        assert [claim.ids for claim in said[flow_key(ends(1001))]] == [("wireguard",)]
        assert peer.claims(tmp_path / "refused.pcap") == "ValueError: no capture"
        monkeypatch.setattr(ndpi, "MOST_SECONDS", 0.5)
        assert "no answer within" in str(peer.claims(tmp_path / "hang.pcap"))


@pytest.mark.usefixtures("fake_nfstream")
def test_side_by_side(tunnels: Path, flowclass_command: Command) -> None:
    (tunnels / "crash.pcap").write_bytes((tunnels / "a.pcap").read_bytes())
    rows = [label(1001, "wireguard"), label(1002, "wireguard"), label(1001, "wireguard", "crash.pcap")]
    given = lists(tunnels, rows)
    args = ["evaluate", tunnels / "a.pcap", tunnels / "crash.pcap", "--labels", given, "--peer", "ndpi"]
    content = json.loads(flowclass_command(*args, "--json").out)
    assert content["recall"]["right"] == content["recall"]["of"] == 3
    assert content["peer"]["recall"]["right"] == 1  # what it could not read is missed
    assert content["peer"]["recall"]["of"] == 3
    assert [one["capture"] for one in content["peer"]["captures_not_read"]] == [str(tunnels / "crash.pcap")]
    shown = flowclass_command(*args).out
    assert "recall    33.3 %" in shown


def test_the_peer_is_not_installed(tunnels: Path, flowclass_command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ndpi.util, "find_spec", lambda name: None)
    given = lists(tunnels, [label(1001, "wireguard")])
    ended = flowclass_command("evaluate", tunnels / "a.pcap", "--labels", given, "--peer", "ndpi")
    assert ended.code == 5
    assert "nfstream, which is not installed" in ended.err

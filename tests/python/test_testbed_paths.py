"""Impaired paths of the testbed: what the forwarder does to packets, without root and without sockets."""

from __future__ import annotations

import ipaddress
import random
import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from datasets.testbed import scenario  # noqa: E402
from datasets.testbed.errors import ScenarioError, TestbedError  # noqa: E402
from datasets.testbed.forwarder import Forwarder  # noqa: E402
from datasets.testbed.impairments import Impairments  # noqa: E402
from datasets.testbed.labels import Served, label_flows  # noqa: E402
from datasets.testbed.lanes import HOLD_SECONDS, Lane  # noqa: E402
from datasets.testbed.path import Passed  # noqa: E402
from datasets.testbed.rewriting import Nat, checksum, fit, one_hop_less  # noqa: E402

CLIENT, SERVER, OUTSIDE = "10.1.1.2", "192.0.2.9", "198.51.100.7"
CLIENT6, SERVER6, OUTSIDE6 = "2001:db8:1::2", "2001:db8:2::9", "2001:db8:3::7"
GATEWAYS = {"near": ["10.1.1.1", "2001:db8:1::1"], "far": ["192.0.2.1", "2001:db8:2::1"]}
PROTOCOLS = {"udp": 17, "tcp": 6, "icmp": 1, "icmpv6": 58, "esp": 50}


def pseudo(ip: bytes, proto: int, body: bytes) -> bytes:
    if ip[0] >> 4 == 4:
        return ip[12:20] + struct.pack("!BBH", 0, proto, len(body))
    return ip[8:40] + struct.pack("!II", len(body), proto)


def valid(ip: bytes) -> bool:
    """Whether all checksums of a whole packet are right, counted from the start."""
    four = ip[0] >> 4 == 4
    body, proto = (ip[20:], ip[9]) if four else (ip[40:], ip[6])
    if four and checksum(ip[:20]):
        return False
    if proto == 50:
        return True
    return checksum(body if proto == 1 else pseudo(ip, proto, body) + body) == 0


def packet(  # noqa: PLR0917
    src: str, dst: str, kind: str, sport: int = 1000, dport: int = 53, data: bytes = b"hello", flags: int = 0x4000
) -> bytes:
    proto, four = PROTOCOLS[kind], ":" not in src
    if kind == "udp":
        body = struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data
    elif kind == "tcp":
        body = struct.pack("!HHIIBBHHH", sport, dport, 1, 2, 0x50, 0x18, 64, 0, 0) + data
    elif kind in ("icmp", "icmpv6"):
        # An echo: a request from the client, which has the even addresses here, or its reply.
        asks = src in (CLIENT, CLIENT6)
        number = (8 if asks else 0) if kind == "icmp" else (128 if asks else 129)
        body = struct.pack("!BBHHH", number, 0, 0, sport if asks else dport, 1) + data
    else:
        body = struct.pack("!II", 0x1000, 1) + data
    ends = ipaddress.ip_address(src).packed + ipaddress.ip_address(dst).packed
    if four:
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 77, flags, 64, proto, 0) + ends
        header = header[:10] + checksum(header).to_bytes(2, "big") + header[12:]
    else:
        header = struct.pack("!IHBB", 6 << 28, len(body), proto, 64) + ends
    at = {"udp": 6, "tcp": 16, "icmp": 2, "icmpv6": 2}.get(kind)
    if at is not None:
        total = checksum(body if kind == "icmp" else pseudo(header, proto, body) + body) or 0xFFFF
        body = body[:at] + total.to_bytes(2, "big") + body[at + 2 :]
    return header + body


def ends_of(ip: bytes) -> tuple[str, str]:
    cut = (12, 16, 20) if ip[0] >> 4 == 4 else (8, 24, 40)
    return str(ipaddress.ip_address(ip[cut[0] : cut[1]])), str(ipaddress.ip_address(ip[cut[1] : cut[2]]))


# --- what happens to whom ------------------------------------------------------------------------


def fates(path: Impairments, seed: int, count: int = 400) -> list[list[tuple[float, bytes]]]:
    lane = Lane(path, random.Random(seed))
    return [lane.admit(number.to_bytes(2, "big"), number / 10) for number in range(count)]


def test_loss_and_duplicates_come_in_their_shares_and_by_the_seed() -> None:
    path = Impairments(loss=0.1, duplicate=0.2)
    first = fates(path, 4)
    lost, twice = sum(not fate for fate in first), sum(len(fate) == 2 for fate in first)
    assert 20 < lost < 65
    assert 45 < twice < 110
    assert fates(path, 4) == first
    assert fates(path, 5) != first
    # Another impairment beside it leaves the n-th packet's fate as it is.
    slower = fates(Impairments(loss=0.1, duplicate=0.2, delay=30), 4)
    assert [len(fate) for fate in slower] == [len(fate) for fate in first]


def test_reordering_swaps_neighbours_and_loses_nothing() -> None:
    lane = Lane(Impairments(reorder=0.3), random.Random(1))
    order = [item for number in range(300) for _, item in lane.admit(number.to_bytes(2, "big"), number / 10)]
    order += [item for _, item in lane.release(1e9)]
    numbers = [int.from_bytes(item, "big") for item in order]
    assert sorted(numbers) == list(range(300))
    assert 40 < lane.counts.overtaken < 140
    assert numbers != sorted(numbers)
    assert all(abs(number - place) <= 1 for place, number in enumerate(numbers))


def test_a_packet_that_nobody_overtakes_goes_on() -> None:
    class Always(random.Random):
        def random(self) -> float:
            return 0.1

    lane = Lane(Impairments(reorder=0.5), Always())
    assert lane.admit(b"x", 1.0) == []
    assert lane.deadline == pytest.approx(1.0 + HOLD_SECONDS)
    assert lane.release(1.0 + HOLD_SECONDS / 2) == []
    assert lane.release(2.0) == [(2.0, b"x")]
    assert lane.deadline is None


def test_delay_and_jitter_keep_the_order() -> None:
    times = [time for fate in fates(Impairments(delay=200, jitter=300), 9) for time, _ in fate]
    assert times == sorted(times)
    waits = [time - number / 10 for number, time in enumerate(times)]
    assert min(waits) >= 0.2
    assert 0.3 < max(waits) <= 0.51


# --- addresses ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["udp", "tcp", "icmp", "esp"])
@pytest.mark.parametrize("version", [4, 6])
def test_nat_there_and_back(kind: str, version: int) -> None:
    client, server, outside = (CLIENT, SERVER, OUTSIDE) if version == 4 else (CLIENT6, SERVER6, OUTSIDE6)
    kind = "icmpv6" if (kind, version) == ("icmp", 6) else kind
    nat = Nat(outside, random.Random(1))
    out = nat.outward(packet(client, server, kind))
    assert out is not None
    assert valid(out)
    assert ends_of(out) == (outside, server)
    body = 20 if version == 4 else 40
    at = {"udp": 0, "tcp": 0, "esp": None}.get(kind, 4)
    port = 0 if at is None else int.from_bytes(out[body + at : body + at + 2], "big")
    if at is not None:
        assert port != 1000
        assert 20_000 <= port < 60_000
    (row,) = nat.table
    assert row == {
        "ip_proto": PROTOCOLS[kind],
        "address": client,
        "port": 1000 if at is not None else 0,
        "outside_port": port,
    }
    back = nat.inward(packet(server, outside, kind, sport=53, dport=port))
    assert back == packet(server, client, kind, sport=53, dport=1000)
    assert nat.outward(packet(client, server, kind, dport=99)) is not None
    assert len(nat.table) == 1, "the same port of the client's keeps its translation"


def test_nat_refuses_what_nobody_asked_for() -> None:
    nat = Nat(OUTSIDE, random.Random(1))
    assert nat.inward(packet(SERVER, OUTSIDE, "udp", 53, 20_001)) is None
    assert nat.inward(packet(SERVER, CLIENT, "udp", 53, 1000)) is None
    six = packet(CLIENT6, SERVER6, "udp")
    assert nat.outward(six) == six, "the other IP version passes as it is"


def test_nat_translates_what_errors_quote() -> None:
    nat = Nat(OUTSIDE, random.Random(1))
    out = nat.outward(packet(CLIENT, SERVER, "udp"))
    assert out is not None
    error = packet(SERVER, OUTSIDE, "icmp")[:20] + struct.pack("!BBHI", 3, 3, 0, 0) + out
    error = error[:2] + len(error).to_bytes(2, "big") + error[4:10] + b"\0\0" + error[12:]
    error = error[:10] + checksum(error[:20]).to_bytes(2, "big") + error[12:]
    error = error[:22] + checksum(error[20:]).to_bytes(2, "big") + error[24:]
    assert valid(error)
    back = nat.inward(error)
    assert back is not None
    assert valid(back)
    assert ends_of(back) == (SERVER, CLIENT)
    assert ends_of(back[28:]) == (CLIENT, SERVER)
    assert back[48:50] == (1000).to_bytes(2, "big")
    assert valid(back[28:])
    again = nat.outward(error[:12] + back[16:20] + back[12:16] + error[20:28] + packet(SERVER, CLIENT, "udp", 53, 1000))
    assert again is not None
    assert CLIENT not in (*ends_of(again), *ends_of(again[28:])), "the inside does not leak"


def test_nat_keeps_fragments_together() -> None:
    nat = Nat(OUTSIDE, random.Random(1))
    whole = packet(CLIENT, SERVER, "udp", data=bytes(range(250)) * 8, flags=0)
    pieces, _ = fit(whole, 576, b"")
    outside = [nat.outward(piece) for piece in pieces]
    assert {ends_of(piece) for piece in outside if piece} == {(OUTSIDE, SERVER)}
    port = int.from_bytes((outside[0] or b"")[20:22], "big")
    answers, _ = fit(packet(SERVER, OUTSIDE, "udp", 53, port, data=bytes(1400), flags=0), 576, b"")
    inside = [nat.inward(piece) for piece in answers]
    assert [ends_of(piece) for piece in inside if piece] == [(SERVER, CLIENT)] * len(answers)
    assert nat.inward(answers[1][:4] + b"\1\1" + answers[1][6:]) is None, "a later fragment of nothing known"


# --- lengths --------------------------------------------------------------------------------------


def test_fragments_make_the_whole_again() -> None:
    whole = packet(CLIENT, SERVER, "udp", data=bytes(range(256)) * 8, flags=0)
    pieces, error = fit(whole, 700, b"")
    assert error is None
    assert len(pieces) == 4
    # Cut once more on a narrower link: offsets go on from those there are.
    pieces = [part for piece in pieces for part in fit(piece, 576, b"")[0]]
    body = bytearray(len(whole) - 20)
    for number, piece in enumerate(pieces):
        assert len(piece) <= 576
        assert checksum(piece[:20]) == 0
        word = int.from_bytes(piece[6:8], "big")
        assert bool(word & 0x2000) == (number < len(pieces) - 1)
        body[(word & 0x1FFF) * 8 : (word & 0x1FFF) * 8 + len(piece) - 20] = piece[20:]
    assert bytes(body) == whole[20:]


def test_too_big_is_said() -> None:
    router = ipaddress.ip_address("10.1.1.1").packed
    whole = packet(CLIENT, SERVER, "udp", data=bytes(1400))
    pieces, error = fit(whole, 900, router)
    assert pieces == []
    assert error is not None
    assert valid(error)
    assert ends_of(error) == ("10.1.1.1", CLIENT)
    assert error[20:22] == b"\x03\x04"
    assert error[26:28] == (900).to_bytes(2, "big")
    assert whole.startswith(error[28:])
    router = ipaddress.ip_address("2001:db8:1::1").packed
    whole = packet(CLIENT6, SERVER6, "udp", data=bytes(1400))
    pieces, error = fit(whole, 1300, router)
    assert pieces == []
    assert error is not None
    assert valid(error)
    assert error[40:42] == b"\x02\x00"
    assert error[44:48] == (1300).to_bytes(4, "big")
    assert len(error) <= 1280
    assert fit(whole, 1500, router) == ([whole], None)


def test_a_hop_less() -> None:
    for whole in (packet(CLIENT, SERVER, "udp"), packet(CLIENT6, SERVER6, "udp")):
        shorter = one_hop_less(whole)
        assert shorter is not None
        assert valid(shorter)
        assert shorter[8 if whole[0] >> 4 == 4 else 7] == 63
        at = 8 if whole[0] >> 4 == 4 else 7
        assert one_hop_less(whole[:at] + b"\1" + whole[at + 1 :]) is None


@given(st.binary(max_size=90), st.integers(min_value=0, max_value=90))
def test_garbage_stops_nobody(noise: bytes, cut: int) -> None:
    sent: list[tuple[str, bytes]] = []
    path = Impairments(nat=OUTSIDE, mtu=576)
    forwarder = Forwarder(path, 1, GATEWAYS, lambda port, ip: sent.append((port, ip)))
    for whole in (noise, packet(CLIENT, SERVER, "tcp")[:cut], packet(CLIENT6, SERVER6, "icmpv6")[:cut]):
        for port in ("near", "far", "tap", "mid"):
            forwarder.take(port, whole, 1.0)
    forwarder.tick(2.0)
    assert all(ip[0] >> 4 in (4, 6) for _, ip in sent)


# --- the forwarder --------------------------------------------------------------------------------


def test_a_packet_crosses_the_path_and_its_answer_comes_back() -> None:
    sent: list[tuple[str, bytes]] = []
    forwarder = Forwarder(Impairments(nat=OUTSIDE, delay=10), 1, GATEWAYS, lambda port, ip: sent.append((port, ip)))
    forwarder.take("near", packet(CLIENT, SERVER, "udp"), 5.0)
    due = forwarder.tick(5.0)
    assert due == pytest.approx(5.01)
    assert sent == []
    assert forwarder.tick(5.02) is None
    ((port, ip),) = sent
    assert (port, ends_of(ip), ip[8]) == ("tap", (OUTSIDE, SERVER), 63)
    forwarder.take("mid", ip, 5.02)
    assert sent.pop() == ("far", ip)
    outside = int.from_bytes(ip[20:22], "big")
    sent.clear()
    forwarder.take("far", packet(SERVER, OUTSIDE, "udp", 53, outside), 6.0)
    forwarder.tick(7.0)
    ((port, ip),) = sent
    assert (port, ends_of(ip)) == ("mid", (SERVER, OUTSIDE))
    forwarder.take("tap", ip, 7.0)
    port, ip = sent[-1]
    assert (port, ends_of(ip), ip[22:24]) == ("near", (SERVER, CLIENT), (1000).to_bytes(2, "big"))
    counts = forwarder.result["counts"]
    assert (counts["client_to_server"]["packets"], counts["server_to_client"]["packets"]) == (1, 1)
    assert forwarder.result["nat"][0]["outside_port"] == outside


def test_the_routers_own_and_multicast_stay() -> None:
    sent: list[tuple[str, bytes]] = []
    forwarder = Forwarder(Impairments(loss=0.01), 1, GATEWAYS, lambda port, ip: sent.append((port, ip)))
    for destination in ("10.1.1.1", "224.0.0.22", "169.254.1.1"):
        forwarder.take("near", packet(CLIENT, destination, "udp"), 1.0)
    for destination in ("ff02::1", "fe80::1", "2001:db8:1::1"):
        forwarder.take("near", packet(CLIENT6, destination, "udp"), 1.0)
    forwarder.tick(9.0)
    assert sent == []
    assert forwarder.lanes["near"].counts.packets == 0


# --- scenarios and labels -------------------------------------------------------------------------


def test_wrong_paths_are_named(tmp_path: Path) -> None:
    head = 'summary = "s"\nprogram = "ssh"\n[addresses]\nclient = ["10.0.0.2"]\nserver = ["192.0.2.2"]\n[path]\n'
    six = head.replace("10.0.0.2", "2001:db8::2").replace("192.0.2.2", "2001:db8:1::2")
    cases = {
        head + "los = 0.1": "unknown key 'los'; did you mean 'loss'",
        head + "loss = 0.9": "loss 0.9 is not a share",
        head + "mtu = 100": "mtu 100 is not between 576 and 1500",
        head + "delay = -1": "delay -1 is not between",
        head + "snaplen = 20": "snaplen 20 is not between",
        head + 'nat = "2001:db8::1"': "IP version the client lacks",
        head + 'nat = "192.0.2.77"': "is in the subnet of 192.0.2.2",
        head + 'nat = "somewhere"': "somewhere",
        six + "mtu = 900": "less than IPv6's 1280",
    }
    for text, message in cases.items():
        (tmp_path / "case.toml").write_text(text)
        with pytest.raises(ScenarioError, match=message):
            scenario.load("case", tmp_path)
    (tmp_path / "case.toml").write_text(head + "loss = 0\nsnaplen = 96\n")
    loaded = scenario.load("case", tmp_path)
    assert not loaded.path.forwards
    assert loaded.path.stated() == {"snaplen": 96}
    assert loaded.capture_at("client") == "case.client.pcap"


def write_pcap(path: Path, *ips: bytes) -> None:
    out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)
    for ip in ips:
        frame = bytes(12) + (b"\x08\x00" if ip[0] >> 4 == 4 else b"\x86\xdd") + ip
        out += struct.pack("<IIII", 1, 0, len(frame), len(frame)) + frame
    path.write_bytes(out)


def test_errors_about_stated_flows_are_icmp_and_others_fail(tmp_path: Path) -> None:
    asked = packet(CLIENT, SERVER, "udp")
    error = fit(packet(CLIENT, SERVER, "udp", data=bytes(1400)), 900, ipaddress.ip_address("10.1.1.1").packed)[1]
    assert error is not None
    write_pcap(tmp_path / "a.pcap", asked, error)
    served = Served(address=SERVER, port=53, ip_proto=17, family="dns")
    labels = label_flows(tmp_path / "a.pcap", [served])
    assert [(label.family, label.src_ip, label.frame) for label in labels] == [
        ("dns", CLIENT, 1),
        ("icmp", "10.1.1.1", 2),
    ]
    other = fit(packet(CLIENT, SERVER, "udp", dport=54, data=bytes(1400)), 900, b"\x0a\1\1\1")[1]
    assert other is not None
    write_pcap(tmp_path / "b.pcap", asked, other)
    with pytest.raises(TestbedError, match="nobody stated the flow that begins in frame 2"):
        label_flows(tmp_path / "b.pcap", [served])


def test_later_fragments_begin_no_flow(tmp_path: Path) -> None:
    pieces, _ = fit(packet(CLIENT, SERVER, "udp", data=bytes(2000), flags=0), 900, b"")
    first, later = (struct.pack("!BBHI", 17, 0, offset, 9) for offset in (1, 8 << 3))
    six = packet(CLIENT6, SERVER6, "udp")
    header = six[:4] + (8 + len(six) - 40).to_bytes(2, "big") + b"\x2c" + six[7:40]
    write_pcap(tmp_path / "a.pcap", *pieces, header + later + six[40:], header + first + six[40:])
    served = [Served(address=address, port=53, ip_proto=17, family="dns") for address in (SERVER, SERVER6)]
    assert [label.frame for label in label_flows(tmp_path / "a.pcap", served)] == [1, len(pieces) + 2]


def test_what_the_client_serves_has_another_address_outside() -> None:
    nat = ({"ip_proto": 17, "address": CLIENT, "port": 5060, "outside_port": 31_000},)
    passed = Passed(counts={}, nat=nat)
    own = Served(address=CLIENT, port=5060, ip_proto=17, family="sip")
    far = Served(address=SERVER, port=53, ip_proto=17, family="dns")
    moved, same = passed.from_outside([own, far], OUTSIDE)
    assert (moved.address, moved.port, moved.family) == (OUTSIDE, 31_000, "sip")
    assert same == far
    assert passed.from_outside([own], None) == [own]

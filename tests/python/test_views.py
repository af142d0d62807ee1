"""Views of a capture: what each may hold, that labels go with their flows, that two decoders tell the same flows."""

from __future__ import annotations

import ipaddress
import itertools
import struct
import subprocess
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from capture_files import START_NS, exchange, pcap, pcapng, read_pcap, udp_frame
from conftest import ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowclass.accuracy.ends import ends_of
from flowclass.accuracy.frames import Frame, read_frames, write_pcap
from flowclass.accuracy.labels import Label, LabelledCapture, flow_key, read_labels
from flowclass.accuracy.look import look
from flowclass.accuracy.views import CUT, Packet, cut, labels_in, packets_of, write_view
from flowclass.errors import SourceError
from flowclass.sources.file import FileSource

OUR_CAPTURES = sorted((ROOT / "datasets" / "captures").glob("*.pcap*"))


def tcp_frame(src: str, src_port: int, dst: str, dst_port: int, *, flags: int, payload: bytes = b"") -> bytes:
    tcp = struct.pack(">HHIIBBHHH", src_port, dst_port, 1, 1, 5 << 4, flags, 1024, 0, 0) + payload
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0)
    return b"\x02\0\0\0\0\1\x02\0\0\0\0\2\x08\x00" + ip + packed(src) + packed(dst) + tcp


def packed(address: str) -> bytes:
    return ipaddress.ip_address(address).packed


def framed(octets: bytes, time: int = START_NS, link_type: int = 1) -> Frame:
    return Frame(time, link_type, octets, len(octets))


@st.composite
def some_frames(draw: st.DrawFn) -> list[Frame]:
    """Frames of a few UDP and TCP flows in both directions, and a few that have no flow."""
    frames = []
    for number in range(draw(st.integers(0, 80))):
        client, port = f"10.0.0.{draw(st.integers(1, 3))}", draw(st.integers(1000, 1002))
        ends = (client, port, "10.0.0.9", 443)
        if draw(st.booleans()):
            ends = (*ends[2:], *ends[:2])
        payload = bytes(draw(st.integers(0, 200)))
        kind = draw(st.sampled_from(("udp", "tcp", "syn", "arp")))
        octets = {
            "udp": udp_frame(*ends, payload),
            "tcp": tcp_frame(*ends, flags=0x10, payload=payload),
            "syn": tcp_frame(*ends, flags=0x02),
            "arp": b"\xff" * 12 + b"\x08\x06" + bytes(46),
        }[kind]
        frames.append(framed(octets, START_NS + number))
    return frames


def by_flow(packets: list[Packet]) -> dict[object, list[Packet]]:
    flows = defaultdict(list)
    for one in packets:
        flows[one.key].append(one)
    return flows


@given(some_frames(), st.sampled_from(CUT), st.text(max_size=4))
def test_a_view_adds_nothing(frames: list[Frame], view: str, seed: str) -> None:
    full = packets_of(frames)
    kept = cut(full, view, seed)
    assert cut(full, view, seed) == kept, "the same seed, the same view"
    numbers = [one.number for one in kept]
    assert len(set(numbers)) == len(numbers)
    for one in kept:
        whole = frames[one.number - 1]
        assert whole.octets.startswith(one.frame.octets)
        assert one.frame.wire_length == whole.wire_length
        assert view == "snaplen-96" or one.frame.octets == whole.octets
    assert view == "reordered-5" or numbers == sorted(numbers)
    times = [one.frame.time for one in kept]
    assert times == sorted(times)


@given(some_frames())
def test_short_frames(frames: list[Frame]) -> None:
    full = packets_of(frames)
    kept = cut(full, "snaplen-96", "")
    assert [len(one.frame.octets) for one in kept] == [min(96, len(one.frame.octets)) for one in full]


@given(some_frames())
def test_directions_are_halves_of_a_whole(frames: list[Frame]) -> None:
    full = packets_of(frames)
    halves = [cut(full, view, "") for view in ("to-server", "to-client")]
    assert sorted(one.number for half in halves for one in half) == [one.number for one in full]
    for half in halves:
        assert all(len({one.sender for one in flow}) == 1 for flow in by_flow(half).values())


@given(some_frames())
def test_mid_flow_leaves_half_of_a_flow_and_ten_packets_out(frames: list[Frame]) -> None:
    full = by_flow(packets_of(frames))
    kept = by_flow(cut(packets_of(frames), "mid-flow", ""))
    for key, flow in full.items():
        assert kept.get(key, []) == flow[max(10, len(flow) // 2) :]


@given(some_frames(), st.text(max_size=4))
def test_late_frames_are_all_there_and_not_very_late(frames: list[Frame], seed: str) -> None:
    full = packets_of(frames)
    kept = cut(full, "reordered-5", seed)
    assert sorted(one.number for one in kept) == [one.number for one in full]
    places = {one.number: place for place, one in enumerate(full)}
    for place, one in enumerate(kept):
        assert place - places[one.number] <= 3


def test_about_one_in_twenty_is_lost_or_late() -> None:
    full = packets_of([framed(octets, time) for time, octets in exchange(20_000)])
    lost = {seed: len(full) - len(cut(full, "loss-5", seed)) for seed in "ab"}
    assert all(880 < count < 1120 for count in lost.values()), lost  # 1,000, and four deviations of 31 either way
    assert cut(full, "loss-5", "a") != cut(full, "loss-5", "b")
    late = cut(full, "reordered-5", "a")
    moved_back = sum(earlier.number > later.number for earlier, later in itertools.pairwise(late))
    assert 800 < moved_back < 1120


def test_a_view_that_there_is_not() -> None:
    with pytest.raises(ValueError, match=r"no view 'half'.*mid-flow"):
        cut([], "half", "")


@pytest.mark.parametrize(
    ("frames", "client"),
    [
        ([("b", 0x12), ("a", 0x10), ("b", 0x18)], "a"),  # SYN and ACK come first: the capture began late
        ([("b", 0x18), ("a", 0x02), ("b", 0x12)], "a"),  # a port used again
        ([("b", 0x18), ("a", 0x18)], "b"),  # nothing but the order to go by
    ],
)
def test_who_is_the_client(frames: list[tuple[str, int]], client: str) -> None:
    ends = {"a": ("10.0.0.1", 1000, "10.0.0.2", 443), "b": ("10.0.0.2", 443, "10.0.0.1", 1000)}
    full = packets_of(
        [framed(tcp_frame(*ends[who], flags=flags), START_NS + n) for n, (who, flags) in enumerate(frames)]
    )
    sent = cut(full, "to-server", "")
    assert {one.sender for one in sent} == {(packed(ends[client][0]), ends[client][1])}


def labelled(port: int, frame: int, *, depth: int = 0, server: str = "10.0.0.9") -> Label:
    key = flow_key({"src_ip": "10.0.0.1", "src_port": port, "dst_ip": server, "dst_port": 443, "ip_proto": 17})
    return Label(
        key=key, frame=frame, depth=depth, family="openvpn", accept=("openvpn",), variant=None, certainty="certain",
        scope="gate",
    )  # fmt: skip


def test_labels_go_with_their_flows() -> None:
    """Port 1 has payload in both directions, 2 only to the server, 3 none that has payload, 4 is inside a tunnel."""
    to, back = ("10.0.0.9", 443), ("10.0.0.1",)
    frames = [
        framed(udp_frame("10.0.0.1", 1, *to, b"x")),
        framed(udp_frame("10.0.0.1", 2, *to, b"x")),
        framed(udp_frame("10.0.0.1", 3, *to, b"")),
        framed(udp_frame(*to, *back, 3, b"")),
        framed(udp_frame(*to, *back, 1, b"x")),
        framed(udp_frame("10.0.0.1", 5, *to, b"x")),
    ]
    full = packets_of(frames)
    known = LabelledCapture(
        name="a.pcap",
        sha256="0" * 64,
        unvouched=frozenset({6}),
        labels=(labelled(1, 1), labelled(2, 2), labelled(3, 3), labelled(4, 1, depth=1)),
    )
    back_only = labels_in(known, full, cut(full, "to-client", ""))
    assert [(one.key, one.frame) for one in back_only.labels] == [(labelled(1, 1).key, 2)]
    assert back_only.sha256 is None
    both = labels_in(known, full, full)
    assert [one.frame for one in both.labels] == [1, 2]
    # A flow whose label is not in the view is not a negative for that; nor is one that nobody vouches for.
    for port, negative in ((1, False), (3, False), (5, False), (6, True)):
        assert both.is_negative(labelled(port, 1).key, 1) is negative


def test_the_full_view_of_our_captures_keeps_every_label() -> None:
    known = read_labels(ROOT / "datasets" / "labels.jsonl")
    lost = []
    for path in OUR_CAPTURES:
        full = packets_of(read_frames(path.read_bytes()))
        kept = {label.key for label in labels_in(known[path.name], full, full).labels}
        lost += [(path.name, one.frame) for one in known[path.name].labels if one.depth == 0 and one.key not in kept]
    assert not lost


@pytest.mark.parametrize("path", OUR_CAPTURES, ids=lambda path: path.name)
def test_both_decoders_tell_the_same_flows(path: Path) -> None:
    seen, _ = look(FileSource(path), LabelledCapture(name=path.name))
    first: dict[object, int] = {}
    for one in packets_of(read_frames(path.read_bytes())):
        first.setdefault(one.key, one.number)
    assert first == seen.first_frames


@pytest.mark.parametrize("view", CUT)
def test_views_can_be_read_by_the_engine(view: str, tmp_path: Path) -> None:
    path = next(path for path in OUR_CAPTURES if path.suffix == ".pcapng")
    (tmp_path / "v.pcap").write_bytes(write_view(path.read_bytes(), view, path.name))
    seen, report = look(FileSource(tmp_path / "v.pcap"), LabelledCapture(name="v.pcap"))
    assert report.problem == "none"
    kept = cut(packets_of(read_frames(path.read_bytes())), view, path.name)
    assert set(seen.first_frames) == {one.key for one in kept}


@given(some_frames())
def test_what_is_written_is_read_again(frames: list[Frame]) -> None:
    assert read_frames(write_pcap(frames)) == frames


@pytest.mark.parametrize("big_endian", [False, True])
def test_every_container_gives_the_same_frames(big_endian: bool) -> None:
    given = exchange(5)
    whole = [(frame.time, frame.octets) for frame in read_frames(pcap(given, big_endian=big_endian))]
    assert whole == [(time, octets) for time, octets in given]
    ng = [(frame.time, frame.octets) for frame in read_frames(pcapng(given, big_endian=big_endian))]
    assert ng == whole
    coarse = read_frames(pcap(given, nanoseconds=False, big_endian=big_endian))
    assert [frame.time for frame in coarse] == [time // 1000 * 1000 for time, _ in given]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 400), st.integers(0, 255), st.booleans())
def test_hostile_captures_end_where_they_end(at: int, octet: int, ng: bool) -> None:
    whole = bytearray((pcapng if ng else pcap)(exchange(4)))
    whole[at % len(whole)] = octet
    for octets in (bytes(whole), bytes(whole[: at % len(whole)])):
        try:
            frames = read_frames(octets)
        except SourceError:
            continue
        assert sum(len(frame.octets) for frame in frames) <= len(octets)
        assert len(packets_of(frames)) <= len(frames)


@given(st.binary(max_size=120), st.sampled_from((0, 1, 9, 12, 50, 101, 104, 108, 113, 127, 228, 229, 276)))
def test_any_octets_have_ends_or_none(octets: bytes, link_type: int) -> None:
    ends = ends_of(framed(octets, link_type=link_type))
    assert ends is None or len(ends.src[0]) in (4, 16)


def test_links_and_what_stands_before_ip() -> None:
    ip = udp_frame("10.0.0.1", 1000, "10.0.0.2", 443, b"x")[14:]
    heads = [
        (1, bytes(12) + b"\x81\x00\x00\x05\x08\x00"),
        (1, bytes(12) + b"\x88\xa8\x00\x05\x81\x00\x00\x06\x08\x00"),
        (1, bytes(12) + b"\x88\x47\x00\x01\x00\x40\x00\x02\x01\x40"),  # two MPLS labels, the second the last
        (1, bytes(12) + b"\x88\x64\x11\x00\x00\x01\x00\x20\x00\x21"),
        (0, b"\x02\0\0\0"),
        (0, b"\0\0\0\x02"),
        (9, b"\xff\x03\x00\x21"),
        (9, b"\x21"),
        (101, b""),
        (104, b"\x0f\x00\x08\x00"),
        (113, bytes(14) + b"\x08\x00"),
        (276, b"\x08\x00" + bytes(18)),
    ]
    for link_type, head in heads:
        ends = ends_of(framed(head + ip, link_type=link_type))
        assert ends is not None, (link_type, head.hex())
        assert (ends.src, ends.dst) == ((packed("10.0.0.1"), 1000), (packed("10.0.0.2"), 443))


def test_fragments_go_with_their_first() -> None:
    def fragment(place: int, body: bytes, identification: int = 7) -> Frame:
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), identification, place, 64, 17, 0)
        return framed(bytes(12) + b"\x08\x00" + ip + packed("10.0.0.1") + packed("10.0.0.2") + body)

    first = struct.pack(">HHHH", 1000, 443, 8 + 32, 0) + bytes(8)
    # The last one comes first, and one belongs to a packet that is not there.
    packets = packets_of([fragment(2, bytes(24)), fragment(0x2000, first), fragment(2, bytes(24), 8)])
    assert [one.number for one in packets] == [1, 2]
    assert len({one.key for one in packets}) == 1


def test_one_link_type_in_a_view() -> None:
    ip = udp_frame("10.0.0.1", 1000, "10.0.0.2", 443, b"x")
    frames = [framed(bytes(3), link_type=147), framed(ip), framed(ip[14:], link_type=101)]
    assert [one.number for one in packets_of(frames)] == [2]
    with pytest.raises(ValueError, match="link types"):
        write_pcap(frames)


def test_the_command(tmp_path: Path) -> None:
    from datasets.testbed.__main__ import main

    (tmp_path / "a.pcap").write_bytes(pcap(exchange(30)))
    arguments = ["cut", str(tmp_path / "a.pcap"), "-o", str(tmp_path / "b.pcap"), "--view", "mid-flow"]
    assert main(arguments) == 0
    frames, link_type = read_pcap(tmp_path / "b.pcap")
    assert frames == exchange(30)[15:]
    assert link_type == 1
    assert main([*arguments[:-1], "none"]) == 1
    assert main(["cut", str(tmp_path / "no.pcap"), *arguments[2:]]) == 1


@pytest.mark.tshark
def test_tshark_counts_the_same_frames_by_direction(tshark: str, tmp_path: Path) -> None:
    path = ROOT / "datasets" / "captures" / "https-tls13.pcap"
    (tmp_path / "v.pcap").write_bytes(write_view(path.read_bytes(), "to-client", path.name))
    shown = subprocess.run(
        [tshark, "-r", str(tmp_path / "v.pcap"), "-T", "fields", "-e", "tcp.srcport"],
        check=True, capture_output=True, text=True,
    ).stdout.split()  # fmt: skip
    whole = subprocess.run(
        [tshark, "-r", str(path), "-Y", "tcp.srcport == 443", "-T", "fields", "-e", "tcp.srcport"],
        check=True, capture_output=True, text=True,
    ).stdout.split()  # fmt: skip
    assert Counter(shown) == Counter(whole) == {"443": len(whole)}

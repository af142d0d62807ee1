"""``flowclass verify``: its words, exit codes and bounds, with tshark or with a stand-in for it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from capture_files import exchange, pcap
from conftest import Command

from flowclass.verify import compare as comparing
from flowclass.verify.compare import KINDS
from flowclass.verify.flows import Flow, Side
from flowclass.verify.known import Facts, known, rules
from flowclass.verify.names import LAYERS
from flowclass.verify.worker import Flows

NOTHING = Facts(
    kind="family", ours="openvpn", variant="", reads={}, names={}, through=frozenset(), ports=frozenset({5000}),
    proto=17, skipped=frozenset(), stopped=False, inside=False, dissector=True, by_port=False, off_port=True,
    truncated=False, late=False, timeless=False,
)  # fmt: skip


def test_the_table_is_sound() -> None:
    assert len(rules()) > 5
    assert len({rule.id for rule in rules()}) == len(rules())
    for rule in rules():
        assert set(rule.kinds) <= set(KINDS), rule.id
        assert set(rule.reads) <= {*LAYERS, "nothing"}, rule.id
        assert rule.reason.endswith("."), rule.id
        # None takes everything of its kind.
        asked = (rule.ours, rule.reads, rule.names, rule.ports, rule.protos, rule.skipped, rule.through, rule.variants)
        flags = (
            rule.stopped,
            rule.inside,
            rule.dissector,
            rule.by_port,
            rule.off_port,
            rule.truncated,
            rule.late,
            rule.timeless,
        )
        assert any(asked) or any(flag is not None for flag in flags), rule.id


def test_a_vpn_that_tshark_would_have_to_see_is_no_known_difference() -> None:
    from dataclasses import replace

    found = known(NOTHING)
    assert found is not None
    assert found.id == "tunnel-off-port"
    assert known(replace(NOTHING, ours="wireguard")) is None  # tshark knows it on any port
    assert known(replace(NOTHING, off_port=False)) is None
    assert known(replace(NOTHING, kind="packets")) is None


@pytest.mark.tshark
def test_equal(tshark: str, captures: Path, flowclass_command: Command) -> None:
    pytest.importorskip("pyshark")
    ended = flowclass_command(
        "verify", captures / "wireguard-udp-443.pcapng", captures / "dns-udp-port-1194-awkward.pcap"
    )
    assert ended.code == 0, ended.out
    assert "wireguard-udp-443.pcapng: 1 flows here, 1 at tshark, 1 equal" in ended.out
    assert "4 port-against-evidence: tshark reads what its table has for the port" in ended.out
    assert "4 known differences, 0 others" in ended.out


@pytest.mark.tshark
def test_a_packet_more_is_told(
    tshark: str, captures: Path, flowclass_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A difference that is none of the known ones: the sentence, the frames, our evidence, and exit code 10."""
    pytest.importorskip("pyshark")
    right = comparing.ours

    def wrong(path: Path, name: str) -> tuple[Side, object]:
        side, balance = right(path, name)
        for flow in side.flows.values():
            flow.packets[0] += 1
        return side, balance

    monkeypatch.setattr(comparing, "ours", wrong)
    ended = flowclass_command("verify", captures / "wireguard-udp-443.pcapng", "--json")
    assert ended.code == 10
    document = json.loads(ended.out)
    (told,) = document["captures"][0]["differences"]
    assert (document["unexplained"], told["kind"], told["known"]) == (1, "packets", None)
    assert told["ours"]["packets"][0] == told["tshark"]["packets"][0] + 1
    assert told["tshark"]["frames"][:3] == [3, 4, 5]
    echo = next(check for check in told["evidence"] if check["rule"] == "wireguard.index_echo")
    assert (echo["frame"], echo["offset"], echo["length"]) == (4, 8, 4)
    assert (
        "wireguard.index_echo  32.0 bits, frame 4, octets 8 to 11"
        in flowclass_command("verify", captures / "wireguard-udp-443.pcapng").out
    )


@pytest.mark.tshark
def test_cut_and_compressed(tshark: str, tmp_path: Path, flowclass_command: Command) -> None:
    import gzip

    pytest.importorskip("pyshark")
    (tmp_path / "cut.pcap.gz").write_bytes(gzip.compress(pcap(exchange())[:-5]))
    ended = flowclass_command("verify", tmp_path / "cut.pcap.gz")
    assert ended.code == 3
    assert "1 flows here, 1 at tshark, 1 equal" in ended.out
    assert "The capture is cut short" in ended.out


def test_missing_programs(tmp_path: Path, flowclass_command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.pcap").write_bytes(pcap(exchange()))
    monkeypatch.setenv("PATH", str(tmp_path))
    ended = flowclass_command("verify", tmp_path / "a.pcap")
    assert ended.code == 5
    assert "tshark is not installed; verify compares with tshark through pyshark: install both" in ended.err


def _stand_in(folder: Path, reads: str) -> None:
    program = folder / "tshark"
    program.write_text(
        '#!/bin/sh\ncase "$*" in\n*version*|-v) echo "TShark (Wireshark) 4.0.0" ;;\n"-G decodes") ;;\n'
        f"*) {reads} ;;\nesac\n"
    )
    program.chmod(0o755)


@pytest.mark.parametrize(
    ("reads", "words"),
    [
        ("exec /bin/sleep 600", "did not answer within 2 s"),
        ("kill -SEGV $$", "note     tshark: it "),
    ],
    ids=["hangs", "crashes"],
)
def test_tshark_that_does_not_answer(
    reads: str, words: str, tmp_path: Path, flowclass_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyshark")
    (tmp_path / "a.pcap").write_bytes(pcap(exchange()))
    _stand_in(tmp_path, reads)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    began = time.monotonic()
    ended = flowclass_command("verify", tmp_path / "a.pcap", "--timeout", "2s" if "sleep" in reads else "60s")
    assert time.monotonic() - began < 60
    assert words in ended.out
    assert ended.code == 3


def test_nothing_to_read(tmp_path: Path, flowclass_command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyshark")
    _stand_in(tmp_path, "exit 0")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    ended = flowclass_command("verify", tmp_path / "nowhere.pcap")
    assert ended.code == 4
    assert "nowhere.pcap: cannot be read: no such file or directory; check the name" in ended.err


def test_flows_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from flowclass.verify import worker

    class Field:
        def __init__(self, show: str) -> None:
            self.show = show
            self.all_fields = [self]

    class Layer:
        layer_name = "ip"

        def __init__(self, source: str) -> None:
            self.fields = {"ip.src": source, "ip.dst": "192.0.2.1", "ip.proto": "50", "ip.len": "60"}

        def get_field(self, name: str) -> Field | None:
            return Field(self.fields[name]) if name in self.fields else None

    class Packet:
        def __init__(self, number: int) -> None:
            self.number, self.sniff_timestamp = str(number), f"{number}.5"
            self.layers = [Layer(f"10.0.0.{number}")]

    monkeypatch.setattr(worker, "MOST_FLOWS", 3)
    flows = Flows()
    for number in (1, 2, 3, 3):
        flows.add(Packet(number))
    assert [flow.packets for flow in flows.flows.values()] == [[1, 0], [1, 0], [2, 0]]
    with pytest.raises(OverflowError, match="more than 3 flows"):
        flows.add(Packet(4))


def test_sums_of_segments() -> None:
    flow = Flow()
    flow.add(packets=[1, 0], octets=[60, 0], start=5, end=5, frames=[9])
    flow.add(packets=[0, 2], octets=[0, 80], start=3, end=7, frames=[1, 2])
    assert (flow.packets, flow.octets, flow.start, flow.end, flow.frames) == ([1, 2], [60, 80], 3, 7, [1, 2, 9])

"""Linked flows: an IKE exchange and the ESP it sets up. What is found depends on the packets alone."""

from __future__ import annotations

import random
import struct
from typing import Any

import pytest

import flowclass
from flowclass.engine import Engine

RAW_IP = 101
SECOND = 1_000_000_000
START = 1_732_000_000 * SECOND
WINDOW = 120 * SECOND
UDP, ESP = 17, 50

Packets = list[tuple[int, bytes]]


def ip_packet(pair: int, back: bool, protocol: int, body: bytes) -> bytes:
    ends = [bytes([10, 0, pair, 1]), bytes([192, 0, 2, pair])]
    header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0, 64, protocol, 0)
    return header + b"".join(reversed(ends) if back else ends) + body


def ike(time: int, pair: int, spi: int, port: int = 500) -> Packets:
    """Give an IKE_SA_INIT exchange of two messages, each of one SA payload (RFC 7296 §3.1)."""
    packets = []
    for back in (False, True):
        payload = struct.pack(">BBH", 0, 0, 12) + bytes(8)
        marker = bytes(4) if port == 4500 else b""
        message = (
            struct.pack(">QQBBBBII", spi << 56 | spi, 7 if back else 0, 33, 0x20, 34, 0x20 if back else 0x08, 0, 40)
            + payload
        )
        body = marker + message
        packets.append(
            (
                time + back * 1_000_000,
                ip_packet(pair, back, UDP, struct.pack(">HHHH", port, port, 8 + len(body), 0) + body),
            )
        )
    return packets


def esp(time: int, pair: int, count: int = 4, gap: int = SECOND // 10) -> Packets:
    """Give ESP packets of one direction (RFC 4303 §2)."""
    return [
        (time + number * gap, ip_packet(pair, False, ESP, struct.pack(">II", 0x10000 + pair, 1 + number) + bytes(96)))
        for number in range(count)
    ]


def rows(packets: Packets, *, threads: int = 1, piece: int = 1 << 20, options: Any = None) -> list[dict[str, Any]]:
    engine = Engine(options or flowclass.EngineOptions(), threads=threads)
    engine.begin_source("")
    batches = []
    for at in range(0, len(packets), piece):
        engine.push_packets(RAW_IP, packets[at : at + piece])
        batches += engine.poll()
    engine.end_source()
    return [row for batch in batches + engine.finish() for row in batch.to_pylist()]


def leaders(packets: Packets, **options: Any) -> dict[str, list[str | None]]:
    """Give for each following flow, by when it began, which flow led it, by when that began."""
    found = rows(sorted(packets, key=lambda packet: packet[0]), **options)
    begun = {row["flow_id"]: row["time_start"] for row in found}
    return {
        row["flow_id"]: [str(begun.get(row["linked_flow_id"])), row["linked_flow_id"]]
        for row in found
        if row["protocol"] == "esp" or row["src_port"] == 4500
    }


def led(packets: Packets, **options: Any) -> bool:
    (found,) = leaders(packets, **options).values()
    return found[1] is not None


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("quiet", [0, 3600 * SECOND], ids=["end of input", "an hour later"])
def test_a_leader_is_found_within_the_window(threads: int, quiet: int) -> None:
    later = ike(START + quiet, 9, 99) if quiet else []
    for gap, expected in (
        (2_000_000, True),
        (10 * SECOND, True),
        (WINDOW, True),
        (WINDOW + 1, False),
        (-SECOND, False),
    ):
        packets = ike(START, 1, 5) + esp(START + gap, 1) + later
        assert led(packets, threads=threads) is expected, gap


def test_other_addresses_lead_nothing() -> None:
    assert not led(ike(START, 2, 5) + esp(START + SECOND, 1))


def test_the_check_says_so() -> None:
    found = rows(ike(START, 1, 5) + esp(START + SECOND, 1))
    (follower,) = (row for row in found if row["protocol"] == "esp")
    (leader,) = (row for row in found if row["protocol"] == "ike")
    check = follower["evidence"][-1]
    assert check["rule"] == "link.ike"
    assert (check["packet"], check["length"], check["bits"]) == (0, 0, 8)
    assert check["time"] == leader["time_start"]
    assert follower["linked_flow_id"] == leader["flow_id"]
    assert follower["evidence_bits"] == sum(one["bits"] for one in follower["evidence"])


def test_the_same_spi_is_preferred_to_the_newest() -> None:
    packets = ike(START, 1, 5) + ike(START + 40 * SECOND, 1, 6, port=501) + ike(START + 60 * SECOND, 1, 5, port=4500)
    found = rows(sorted(packets))
    (follower,) = (row for row in found if row["src_port"] == 4500)
    (leader,) = (row for row in found if row["src_port"] == 500)
    assert follower["linked_flow_id"] == leader["flow_id"]
    assert follower["evidence"][-1]["rule"] == "link.ike_spi"


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("active", [2 * SECOND, 1800 * SECOND], ids=["segments", "whole"])
def test_cuts_and_threads_change_nothing(seed: int, active: int) -> None:
    dice = random.Random(seed)
    now, packets = START, []
    for _ in range(300):
        now += dice.choice([0, 100_000_000, SECOND, 7 * SECOND, 20 * SECOND, dice.choice([1, 700 * SECOND])])
        pair = dice.randrange(4)
        if dice.random() < 0.5:
            packets += ike(now, pair, dice.randrange(1, 9), dice.choice([500, 501, 502, 4500]))
        else:
            packets += esp(now, pair, dice.choice([1, 3, 30]), dice.choice([1_000, SECOND]))
    packets.sort(key=lambda packet: packet[0])
    options = flowclass.EngineOptions(active_timeout_ns=active, idle_timeout_ns=30 * SECOND)
    whole = rows(packets, options=options)
    assert sum(row["linked_flow_id"] is not None for row in whole) > 10
    for threads, piece in ((1, 1), (1, 7), (2, 13), (3, 1000)):
        assert rows(packets, threads=threads, piece=piece, options=options) == whole

"""A full disk, a receiver that ends, an interface that goes, under a live run: words, every packet accounted for."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from capture_files import exchange
from running import live, until
from wire import NEAR, Wire, ip, own_wire

import flowclass


@pytest.fixture
def wire() -> Iterator[Wire]:
    with own_wire() as made:
        yield made


def flows(count: int) -> Iterator[bytes]:
    """Give flows of two packets."""
    for number in range(count):
        for _, frame in exchange(2, client=f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"):
            yield frame


def ended(process: subprocess.Popen[bytes]) -> tuple[dict[str, Any], str]:
    """Give the summary and what was said besides; no packet may be unaccounted for."""
    said, words = process.communicate(timeout=120)
    summary: dict[str, Any] = json.loads(said)
    facts = summary["captured"][NEAR]
    assert facts["received"] == facts["handed_on"] + facts["kernel_dropped"] + facts["own_dropped"]
    assert summary["balance"]["closed"]
    assert summary["balance"]["packets_read"] == facts["handed_on"] > 0
    return summary, words.decode()


PIPES: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
QUICK = ("--json", "--idle-timeout", "200ms")


def test_a_full_disk_ends_the_run_with_words_and_a_summary(tmp_path: Path, wire: Wire) -> None:
    mount = shutil.which("mount")
    disk = tmp_path / "disk"
    disk.mkdir()
    if mount is None or subprocess.run([mount, "-t", "tmpfs", "-o", "size=256k", "none", disk], check=False).returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    try:
        process = live("-i", NEAR, "-o", disk / "flows.jsonl", *QUICK, **PIPES)
        wire.when_captured(lambda: wire.send(flows(3000)))
        summary, words = ended(process)
        assert process.returncode == 6
        assert "no space left on device" in words.lower()
        assert str(disk) in words
        assert 0 < summary["flows"] + summary["counters"]["flows_alive"] <= 3000, "what was left in the ring is in none"
        assert list(disk.iterdir()) == [], "what is not whole is not there"
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize(("how", "code"), [("wait", 6), ("drop", 3)])
def test_a_receiver_that_ends(tmp_path: Path, wire: Wire, how: str, code: int) -> None:
    at = tmp_path / "flows"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(at))
        listening.listen()
        listening.settimeout(60)
        process = live("-i", NEAR, "-o", f"unix://{at}", "--on-slow", how, "--duration", "4s", *QUICK, **PIPES)
        receiver, _ = listening.accept()
        wire.when_captured(lambda: wire.send(flows(200)))
        receiver.settimeout(60)
        assert receiver.recv(100)
        receiver.close()
        listening.close()
        at.unlink()
        wire.send(flows(200))
        until(lambda: process.poll() if how == "wait" else 0)
        summary, words = ended(process)
    assert process.returncode == code
    (told,) = summary["delivered"]
    if how == "wait":
        assert f"error: unix://{at}" in words
        assert told["given"] < 400 or told["delivered"] < 400
    else:
        assert told["given"] == told["delivered"] + told["dropped"] == summary["flows"]
        assert told["dropped"] > 0
        assert told["sentence"]


class Set:
    """A clock of the machine that can be set."""

    def __init__(self) -> None:
        self.ahead_ns = 0
        self.monotonic = time.monotonic

    def time_ns(self) -> int:
        return time.time_ns() + self.ahead_ns


def test_a_clock_that_is_set_forward_and_back(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """The packets' times are the kernel's; what is set here is what silence goes by, which moves the clock as well."""
    from flowclass.sources import live as source

    clock = Set()
    monkeypatch.setattr(source, "time", clock)
    stream = flowclass.stream(NEAR, options=flowclass.EngineOptions(idle_timeout_ns=100_000_000))
    batches = iter(stream)

    def reasons() -> list[str]:
        return next(batches).column("end_reason").to_pylist()

    wire.send(flows(1))
    assert reasons() == ["idle"]
    clock.ahead_ns = 3 * 365 * 86_400 * 1_000_000_000
    wire.send(flows(2))
    assert reasons() == ["idle", "idle"]
    wire.send(flows(3))
    clock.ahead_ns = 0
    found = reasons()
    assert found in (["forced"] * 3, ["idle"] * 3), (
        "as the silence that was still told in the future came before or after"
    )
    wire.send(flows(4))
    while (found := reasons()) == ["forced"] * 4:  # they came before it was noticed
        wire.send(flows(4))
    assert found == ["idle"] * 4
    stream.close()
    assert list(batches) == []
    assert stream.balance.closed
    assert stream.captured[NEAR].handed_on == stream.balance.packets_read


def test_an_interface_that_is_taken_away(tmp_path: Path, wire: Wire) -> None:
    process = live("-i", NEAR, "-o", tmp_path / "flows.jsonl", "--json", **PIPES)
    wire.when_captured(lambda: wire.send(flows(100)))
    ip("link", "delete", NEAR)
    summary, words = ended(process)
    assert process.returncode == 3
    assert f"{NEAR}: the interface is gone" in words + json.dumps(summary["sources"])
    assert summary["flows"] == len((tmp_path / "flows.jsonl").read_text().splitlines()) == 100
    assert summary["captured"][NEAR]["received"] == 200

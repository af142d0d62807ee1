"""What the service manager is told, by a socket that stands for it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from running import live

from flowclass.service.manager import Manager


def listening(name: str) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.settimeout(60)
    made.bind(name)
    return made


@pytest.mark.parametrize("abstract", [False, True])
def test_words_of_the_protocol(tmp_path: Path, abstract: bool) -> None:
    name = f"\0flowclass-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with listening(name) as told:
        environment = {"NOTIFY_SOCKET": name.replace("\0", "@"), "WATCHDOG_USEC": "1", "WATCHDOG_PID": str(os.getpid())}
        manager = Manager(environment)
        assert environment == {}, "no child takes it for its own"
        assert manager.present
        manager.ready("reading")
        manager.alive()
        manager.reloading()
        manager.stopping()
        manager.stopping()
        manager.end()
        manager.ready()
        assert told.recv(1000) == b"READY=1\nSTATUS=reading"
        assert told.recv(1000) == b"WATCHDOG=1"
        first, second = told.recv(1000).decode().split("\n")
        assert first == "RELOADING=1"
        assert int(second.removeprefix("MONOTONIC_USEC=")) > 0
        assert told.recv(1000) == b"STOPPING=1"
        told.setblocking(False)
        with pytest.raises(BlockingIOError):
            told.recv(1000)


@pytest.mark.parametrize(
    "environment",
    [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1"}, {"NOTIFY_SOCKET": "/nowhere/at/all"}],
)
def test_without_a_manager_nothing_is_said(environment: dict[str, str]) -> None:
    manager = Manager(environment)
    assert not manager.present
    manager.ready()
    manager.alive()
    manager.end()


def test_the_watchdog_is_told_as_often_as_it_wants(tmp_path: Path) -> None:
    with listening(str(tmp_path / "notify")) as told:
        name = str(tmp_path / "notify")
        for environment in ({"WATCHDOG_PID": "1", "WATCHDOG_USEC": "1"}, {"WATCHDOG_USEC": "x"}, {}):
            without = Manager({"NOTIFY_SOCKET": name, **environment})
            without.alive()
            without.end()
        often = Manager({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": str(3600 * 10**6)})
        for _ in range(3):
            often.alive("1 packet")
        often.end()
        assert told.recv(1000) == b"WATCHDOG=1\nSTATUS=1 packet"
        told.setblocking(False)
        with pytest.raises(BlockingIOError):
            told.recv(1000)


def test_a_manager_that_does_not_listen_holds_up_nothing(tmp_path: Path) -> None:
    with listening(str(tmp_path / "notify")):
        manager = Manager({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1"})
        for _ in range(10_000):  # more than the kernel queues
            manager.ready("x" * 100)
        manager.end()


def test_a_run_says_when_it_reads_and_when_it_ends(tmp_path: Path) -> None:
    with listening(str(tmp_path / "notify")) as told:
        process = live(
            "-", "--format", "none", "-q", stdin=subprocess.PIPE,
            env={"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"},
        )  # fmt: skip
        said = [told.recv(1000) for _ in range(3)]
        assert sorted(said[:2]) == [b"READY=1", b"WATCHDOG=1"]
        assert said[2] == b"WATCHDOG=1", "a silent wire is no reason to be taken for dead"
        process.send_signal(signal.SIGTERM)
        while (last := told.recv(1000)) == b"WATCHDOG=1":
            pass
        assert last == b"STOPPING=1"
        assert process.wait(timeout=60) == 143
        assert process.stdin is not None
        process.stdin.close()

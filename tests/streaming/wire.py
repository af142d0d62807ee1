"""A wire of the test's own: a network namespace for this thread, and in it two interfaces joined by a cable."""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NEAR, FAR = "fc-near", "fc-far"
MTU = "9000"
_NEW_NETWORK = 0x40000000  # CLONE_NEWNET, linux/sched.h
_OWN = Path("/proc/thread-self/net")


class Wire:
    """What is sent at the far end comes in at the near one."""

    def __init__(self) -> None:
        ip("link", "add", NEAR, "mtu", MTU, "type", "veth", "peer", "name", FAR, "mtu", MTU)
        for name in (NEAR, FAR):
            # Without addresses of its own the kernel sends nothing by itself.
            ip("link", "set", name, "addrgenmode", "none")
            ip("link", "set", name, "up")

    def send(self, frames: Iterable[bytes]) -> int:
        """Send frames as they are; give how many."""
        count = 0
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
            sender.bind((FAR, 0))
            for frame in frames:
                sender.send(frame)
                count += 1
        return count

    def when_captured(self, work: Callable[[], object]) -> None:
        """Do it as soon as some program has a packet socket that receives."""
        end = time.monotonic() + 30
        while not any(line.split()[5] == "1" for line in (_OWN / "packet").read_text().splitlines()[1:]):
            assert time.monotonic() < end, "nobody captures"
            time.sleep(0.02)
        work()


@contextmanager
def own_wire() -> Iterator[Wire]:
    """Give a wire, or skip where this machine does not let one be made."""
    if os.geteuid() != 0:
        pytest.skip("live capture needs root")
    if shutil.which("ip") is None:
        pytest.skip("ip is not installed")
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        if libc.unshare(_NEW_NETWORK) != 0:
            pytest.skip(f"this machine lets nobody make network namespaces: {os.strerror(ctypes.get_errno())}")
        try:
            yield Wire()
        finally:
            assert libc.setns(before, _NEW_NETWORK) == 0
    finally:
        os.close(before)


def ip(*args: str) -> None:
    """Run ip."""
    subprocess.run(["ip", *args], check=True, capture_output=True, text=True)


def frames_of(path: Path) -> list[tuple[int, bytes]]:
    """Give the frames of a pcap of this machine's byte order, with microseconds or nanoseconds."""
    data = path.read_bytes()
    unit = {0xA1B2C3D4: 1000, 0xA1B23C4D: 1}[struct.unpack_from("=I", data)[0]]
    assert struct.unpack_from("=I", data, 20)[0] == 1, "Ethernet"
    out, at = [], 24
    while at < len(data):
        seconds, fraction, captured, wire = struct.unpack_from("=IIII", data, at)
        assert captured == wire, "whole packets"
        out.append((seconds * 1_000_000_000 + fraction * unit, data[at + 16 : at + 16 + captured]))
        at += 16 + captured
    return out

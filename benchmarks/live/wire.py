"""A network namespace for this thread with a cable in it, and a sender that hands the kernel many frames at once.

Takes frames. Gives how many the kernel took. Nothing leaves the namespace.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

NEAR, FAR = "fc-near", "fc-far"
AT_ONCE = 512
_NEW_NETWORK = 0x40000000  # CLONE_NEWNET, linux/sched.h
_SOL_PACKET, _QDISC_BYPASS = 263, 20  # linux/if_packet.h


class _Vector(ctypes.Structure):
    """struct iovec."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Header(ctypes.Structure):
    """struct msghdr."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint),
        ("vectors", ctypes.POINTER(_Vector)),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Message(ctypes.Structure):
    """struct mmsghdr, see sendmmsg(2)."""

    _fields_ = (("header", _Header), ("sent", ctypes.c_uint))


class Frames:
    """Frames that lie one behind the other, to be sent again and again.

    Parameters
    ----------
    frames : sequence of bytes
        Ethernet frames.

    Attributes
    ----------
    octets : ndarray of uint8
        All of them; what is changed there is sent changed.
    starts : ndarray of int64, shape (n_frames,)
        Where each begins.
    """

    def __init__(self, frames: Sequence[bytes]) -> None:
        lengths = np.array([len(frame) for frame in frames])
        self.octets: NDArray[np.uint8] = np.frombuffer(b"".join(frames), np.uint8).copy()
        self.starts: NDArray[np.int64] = np.concatenate(([0], np.cumsum(lengths)[:-1])).astype(np.int64)
        base = self.octets.ctypes.data
        self._vectors = (_Vector * len(frames))()
        self.messages = (_Message * len(frames))()
        for place, (start, length) in enumerate(zip(self.starts.tolist(), lengths.tolist(), strict=True)):
            self._vectors[place] = _Vector(base + start, length)
            self.messages[place].header.vectors = ctypes.pointer(self._vectors[place])
            self.messages[place].header.vector_count = 1

    def __len__(self) -> int:
        return len(self.messages)


class Sender:
    """Sends frames out of one end of the cable, no faster than it is told.

    Parameters
    ----------
    interface : str
        The end.
    rate : float
        Packets a second; 0: as many as the kernel takes.
    """

    def __init__(self, interface: str, rate: float = 0.0) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self._socket.bind((interface, 0))
        self._socket.setsockopt(_SOL_PACKET, _QDISC_BYPASS, 1)
        self._send: Any = ctypes.CDLL(None, use_errno=True).sendmmsg
        self._rate = rate
        self._began = self._paced = time.monotonic()
        self.sent = 0

    def send(self, frames: Frames, count: int | None = None) -> None:
        """Send the first `count` frames, all without one."""
        place, end = 0, len(frames) if count is None else min(count, len(frames))
        most = AT_ONCE if self._rate == 0 else max(1, min(AT_ONCE, int(self._rate / 500)))
        while place < end:
            self._wait()
            found = ctypes.byref(frames.messages, place * ctypes.sizeof(_Message))
            taken = self._send(self._socket.fileno(), found, min(most, end - place), 0)
            if taken < 0:
                number = ctypes.get_errno()
                if number not in (errno.ENOBUFS, errno.EAGAIN, errno.EINTR):
                    raise OSError(number, os.strerror(number))
                time.sleep(0.0005)
                continue
            place += taken
            self.sent += taken

    @property
    def seconds(self) -> float:
        """Since the first packet could have been sent."""
        return time.monotonic() - self._began

    def close(self) -> None:
        """Send no more."""
        self._socket.close()

    def _wait(self) -> None:
        if self._rate > 0:
            ahead = self.sent / self._rate - (time.monotonic() - self._paced)
            if ahead > 0:
                time.sleep(ahead)
            elif ahead < -0.1:  # what could not be sent in time is not made up for: that would be a burst
                self._paced -= ahead


@contextmanager
def own_network() -> Iterator[None]:
    """Put this thread into a network namespace of its own, with a cable."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        if libc.unshare(_NEW_NETWORK) != 0:
            raise SystemExit(
                f"this needs root, and a kernel with network namespaces: {os.strerror(ctypes.get_errno())}"
            )
        for line in (
            f"link add {NEAR} mtu 9000 type veth peer name {FAR} mtu 9000",
            *(f"link set {name} addrgenmode none" for name in (NEAR, FAR)),
            *(f"link set {name} up" for name in (NEAR, FAR)),
        ):
            subprocess.run(["ip", *line.split()], check=True)
        try:
            yield
        finally:
            libc.setns(before, _NEW_NETWORK)
    finally:
        os.close(before)


def settle(seconds: float = 10.0) -> None:
    """Wait until the kernel has handed on what was sent: its queues of packets received are empty."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.1)
        lines = Path("/proc/net/softnet_stat").read_text(encoding="ascii").splitlines()
        if not any(int(line.split()[11], 16) for line in lines):  # net/core/net-procfs.c: the backlog's length
            return

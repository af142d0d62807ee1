"""Packets as they come: the rings of network interfaces, and pipes that may be silent.

The rings are the kernel's: nothing here grows when nobody reads; the kernel drops, and counts.
"""

from __future__ import annotations

import logging
import os
import re
import select
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from flowclass import _core
from flowclass.errors import ConfigError, SourceError
from flowclass.sources import Octets, Ready, Silence
from flowclass.sources.compression import CODEC_LENGTH, MOST_RATIO, STEP, Joined, codec_of, slices
from flowclass.types import SECOND_NS, CaptureCounters, check_range

WHOLE_PACKET = 262_144
MOST_RING = 1 << 36
_MOST_TAKEN = 1 << 30
_WAIT_MS = 100
_RETIRE_MS = 60
_QUIET_NS = SECOND_NS
"""A packet is handed on at latest so long after its time stamp, by far."""
_DRAIN_S = 0.25
_LEAST_BLOCKS, _BLOCKS = 4, 128
_USUAL_BLOCK, _LARGEST_BLOCK = 1 << 16, 1 << 18
"""The kernel closes a block after `_RETIRE_MS`, however little is in it: as many of these as there are blocks is what a
run may be kept from reading on a quiet wire. A block holds a whole packet, up to 64 KiB of what was merged."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveOptions:
    """How packets are captured, and for how long.

    Parameters
    ----------
    filter : str
        As for tcpdump, see pcap-filter(7); needs libpcap. Empty: all packets.
    promiscuous : bool
        Also what is not for this machine.
    snap_length : int
        Octets that are kept of a packet.
    ring_octets : int
        Size of each interface's ring; rounded up to whole blocks.
    fanout : {"none", "hash", "cpu"}
        How programs of one group share the packets of an interface; by hash, a flow's packets go to one of them.
    fanout_group : int
        Number of the group.
    duration_s : float, optional
        End after so many seconds.
    packets : int, optional
        End after so many packets.

    Examples
    --------
    >>> LiveOptions(ring_octets=1 << 20).blocks, LiveOptions(ring_octets=1 << 25).blocks
    ((65536, 16), (262144, 128))
    """

    filter: str = ""
    promiscuous: bool = False
    snap_length: int = WHOLE_PACKET
    ring_octets: int = 32 << 20
    fanout: Literal["none", "hash", "cpu"] = "none"
    fanout_group: int = 0
    duration_s: float | None = None
    packets: int | None = None

    def __post_init__(self) -> None:
        check_range("snap_length", self.snap_length, 64, WHOLE_PACKET)
        check_range("ring_octets", self.ring_octets, 1 << 16, MOST_RING)
        check_range("fanout_group", self.fanout_group, 0, 0xFFFF)
        if self.packets is not None:
            check_range("packets", self.packets, 1, 1 << 62)
        if self.duration_s is not None and not self.duration_s > 0:
            raise ConfigError(f"duration_s = {self.duration_s!r} is not permitted: give a number of seconds above 0")
        if self.fanout not in ("none", "hash", "cpu"):
            raise ConfigError(f"fanout = {self.fanout!r} is not permitted: give 'none', 'hash' or 'cpu'")
        if re.search(r"\bvlan\b", self.filter):
            raise ConfigError(
                f"filter = {self.filter!r} is not permitted: the kernel takes VLAN tags off before its filter looks, so"
                " that vlan would never hold; leave it out (the others then see inside the tag), and select by vlan_id"
            )

    @property
    def blocks(self) -> tuple[int, int]:
        """Size and number of a ring's blocks."""
        page = os.sysconf("SC_PAGESIZE")
        wanted = min(max(self.ring_octets // _BLOCKS, _USUAL_BLOCK), _LARGEST_BLOCK, self.ring_octets // _LEAST_BLOCKS)
        size = max(page, 1 << (wanted.bit_length() - 1))
        return size, -(-self.ring_octets // size)


class LiveSource:
    """The packets of interfaces, from now on.

    Parameters
    ----------
    interfaces : sequence of str
        Their names.
    options : LiveOptions, optional
        What to capture.
    """

    def __init__(self, interfaces: Sequence[str], options: LiveOptions | None = None) -> None:
        if not interfaces:
            raise SourceError("no interface was given; `ip -br link` lists them")
        repeated = {name for name in interfaces if list(interfaces).count(name) > 1}
        if repeated:
            raise SourceError(f"{', '.join(sorted(repeated))}: given more than once; each packet would count twice")
        self.interfaces = list(interfaces)
        self.name = ",".join(interfaces)
        self.problems: list[str] = []
        self._options = options or LiveOptions()
        self._rings: dict[int, _core.PacketRing] = {}
        self._closed: dict[int, CaptureCounters] = {}
        self._dropped_before: list[int] = []
        self._down: set[int] = set()
        self._begun = False
        self._left = _MOST_TAKEN if self._options.packets is None else self._options.packets
        self._poller = select.poll()

    def open(self) -> None:
        """Open the rings of all interfaces."""
        if self._rings or self._closed:
            return
        options = self._options
        size, count = options.blocks
        self._dropped_before = [_interface_drops(name) for name in self.interfaces]
        try:
            for place, name in enumerate(self.interfaces):
                self._rings[place] = _core.PacketRing(
                    interface=name,
                    filter=options.filter,
                    snap_length=options.snap_length,
                    block_size=size,
                    block_count=count,
                    retire_ms=_RETIRE_MS,
                    promiscuous=options.promiscuous,
                    fanout=options.fanout,
                    fanout_group=options.fanout_group,
                )
        except OSError as problem:
            self._rings.clear()
            raise SourceError(str(problem)) from problem
        for ring in self._rings.values():
            self._poller.register(ring.descriptor, select.POLLIN)

    def moments(self) -> Iterator[Ready | Silence]:
        """Say what there is."""
        duration = self._options.duration_s
        end = None if duration is None else time.monotonic() + duration
        while self._left > 0 and (end is None or time.monotonic() < end):
            found = False
            for place in list(self._rings):
                for moment in self._look(place):
                    found = True
                    yield moment
            if not self._rings:
                raise SourceError("; ".join(self.problems))
            if not found and not self._poller.poll(_WAIT_MS):
                yield Silence(time.time_ns() - _QUIET_NS if self._begun else None)

    def rest(self) -> Iterator[Ready]:
        """Receive no more, and say what there is still, unless enough was taken."""
        for ring in self._rings.values():
            ring.stop()
        for place in list(self._rings):
            yield from self._drain(place)

    def took(self, count: int) -> None:
        """Take note of packets that were taken."""
        self._begun = self._begun or count > 0
        if self._options.packets is not None:
            self._left -= count

    def captured(self) -> dict[str, CaptureCounters]:
        """Give what became of the packets, by interface."""
        return {
            name: self._closed[place] if place in self._closed else self._counted(place)
            for place, name in enumerate(self.interfaces)
        }

    def close(self) -> None:
        """Close the rings."""
        for place in list(self._rings):
            self._close(place)

    def _look(self, place: int) -> Iterator[Ready]:
        ring = self._rings[place]
        name = self.interfaces[place]
        state = ring.wait(0)
        if state == "ready" and self._left > 0:
            yield Ready(place, ring, self._left)
        elif state == "down" and place not in self._down:
            self._down.add(place)
            _log.warning("%s: the interface went down; waiting for it to come up again", name)
        elif state == "silent" and place in self._down:
            self._down.discard(place)
            _log.warning("%s: the interface came up again", name)
        elif state in ("gone", "failed"):
            yield from self._drain(place)
            self.problems.append(
                f"{name}: the interface is gone" if state == "gone" else ring.error or f"{name}: reading it failed"
            )
            _log.warning("%s", self.problems[-1])
            self._close(place)

    def _drain(self, place: int) -> Iterator[Ready]:
        """Wait until the kernel has given what it holds: a block that is not full comes a little later."""
        ring = self._rings[place]
        end = time.monotonic() + _DRAIN_S
        while self._left > 0 and time.monotonic() < end:
            if ring.wait(_WAIT_MS // 5) == "ready":
                yield Ready(place, ring, self._left)
                end = time.monotonic() + _DRAIN_S

    def _close(self, place: int) -> None:
        ring = self._rings[place]
        ring.stop()
        self._closed[place] = self._counted(place)
        with suppress(KeyError):
            self._poller.unregister(ring.descriptor)
        del self._rings[place]

    def _counted(self, place: int) -> CaptureCounters:
        if place not in self._rings:
            return CaptureCounters()
        facts = self._rings[place].counters()
        return CaptureCounters(
            received=facts["received"],
            handed_on=facts["handed_on"],
            kernel_dropped=facts["dropped"],
            ring_freezes=facts["freezes"],
            interface_dropped=max(0, _interface_drops(self.interfaces[place]) - self._dropped_before[place]),
        )


class PipeSource:
    """A capture out of a pipe, which may be silent for a while; then a slice is empty.

    Parameters
    ----------
    stream : binary file object
        With a ``fileno()``.
    name : str
        What it is called in the records.
    duration_s : float, optional
        End after so many seconds.
    """

    def __init__(self, stream: IO[bytes], name: str = "-", *, duration_s: float | None = None) -> None:
        self.name = name
        self.position = 0
        self._stream = stream
        self._duration = duration_s
        self._end: float | None = None

    @property
    def descriptor(self) -> int:
        """Of the open file or pipe."""
        return self._stream.fileno()

    @property
    def size(self) -> int | None:
        """Not known."""
        return None

    def prefix(self) -> Octets | None:
        """Give nothing: looking would mean waiting."""
        return None

    def slices(self) -> Iterator[Octets]:
        """Give the capture's octets as they come."""
        self._end = None if self._duration is None else time.monotonic() + self._duration
        head = b""
        try:
            for piece in self._pieces():
                head += piece
                if len(head) >= CODEC_LENGTH:
                    break
                yield b""
            if codec_of(head) is None:
                yield head
                yield from self._pieces()
            else:
                yield from slices(Joined(head, self), most_ratio=MOST_RATIO)
        except SourceError as problem:
            raise SourceError(f"{self.name}: {problem}") from problem
        except OSError as problem:
            raise SourceError(f"{self.name}: reading failed: {problem.strerror or problem}") from problem

    def read(self, size: int = -1, /) -> bytes:
        """Give octets when there are some; none at the end."""
        return next((piece for piece in self._pieces(STEP if size < 0 else size) if piece), b"")

    def _pieces(self, size: int = STEP) -> Iterator[bytes]:
        # What a buffered stream has read already, a poll does not see.
        take: Callable[[int], bytes | None] = getattr(self._stream, "read1", self._stream.read)
        while self._end is None or time.monotonic() < self._end:
            if not select.select([self._stream], [], [], _WAIT_MS / 1000)[0]:
                yield b""
                continue
            piece = take(size) or b""
            if not piece:
                return
            self.position += len(piece)
            yield piece


def is_interface(name: str) -> bool:
    """Say whether the machine has a network interface of that name."""
    import socket

    try:
        socket.if_nametoindex(name)
    except (OSError, ValueError):
        return False
    return True


def _interface_drops(name: str) -> int:
    """Give the packets that an interface dropped or missed: the fourth number of its line, see proc_pid_net(5)."""
    try:
        lines = Path("/proc/thread-self/net/dev").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0
    for line in lines:
        ahead, colon, behind = line.partition(":")
        if colon and ahead.strip() == name:
            return int(behind.split()[3])
    return 0

"""A long flood of new flows against a small table, and tunnels that begin meanwhile: memory, and who is found."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.live.command import Live
from benchmarks.live.traffic import Flood, frames_of
from benchmarks.live.wire import FAR, NEAR, Frames, Sender, settle

HANDSHAKE = 6
"""Of the WireGuard capture: initiation, response, and what was sent with them."""
GROWTH = 16 << 20
"""What memory may grow in the last quarter of a run, in octets: pages of the allocator that come and go."""


class Tunnels:
    """WireGuard tunnels, each between ends of its own: a handshake, then a packet now and then.

    Parameters
    ----------
    handshake : list of bytes
        Frames of a capture.
    count : int
        How many there will be.
    span_s : float
        In which time they begin, evenly.
    every_s : float
        Between two packets of one.
    """

    def __init__(self, handshake: list[bytes], count: int, span_s: float, every_s: float) -> None:
        self._own = [[_of_ends(frame, number) for frame in handshake] for number in range(count)]
        self._next = [span_s * number / count for number in range(count)]
        self._every = every_s
        self.begun = 0

    def due(self, now_s: float) -> list[bytes]:
        """Give what is to be sent by now."""
        out: list[bytes] = []
        for number, due in enumerate(self._next):
            if due <= now_s:
                begins = number >= self.begun
                out += self._own[number] if begins else self._own[number][-1:]
                self.begun = max(self.begun, number + 1)
                self._next[number] = now_s + self._every
        return out


def _of_ends(frame: bytes, number: int) -> bytes:
    mark = number.to_bytes(2, "big")
    return frame[:28] + mark + frame[30:32] + mark + frame[34:]


class Reader(threading.Thread):
    """Reads the files of flows as they appear, counts the tunnels in them, and takes them away.

    Parameters
    ----------
    folder : Path
        Where they appear.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self.rows = 0
        self.tunnels: Counter[tuple[str, str, str]] = Counter()
        self._folder = folder
        self._done = threading.Event()

    def run(self) -> None:
        """Go on until the end is asked for, and then once more."""
        while not self._done.wait(1.0):
            self._read()
        self._read()

    def end(self) -> None:
        """Wait until everything was read."""
        self._done.set()
        self.join()

    def _read(self) -> None:
        for path in sorted(self._folder.glob("flows-*.parquet")):
            table = pq.read_table(path, columns=["protocol", "tier", "end_reason", "src_ip"], memory_map=False)
            self.rows += table.num_rows
            for row in table.filter(pc.field("protocol") == "wireguard").to_pylist():
                self.tunnels[row["src_ip"], row["tier"], row["end_reason"]] += 1
            path.unlink()


def soak(
    folder: Path,
    out: Path,
    *,
    seconds: float,
    rate: float,
    tunnels: int,
    memcap: str,
    every_s: float = 10.0,
    growth: int = GROWTH,
) -> dict[str, Any]:
    """Flood a live run and look at it.

    Parameters
    ----------
    folder : Path
        Of our captures.
    out : Path
        An empty folder, for the flows.
    seconds : float
        How long.
    rate : float
        New flows a second.
    tunnels : int
        How many begin in the first three quarters of the time.
    memcap : str
        Cap of the table.
    every_s : float
        Between two packets of a tunnel.
    growth : int
        What memory may grow in the last quarter, in octets.

    Returns
    -------
    dict
        Figures; ``wrong`` is empty where everything is as it is to be.
    """
    handshake = frames_of(folder, ["wireguard-udp-51820"])[:HANDSHAKE]
    known, flood = Tunnels(handshake, tunnels, seconds * 0.75, every_s), Flood()
    reader = Reader(out)
    live = Live(NEAR, "--memcap", memcap, "-o", str(out), "--rotate", "5s", "--format", "parquet")
    sender = Sender(FAR, rate)
    resident: list[tuple[float, int]] = []
    try:
        reader.start()
        while (now := sender.seconds) < seconds:
            sender.send(flood.turn())
            due = known.due(now)
            if due:
                sender.send(Frames(due))
            if not resident or now - resident[-1][0] >= max(0.5, seconds / 240):
                resident.append((now, live.resident()))
        settle()
        summary = live.end()
    finally:
        sender.close()
        live.kill()
        with suppress(RuntimeError):
            reader.end()
    return _judged(summary, sender.sent, known, reader, _Memory.of(resident, growth))


@dataclass(frozen=True, slots=True)
class _Memory:
    """What the process took at most in the third and in the last quarter of the time, in octets."""

    seconds: float
    third: int
    last: int
    permitted: int

    @classmethod
    def of(cls, resident: list[tuple[float, int]], permitted: int) -> _Memory:
        half, quarter = len(resident) // 2, len(resident) // 4
        parts = resident[half : half + quarter + 1], resident[half + quarter :]
        third, last = (max(octets for _, octets in part) for part in parts)
        return cls(resident[-1][0], third, last, permitted)


def _judged(summary: dict[str, Any], sent: int, known: Tunnels, reader: Reader, memory: _Memory) -> dict[str, Any]:
    facts, counters = summary["captured"][NEAR], summary["counters"]
    table = sum(counters[name] for name in ("table_bytes", "head_bytes", "evidence_bytes"))
    confirmed = sum(1 for (_, tier, _) in reader.tunnels if tier == "confirmed")
    wrong = []
    if facts["received"] + facts["interface_dropped"] != sent:
        wrong.append("packets are unaccounted for")
    if facts["kernel_dropped"] or facts["interface_dropped"]:
        wrong.append("packets were dropped: give a lower rate")
    if reader.rows != summary["flows"]:
        wrong.append(f"{summary['flows']} flows ended and {reader.rows} rows were written")
    if confirmed != known.begun or sum(reader.tunnels.values()) != known.begun:
        wrong.append(f"of {known.begun} tunnels {confirmed} were confirmed, in {sum(reader.tunnels.values())} rows")
    if any(reason == "evicted" for _, _, reason in reader.tunnels):
        wrong.append("a tunnel left the table for want of room")
    if memory.last - memory.third > memory.permitted:
        wrong.append(f"memory grew from {memory.third:,} to {memory.last:,} octets")
    return {
        "sent": sent,
        "seconds": memory.seconds,
        "packets_a_second": sent / memory.seconds,
        "captured": facts,
        "flows": summary["flows"],
        "evicted": counters["evicted"],
        "heads_cut": counters["heads_cut"],
        "tunnels": known.begun,
        "tunnels_confirmed": confirmed,
        "table_bytes": table,
        "memcap": counters["memcap"],
        "resident_third_quarter_bytes": memory.third,
        "resident_last_quarter_bytes": memory.last,
        "wrong": wrong,
    }

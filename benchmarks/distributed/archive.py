"""Makes an archive: one stream in many capture files, each as long in time, as a capture daemon leaves them."""

from __future__ import annotations

import array
import bisect
import mmap
import struct
from pathlib import Path

from benchmarks.traces import TraceOptions, ensure

_FILE_HEADER, _RECORD_HEADER = 24, 16


def make(folder: Path, *, size: int, files: int, span_s: int, seed: int) -> tuple[Path, int]:
    """Write the archive unless it is there.

    Parameters
    ----------
    folder : Path
        For the archive and the trace that it is cut from.
    size : int
        Octets of all files, about.
    files : int
        How many.
    span_s : int
        Seconds of packet time in each.
    seed : int
        The same options give the same octets.

    Returns
    -------
    folder : Path
        With the files.
    packets : int
        In all of them.
    """
    seconds = files * span_s
    options = TraceOptions(size=size, flows=max(size // 10_000, 1), seconds=seconds, seed=seed)
    trace = folder / f"archive-{size}-{files}-{span_s}-{seed}.pcap"
    truth = ensure(trace, options)
    out = trace.with_suffix("")
    done = out / "complete"
    if not done.exists():
        out.mkdir(exist_ok=True)
        _split(trace, out, files)
        done.touch()
    return out, truth["packets"]


def _split(trace: Path, out: Path, files: int) -> None:
    """Cut a nanosecond pcap into files of one span of time each."""
    with trace.open("rb") as source, mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ) as octets:
        header = octets[:_FILE_HEADER]
        starts, seconds = _records(octets)
        span = (max(seconds) - seconds[0]) // files + 1
        begin = 0
        for number in range(files):
            end = bisect.bisect_left(seconds, seconds[0] + (number + 1) * span, begin)
            if end > begin:
                stop = starts[end] if end < len(starts) else len(octets)
                (out / f"{number:06d}.pcap").write_bytes(header + octets[starts[begin] : stop])
            begin = end


def _records(octets: mmap.mmap) -> tuple[array.array[int], array.array[int]]:
    """Give where each record begins, and its second; they are in the order of time."""
    starts, seconds = array.array("q"), array.array("q")
    at, end = _FILE_HEADER, len(octets)
    fields = struct.Struct("<IIII")
    while at < end:
        second, _, captured, _ = fields.unpack_from(octets, at)
        starts.append(at)
        seconds.append(second)
        at += _RECORD_HEADER + captured
    return starts, seconds

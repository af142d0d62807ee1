"""A stream for tests of pieces: captures of many kinds over most of an hour, some of whose address pairs come back."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
from capture_files import Frames, pcap, read_pcap

from flowclass.distributed.engines.answers import answered, read_answer
from flowclass.pipeline.records import Records

SECOND = 1_000_000_000
KINDS = (
    "wireguard",
    "openvpn-udp",
    "openvpn-tcp",
    "ike",
    "l2tp",
    "pptp",
    "gre",
    "vxlan",
    "https",
    "dns",
    "quic",
    "ocserv",
)
PROVENANCE = ("source_file", "packet_first", "packet_last")


class Inline:
    """An engine that does the tasks in this process; every task twice, as after a retry."""

    def run(self, messages: Sequence[bytes]) -> Iterator[tuple[int, bytes | str]]:
        """Do them."""
        for place, message in enumerate(messages):
            first, again = read_answer(answered(message)), read_answer(answered(message))
            assert first == again
            yield place, again

    def close(self) -> None:
        """Nothing was started."""


def stream(captures: Path, *, seed: int, seconds: int = 3000, copies: int = 3) -> Frames:
    """Give frames in the order of their times; each capture comes several times, far apart or near."""
    chance = random.Random(seed)
    frames: list[tuple[int, bytes]] = []
    for kind in KINDS:
        for path in sorted(set(captures.glob(f"{kind}*.pcap")) - set(captures.glob("*-snaplen-*")))[:3]:
            found, link_type = read_pcap(path)
            assert link_type == 1
            for _ in range(copies):
                begin = 1_790_000_000 * SECOND + chance.randrange(seconds * SECOND)
                frames += [(begin + time - found[0][0], frame) for time, frame in found]
    return sorted(frames, key=lambda pair: pair[0])


def cut(frames: Frames, places: Sequence[int], folder: Path) -> list[Path]:
    """Write the frames into files, cut before the places given."""
    bounds = [0, *sorted(places), len(frames)]
    paths = []
    for number, (start, end) in enumerate(pairwise(bounds)):
        path = folder / f"{number:04d}.pcap"
        path.write_bytes(pcap(frames[start:end]))
        paths.append(path)
    return paths


def rows(table: pa.Table, *, without: Sequence[str] = ()) -> list[tuple[object, ...]]:
    """Give the rows of a table in an order of their own."""
    names = [name for name in table.schema.names if name not in without]
    columns = [table.column(name).cast(pa.string()) if pa.types.is_dictionary(table.schema.field(name).type)
               else table.column(name) for name in names]  # fmt: skip
    listed = zip(*(column.to_pylist() for column in columns), strict=True)
    return sorted(listed, key=repr)


def written(folder: Path) -> pa.Table:
    """Give the records that a run left in a folder."""
    records = Records(folder, 65_536)
    return pa.Table.from_batches(list(records), records.schema)

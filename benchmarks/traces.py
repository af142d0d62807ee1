"""Makes traces of any size from the flows of `datasets/captures`, and knows what is in them.

    python -m benchmarks.traces OUT.pcap --size 3GB --flows 500000 --vpn 0.2 --seed 1

Whole flows of real programs are copied. A copy keeps its payloads and the order of its packets; it gets addresses of
its own, a client port of its own where the program chose a random one, and a start of its own. IP and transport
checksums are brought up to date. Flows that took milliseconds between two namespaces of one machine are stretched to
0.1 .. 1.5 seconds, as across a network, so that packets of very many flows lie between two of one. The same arguments
give the same octets.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import struct
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .templates import RECORD_HEADER, Template, read_templates

__all__ = ["TraceOptions", "ensure", "generate", "parse_size"]

_GENERATOR = 3  # counts up when the same options give other octets, or the truth says more
_PCAP_NS = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1)
_BEGIN_NS = 1_800_000_000_000_000_000
_WINDOW = 1 << 18  # packets written at once
_STRETCH_BELOW_NS = 1_000_000_000
_STRETCHED_NS = (100_000_000, 1_500_000_000)
# Eight flows of a client, each to another server, so no two flows share an address pair.
_CLIENT_NET, _SERVER_NET = 0x0A000000, 0xC6120000  # 10.0.0.0/8; 198.18.0.0/15 (RFC 2544: for benchmarks)
_FLOWS_PER_CLIENT = 8
_SERVER_GROUPS = 1 << 14
_UNITS = {"B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceOptions:
    """What a trace is to be: `vpn` is the share of flows that are a VPN's, `seconds` when the last flow begins."""

    size: int = 3_000_000_000
    flows: int = 500_000
    vpn: float = 0.2
    seconds: int = 300
    seed: int = 1

    def __post_init__(self) -> None:
        if self.flows < 1 or self.size < self.flows:
            raise ValueError(f"flows = {self.flows}, size = {self.size}: at least one flow, and one octet for each")
        if not 0 <= self.vpn <= 1:
            raise ValueError(f"vpn = {self.vpn}: from 0 to 1")


def parse_size(text: str) -> int:
    """Read `1GB`, `200MB`, `1.5GiB` or a number of octets."""
    digits = text.strip().rstrip("BbKkMmGgIi")
    unit = text.strip()[len(digits) :].upper() or "B"
    if unit not in _UNITS:
        raise ValueError(f"{text}: a number and one of {', '.join(_UNITS)}")
    return int(float(digits) * _UNITS[unit])


def copies(templates: list[Template], options: TraceOptions) -> Array:
    """Say how often each template is copied: small flows are commoner, by the power that meets the size."""
    sizes = np.array([template.bytes for template in templates], dtype=np.float64)
    vpn = np.array([template.is_vpn for template in templates])

    def shares(power: float) -> Array:
        weights: Array = sizes**-power
        for group, share in ((vpn, options.vpn), (~vpn, 1 - options.vpn)):
            if group.any():
                weights[group] *= share / weights[group].sum()
        return weights

    low, high = -4.0, 8.0
    for _ in range(60):
        middle = (low + high) / 2
        too_big = float(shares(middle) @ sizes) * options.flows > options.size
        low, high = (middle, high) if too_big else (low, middle)
    exact = shares((low + high) / 2) * options.flows
    counts: Array = np.floor(exact).astype(np.int64)
    rest = options.flows - int(counts.sum())
    counts[np.argsort(counts - exact, kind="stable")[:rest]] += 1
    return counts


@dataclass(frozen=True, slots=True)
class _Pool:
    """The templates' records, flat, with what is to be patched in each."""

    data: list[bytes]
    length: Array
    time: Array
    client: Array
    server: Array
    port: Array
    ip_at: Array
    l4_at: Array
    ip_sum: Array  # complement of the checksum that stands there
    l4_sum: Array
    is_udp: Array


def _pool(templates: list[Template]) -> _Pool:
    records = [record for template in templates for record in template.records]

    def column(name: str) -> Array:
        return np.array([getattr(record, name) for record in records], dtype=np.int64)

    def complement(name: str) -> Array:
        ends = [getattr(record, name) for record in records]
        return np.array(
            [0xFFFF ^ int.from_bytes(r.data[at : at + 2], "big") for r, at in zip(records, ends, strict=True)],
            dtype=np.int64,
        )

    return _Pool(
        data=[record.data for record in records],
        length=np.array([len(record.data) for record in records], dtype=np.int64),
        time=column("time_ns"),
        client=column("client"),
        server=column("server"),
        port=column("port"),
        ip_at=column("ip_checksum"),
        l4_at=column("l4_checksum"),
        ip_sum=complement("ip_checksum"),
        l4_sum=complement("l4_checksum"),
        is_udp=column("is_udp").astype(bool),
    )


@dataclass(frozen=True, slots=True)
class _Flows:
    """One row for each flow of the trace."""

    template: Array
    start: Array
    stretch: Array
    client: Array
    server: Array
    port: Array
    address_delta: Array  # what a one's complement sum gains by the new addresses, by the new port
    port_delta: Array


def _words(value: Array) -> Array:
    words: Array = (value >> 16) + (value & 0xFFFF)
    return words


def _flows(templates: list[Template], counts: Array, options: TraceOptions) -> _Flows:
    random = np.random.Generator(np.random.PCG64(options.seed))
    number = np.arange(options.flows, dtype=np.int64)
    of = random.permutation(np.repeat(np.arange(len(templates)), counts))
    duration = np.array([template.records[-1].time_ns for template in templates], dtype=np.float64)
    wanted = random.uniform(*_STRETCHED_NS, options.flows)
    short = (duration[of] < _STRETCH_BELOW_NS) & (duration[of] > 0)
    group = number // _FLOWS_PER_CLIENT
    client = _CLIENT_NET + 1 + group
    server = _SERVER_NET + (group * 2654435761 % _SERVER_GROUPS) * _FLOWS_PER_CLIENT + number % _FLOWS_PER_CLIENT
    port = random.integers(32768, 61000, options.flows)

    def old(attribute: str) -> Array:
        ends = np.array([int.from_bytes(getattr(t, attribute)[-4:], "big") for t in templates], dtype=np.int64)
        return np.take(ends, of)

    old_port = np.array([template.client_port for template in templates], dtype=np.int64)[of]
    addresses = (2 * 0xFFFF - _words(old("client"))) + (2 * 0xFFFF - _words(old("server")))
    return _Flows(
        template=of,
        start=np.sort(random.integers(0, options.seconds * 1_000_000_000, options.flows)),
        stretch=np.where(short, wanted / np.maximum(duration[of], 1), 1.0),
        client=client,
        server=server,
        port=port,
        address_delta=addresses + _words(client) + _words(server),
        port_delta=0xFFFF - old_port + port,
    )


def _order(templates: list[Template], pool: _Pool, flows: _Flows) -> tuple[Array, Array, Array]:
    """Give record, flow and time of every packet, in the order of time."""
    per = np.array([len(template.records) for template in templates], dtype=np.int64)
    first = np.cumsum(per) - per
    many = per[flows.template]
    flow = np.repeat(np.arange(len(many)), many)
    within = np.arange(len(flow)) - np.repeat(np.cumsum(many) - many, many)
    record = first[flows.template][flow] + within
    time = flows.start[flow] + (pool.time[record] * flows.stretch[flow]).astype(np.int64)
    order = np.argsort(time, kind="stable")
    return record[order], flow[order], time[order] + _BEGIN_NS


def _put(out: Array, at: Array, value: Array, octets: int, *, big: bool = True) -> None:
    for octet in range(octets):
        shift = 8 * (octets - 1 - octet if big else octet)
        out[at + octet] = (value >> shift) & 0xFF


def _checksum(total: Array) -> Array:
    for _ in range(3):
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF ^ total


def _window(pool: _Pool, flows: _Flows, record: Array, flow: Array, time: Array) -> bytearray:
    """Give the octets of some packets: the records as they were captured, patched in place."""
    octets = bytearray().join(map(pool.data.__getitem__, record.tolist()))
    out = np.frombuffer(octets, dtype=np.uint8)
    length = pool.length[record]
    at = np.cumsum(length) - length
    _put(out, at, time // 1_000_000_000, 4, big=False)
    _put(out, at + 4, time % 1_000_000_000, 4, big=False)
    _put(out, at + pool.client[record], flows.client[flow], 4)
    _put(out, at + pool.server[record], flows.server[flow], 4)
    has_port = pool.port[record] > 0
    _put(out, (at + pool.port[record])[has_port], flows.port[flow][has_port], 2)
    delta = flows.address_delta[flow]
    ip = pool.ip_at[record] > 0
    _put(out, (at + pool.ip_at[record])[ip], _checksum((pool.ip_sum[record] + delta)[ip]), 2)
    l4 = pool.l4_at[record] > 0
    total = pool.l4_sum[record] + delta + np.where(has_port, flows.port_delta[flow], 0)
    value = _checksum(total[l4])
    value = np.where((value == 0) & pool.is_udp[record][l4], 0xFFFF, value)
    _put(out, (at + pool.l4_at[record])[l4], value, 2)
    del out
    return octets


def generate(path: Path, options: TraceOptions, templates: list[Template] | None = None) -> dict[str, Any]:
    """Write the trace and, beside it, its truth; give the truth. The templates are our own captures' by default."""
    templates = read_templates() if templates is None else templates
    counts = copies(templates, options)
    pool = _pool(templates)
    flows = _flows(templates, counts, options)
    record, flow, time = _order(templates, pool, flows)
    unfinished = path.with_name(path.name + ".part")  # whoever reads an older one goes on reading it
    with unfinished.open("wb") as out:
        out.write(_PCAP_NS)
        for begin in range(0, len(record), _WINDOW):
            part = slice(begin, begin + _WINDOW)
            out.write(_window(pool, flows, record[part], flow[part], time[part]))
    unfinished.replace(path)
    rows: list[dict[str, Any]] = [
        {
            "capture": template.capture,
            "frame": template.frame,
            "family": template.family,
            "variant": template.variant,
            "accept": list(template.accept),
            "copies": int(count),
            "packets": len(template.records),
            "bytes": template.bytes - RECORD_HEADER * len(template.records),
        }
        for template, count in zip(templates, counts, strict=True)
    ]
    truth = {
        "key": _key(options, templates),
        "options": asdict(options),
        "flows": options.flows,
        "packets": len(record),
        "bytes": sum(row["copies"] * row["bytes"] for row in rows),
        "file_bytes": path.stat().st_size,
        "templates": rows,
    }
    _truth_path(path).write_text(json.dumps(truth, indent=1) + "\n")
    return truth


def ensure(path: Path, options: TraceOptions, templates: list[Template] | None = None) -> dict[str, Any]:
    """Give the truth of a trace with these options, generating it unless it is there."""
    templates = read_templates() if templates is None else templates
    beside = _truth_path(path)
    if path.exists() and beside.exists():
        truth: dict[str, Any] = json.loads(beside.read_text())
        if truth["key"] == _key(options, templates) and truth["file_bytes"] == path.stat().st_size:
            return truth
    return generate(path, options, templates)


def _truth_path(path: Path) -> Path:
    return path.with_name(path.name + ".truth.json")


def _key(options: TraceOptions, templates: list[Template]) -> str:
    """Name the octets: the options, the generator, and the flows copied from."""
    digest = hashlib.sha256(b"%d\n%s\n" % (_GENERATOR, json.dumps(asdict(options), sort_keys=True).encode()))
    for template in templates:
        digest.update(f"{template.capture} {template.frame} {template.family} {template.variant}\n".encode())
        for record in template.records:
            digest.update(record.data)
    return digest.hexdigest()


def main() -> None:
    """Generate a trace from the command line."""
    parser = argparse.ArgumentParser(description="Makes a trace from the flows of datasets/captures.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", type=parse_size, default=TraceOptions().size)
    parser.add_argument("--flows", type=int, default=TraceOptions().flows)
    parser.add_argument("--vpn", type=float, default=TraceOptions().vpn)
    parser.add_argument("--seconds", type=int, default=TraceOptions().seconds)
    parser.add_argument("--seed", type=int, default=TraceOptions().seed)
    arguments = vars(parser.parse_args())
    truth = generate(arguments.pop("out"), TraceOptions(**arguments))
    print(f"{truth['packets']} packets, {truth['flows']} flows, {truth['file_bytes']} octets")


if __name__ == "__main__":
    main()

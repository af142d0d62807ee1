"""The engine through its Python door with one thing added at a time, in a process of its own.

python -m benchmarks.variant TRACE [--variant NAME]... [--threads N] [--prefixes N] [--repeat N]

Takes a trace. Gives one line of JSON for each variant: packets, rows, seconds (least and median of the rounds, which go
round the variants, so that a noisy moment hits all), memory. Each variant's answer is asserted before it is timed,
against the plain engine's rows.
"""

from __future__ import annotations

import argparse
import json
import mmap
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.registry.workload import make_table
from benchmarks.truth import AnswerError
from flowclass import _core
from flowclass.policy import Policy
from flowclass.sinks import open_sink

__all__ = ["SINKS", "VARIANTS", "check", "make_registry", "options_of", "run_to", "run_variants", "table"]

_ROOT = Path(__file__).resolve().parent.parent
_CHUNK = 4 << 20
_KEY = bytes(range(32))
_SERVERS = "198.18.0.0/15"  # all servers of a made trace lie there (RFC 2544: for benchmarks)
_IS_SERVER = "^198\\.1[89]\\."
SINKS = ("arrow", "parquet", "csv", "jsonl")
VARIANTS = ("engine", "registry", "policy", "anonymize", "heads", "features", *SINKS)


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass: seconds by the wall clock and of the processor, packets, rows, counters."""

    wall: float
    processor: float
    rows: int
    counters: dict[str, Any]


def make_registry(prefixes: int) -> _core.Registry:
    """Make a registry of so many prefixes, one of them that of all servers."""
    networks = [_SERVERS] + (make_table(4, prefixes - 1, 1).networks if prefixes > 1 else [])
    count = len(networks)
    return _core.Registry.build(
        registration_id=[f"R{index:07}" for index in range(count)],
        category=["organization"] * count,
        status=["approved"] * count,
        prefix=networks,
        protocols=[[]] * count,
        valid_from=[_core.OPEN_START] * count,
        valid_until=[_core.OPEN_END] * count,
        submitted_at=[_core.NOT_KNOWN] * count,
        approved_at=[_core.NOT_KNOWN] * count,
        scope=[],
    )


def options_of(name: str, prefixes: int) -> dict[str, Any]:
    """Give what the engine is told for a variant."""
    if name in ("registry", "policy"):
        options: dict[str, Any] = {"registry": make_registry(prefixes)}
        if name == "policy":
            options["policy"] = Policy.load(_ROOT / "datasets" / "registry" / "policy.toml").native
        return options
    if name in ("heads", "features"):
        return {name: True}
    return {"anonymize": _KEY} if name == "anonymize" else {}


def run(octets: memoryview, options: dict[str, Any], take: Callable[[_core.FlowBatch], None] | None) -> Pass:
    """Run the engine once over the trace; every batch goes to `take`, if there is one."""
    wall, processor = time.perf_counter(), time.process_time()
    engine = _core.Engine(**options)
    engine.begin_source("trace")
    rows = 0

    def drain(batches: list[_core.FlowBatch]) -> None:
        nonlocal rows
        for batch in batches:
            rows += batch.num_rows
            if take is not None:
                take(batch)

    for begin in range(0, len(octets), _CHUNK):
        engine.push(octets[begin : begin + _CHUNK])
        drain(engine.poll())
    engine.end_source()
    drain(engine.finish())
    return Pass(time.perf_counter() - wall, time.process_time() - processor, rows, engine.counters())


def run_to(octets: memoryview, options: dict[str, Any], form: str | None, folder: Path) -> Pass:
    """Run once, into a file of the form if there is one; writing the file is in the seconds."""
    if form is None:
        return run(octets, options, None)
    wall, processor = time.perf_counter(), time.process_time()
    sink = open_sink(form, folder / f"flows.{form}", pa.schema(_core.schema()), {})
    done = run(octets, options, lambda batch: sink.write(pa.record_batch(batch)))
    sink.finish()
    return Pass(time.perf_counter() - wall, time.process_time() - processor, done.rows, done.counters)


def table(octets: memoryview, options: dict[str, Any]) -> pa.Table:
    """Give all rows of one pass."""
    batches: list[Any] = []
    run(octets, options, lambda batch: batches.append(pa.record_batch(batch)))
    return pa.Table.from_batches(batches).unify_dictionaries()


def check(name: str, octets: memoryview, options: dict[str, Any], plain: pa.Table, folder: Path) -> None:
    """Raise unless the variant's rows are the plain engine's, with what the variant is to add.

    Raises
    ------
    AnswerError
        When they are not.
    """
    if name in SINKS:
        rows = run_to(octets, options, name, folder).rows
        _same(name, rows, plain.num_rows)
        _same(name, _rows_in(folder / f"flows.{name}", name), plain.num_rows)
        return
    rows = table(octets, options)
    _same(name, rows.num_rows, plain.num_rows)
    if name == "anonymize":
        wanted = _core.CryptoPan(_KEY).addresses(plain["src_ip"].to_pylist())
        _same(name, rows["src_ip"].to_pylist(), wanted)
        return
    for column in ("flow_id", "time_start", "bytes_fwd", "protocol", "tier"):
        if not rows[column].cast(_plain(rows[column].type)).equals(plain[column].cast(_plain(plain[column].type))):
            raise AnswerError(f"{name}: the column {column} is not the plain engine's")
    if name in ("registry", "policy"):
        at_server = pc.or_(*(pc.match_substring_regex(plain[end], _IS_SERVER) for end in ("src_ip", "dst_ip")))
        answered = rows.filter(at_server)["registry_match"].cast(pa.string())
        _same(name, pc.sum(pc.equal(answered, "registered")).as_py(), int(pc.sum(at_server).as_py()))
        _same(name, rows["policy_outcome"].null_count, 0 if name == "policy" else rows.num_rows)
    if name == "features":
        packets = pc.add(plain["packets_fwd"], plain["packets_rev"])
        lengths = pc.multiply(rows["pkt_len_mean_bi"], pc.cast(packets, pa.float64()))
        octets_of = pc.add(plain["bytes_fwd"], plain["bytes_rev"])
        if not pc.all(pc.less(pc.abs(pc.subtract(lengths, octets_of)), 1.0)).as_py():
            raise AnswerError("features: mean length times packets is not the octets of a flow")
    if name == "heads":
        _same(name, len(rows.column_names) > len(plain.column_names), True)


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _same(name: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise AnswerError(f"{name}: {str(found)[:200]}, and not {str(wanted)[:200]}")


def _rows_in(path: Path, form: str) -> int:
    if form == "parquet":
        import pyarrow.parquet as pq

        return int(pq.read_metadata(path).num_rows)
    if form == "arrow":
        with pa.memory_map(str(path)) as source:
            reader = pa.ipc.open_file(source) if path.read_bytes()[:6] == b"ARROW1" else pa.ipc.open_stream(source)
            return int(reader.read_all().num_rows)
    lines = path.read_bytes().count(b"\n")
    return lines - 1 if form == "csv" else lines


def measure(
    octets: memoryview, names: list[str], *, prefixes: int, repeat: int, threads: int
) -> Iterator[dict[str, Any]]:
    """Check every variant, then time all of them round by round; give a row for each."""
    options = {name: {"threads": threads, **options_of(name, prefixes)} for name in names}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        plain = table(octets, {"threads": threads})
        for name in names:
            check(name, octets, options[name], plain, folder)
        passes: dict[str, list[Pass]] = {name: [] for name in names}
        for _ in range(repeat):
            for name in names:
                passes[name].append(run_to(octets, options[name], name if name in SINKS else None, folder))
    for name, done in passes.items():
        counters = done[0].counters
        yield {
            "variant": name,
            "threads": threads,
            "packets": counters["packets_read"],
            "rows": done[0].rows,
            "wall_least": min(one.wall for one in done),
            "wall_median": statistics.median(one.wall for one in done),
            "processor_seconds_least": min(one.processor for one in done),
            "processor_seconds_median": statistics.median(one.processor for one in done),
            **{key: counters[key] for key in ("table_bytes", "head_bytes", "evidence_bytes", "peak_flows")},
        }


def run_variants(
    trace: Path, names: tuple[str, ...], *, repeat: int, threads: int = 1, prefixes: int = 100_000
) -> list[dict[str, Any]]:
    """Run some variants in a process of their own."""
    command = [sys.executable, "-m", "benchmarks.variant", str(trace), "--repeat", str(repeat)]
    command += ["--threads", str(threads), "--prefixes", str(prefixes)]
    for name in names:
        command += ["--variant", name]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=_ROOT)
    return [json.loads(line) for line in done.stdout.splitlines()]


def main() -> None:
    """Print one line for each variant."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.variant")
    parser.add_argument("trace", type=Path)
    parser.add_argument("--variant", action="append", choices=VARIANTS, dest="variants")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--prefixes", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    with given.trace.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        octets = memoryview(mapped)
        names = given.variants or list(VARIANTS)
        for row in measure(octets, names, prefixes=given.prefixes, repeat=given.repeat, threads=given.threads):
            print(json.dumps(row))
        octets.release()


if __name__ == "__main__":
    main()

"""``flowclass verify``: our flows of captures, compared with tshark's."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Any

import click
import msgspec

from flowclass.cli.exit_codes import Exit
from flowclass.cli.options import common, files
from flowclass.cli.values import clean, duration
from flowclass.errors import SourceError
from flowclass.explain.frames import Ends, find_frames
from flowclass.explain.records import nanoseconds
from flowclass.sources import ByteSource
from flowclass.sources.file import FileSource, find
from flowclass.sources.stream import StreamSource
from flowclass.verify.compare import Comparison, Difference, compare, evidence_of, sentence
from flowclass.verify.flows import Flow, text_of
from flowclass.verify.known import rules
from flowclass.verify.plain import plain
from flowclass.verify.tshark import Tshark, installed

MOST_SHOWN = 20
SECOND_NS = 1_000_000_000


@click.command(short_help="Compare our flows of captures with tshark's, packet for packet.")
@click.argument("sources", nargs=-1, required=True, metavar="SRC...", shell_complete=files)
@click.option("--timeout", type=duration, default="10m", show_default=True, help="tshark's time for one capture.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=2,
    show_default=True,
    help="Captures at once.",
)
@click.option("-q", "--quiet", is_flag=True, help="Only what no known difference explains.")
@click.option("-v", "--verbose", is_flag=True, help="Every known difference too, not only how many there are.")
@common
def verify(*, sources: tuple[str, ...], timeout: int, jobs: int, quiet: bool, verbose: bool, as_json: bool) -> int:
    """Ask tshark, through pyshark, about the captures in SRC..., each alone, and compare its flows with ours.

    A flow is told by its ends, its IP protocol and the tunnels around it. Compared are packets and octets in each
    direction, first and last time, and the protocol; of what differs, the frames and our evidence are shown.
    Differences with a known reason do not count: without any other the exit code is 0, else 10. It is 5 where tshark
    or pyshark is missing, and 3 where some input was cut or tshark could not read it.
    """
    tshark = installed()
    found = find(text for text in sources if text != "-")
    opened: list[ByteSource] = list(found.sources)
    if "-" in sources:
        opened.append(StreamSource(FileIO(sys.stdin.fileno(), closefd=False), "-"))
    for _, problem in found.problems:
        click.echo(f"error: {clean(problem)}", err=True)
    totals, told, partial = Counter[str](), [], bool(found.problems)
    known: Counter[str] = Counter()
    for answer in _compared(tshark, opened, timeout / SECOND_NS, jobs):
        if isinstance(answer, SourceError):
            click.echo(f"error: {clean(str(answer))}", err=True)
            partial = True
            continue
        one, shown = answer
        partial |= bool(shown["problems"])
        totals.update({key: shown["flows"][key] for key in shown["flows"]} | {"captures": 1})
        totals["unexplained"] += len(one.unexplained)
        known.update({rule: len(those) for rule, those in one.known.items()})
        if as_json:
            told.append(shown)
        else:
            for line in _lines(one, shown, quiet=quiet, verbose=verbose):
                click.echo(clean(line))
    if not totals["captures"]:
        return Exit.NO_INPUT
    if as_json:
        click.echo(msgspec.json.encode(_document(tshark, told, totals, known)).decode())
    elif not quiet:
        for line in _summary(tshark, totals, known):
            click.echo(clean(line))
    if totals["unexplained"]:
        return Exit.VIOLATION
    return Exit.PARTIAL if partial else Exit.DONE


def _compared(
    tshark: Tshark, sources: list[ByteSource], seconds: float, jobs: int
) -> Iterator[tuple[Comparison, dict[str, Any]] | SourceError]:
    """Compare captures, some at once; give them in their order."""

    def one(source: ByteSource) -> tuple[Comparison, dict[str, Any]] | SourceError:
        try:
            with plain(source) as (path, cut):
                found = compare(tshark, path, source.name, seconds)
                return found, _as_json(found, path, cut)
        except SourceError as problem:
            return problem

    pool = ThreadPoolExecutor(jobs)
    try:
        yield from pool.map(one, sources)
    finally:
        pool.shutdown(cancel_futures=True)


def _as_json(one: Comparison, path: Path, cut: str) -> dict[str, Any]:
    """Give a comparison as plain values; the octets of the evidence are looked for in the capture."""
    problems = [cut, one.problem and f"tshark: {one.problem}", one.ours.stopped]
    problems.append(one.theirs.stopped and f"tshark: {one.theirs.stopped}")
    return {
        "capture": one.name,
        "frames": {"ours": one.ours.frames, "tshark": one.theirs.frames},
        "flows": {"ours": len(one.ours.flows), "tshark": len(one.theirs.flows), "equal": one.equal},
        "problems": [problem for problem in problems if problem],
        "differences": [_difference(each, path) for each in one.differences],
    }


def _difference(one: Difference, path: Path) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "flow": text_of(one.flow),
        "sentence": sentence(one),
        "known": None if one.rule is None else one.rule.id,
        "ours": _side(one.ours),
        "tshark": _side(one.theirs),
        "evidence": [] if one.rule is not None else _evidence(one.ours, path),
    }


def _side(flow: Flow | None) -> dict[str, Any] | None:
    if flow is None:
        return None
    told: dict[str, Any] = {
        "packets": flow.packets,
        "octets": flow.octets,
        "start_ns": flow.start,
        "end_ns": flow.end,
        "frames": flow.frames,
        "last_frame": flow.last_frame,
    }
    if flow.rows:
        return told | {key: flow.verdict[key] for key in ("flow_id", "protocol", "variant", "tier", "evidence_bits")}
    return told | {"reads": flow.reads, "layers": flow.names}


def _evidence(flow: Flow | None, path: Path) -> list[dict[str, Any]]:
    """Give our checks with the frame of each, as far as the capture has it."""
    checks = evidence_of(flow)
    if flow is None or not checks:
        return []
    ends = Ends(**{key: flow.verdict[key] for key in ("src_ip", "src_port", "dst_ip", "dst_port", "ip_proto")})
    times = [nanoseconds(check["time"]) for check in checks]
    frames: dict[int, int] = {}
    with suppress(SourceError):
        frames = {found.time: found.number for found in find_frames([FileSource(path)], ends, times)}
    kept = ("rule", "packet", "offset", "length", "direction", "bits")
    return [
        {key: check[key] for key in kept} | {"frame": frames.get(time)}
        for check, time in zip(checks, times, strict=True)
    ]


def _lines(one: Comparison, shown: dict[str, Any], *, quiet: bool, verbose: bool) -> Iterator[str]:
    told = [each for each in shown["differences"] if each["known"] is None or (verbose and not quiet)]
    if not quiet or told:
        flows = shown["flows"]
        yield f"{one.name}: {flows['ours']:,} flows here, {flows['tshark']:,} at tshark, {flows['equal']:,} equal"
    for problem in shown["problems"]:
        yield f"  note     {problem}"
    for each in told if verbose else told[:MOST_SHOWN]:
        mark = "differs" if each["known"] is None else "known"
        yield f"  {mark:<8} {each['kind']}  {each['sentence']}" + (f"  [{each['known']}]" if each["known"] else "")
        for check in each["evidence"]:
            place = "in its capture" if check["frame"] is None else f"frame {check['frame']}"
            last = check["offset"] + max(check["length"], 1) - 1
            yield f"           {check['rule']}  {check['bits']:.1f} bits, {place}, octets {check['offset']} to {last}"
    if len(told) > MOST_SHOWN and not verbose:
        yield f"  and {len(told) - MOST_SHOWN:,} more differences: --verbose or --json shows all"


def _summary(tshark: Tshark, totals: Counter[str], known: Counter[str]) -> Iterator[str]:
    reasons = {rule.id: rule.reason for rule in rules()}
    for rule, count in known.most_common():
        yield f"known     {count:,} {rule}: {reasons[rule]}"
    yield (
        f"compared  {totals['captures']:,} captures with {tshark.version}: {totals['ours']:,} flows here,"
        f" {totals['tshark']:,} at tshark, {totals['equal']:,} equal in all; {known.total():,} known differences,"
        f" {totals['unexplained']:,} others"
    )


def _document(tshark: Tshark, told: list[dict[str, Any]], totals: Counter[str], known: Counter[str]) -> dict[str, Any]:
    reasons = {rule.id: rule.reason for rule in rules()}
    return {
        "schema": "flowclass.verify/1",
        "tshark": tshark.version,
        "flows": {key: totals[key] for key in ("ours", "tshark", "equal")},
        "known": [{"id": rule, "differences": count, "reason": reasons[rule]} for rule, count in known.most_common()],
        "unexplained": totals["unexplained"],
        "captures": told,
    }

"""``flowclass explain``: the story of a verdict, octet by octet, and how to see it elsewhere."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from flowclass.cli.exit_codes import Exit
from flowclass.cli.options import common, files
from flowclass.cli.values import clean
from flowclass.explain.records import key_of, records_of
from flowclass.explain.story import ROW, explained, in_payload

MARK = "\x1b[1;30;46m"
PLAIN = "\x1b[0m"
DUMP_WIDTH = len("0000 ") + 3 * ROW + 1


@click.command(short_help="Tell the story of a verdict: the checks, their octets, the losers.")
@click.argument("flow_id")
@click.option(
    "--in", "flows", required=True, type=click.Path(path_type=Path), help="What classify wrote: Parquet or Arrow."
)
@click.option(
    "--pcap",
    "captures",
    multiple=True,
    metavar="SRC",
    shell_complete=files,
    help="The capture, to show the octets themselves.",
)
@click.option(
    "--tshark/--no-tshark",
    "second_opinion",
    default=True,
    help="With --pcap: whether tshark is asked about the same frames, where it is installed. By default it is.",
)
@common
def explain(flow_id: str, flows: Path, captures: tuple[str, ...], second_opinion: bool, as_json: bool) -> int:
    """Explain the verdict on the flow FLOW_ID, or on the one whose id begins so.

    Each check with its meaning, its source and its octets; what tshark reads there; which protocols lost and why; and
    how likely random payload has as much evidence. With --pcap the frames are found by the flow's ends, time and
    payload, in any copy of the capture; exit with 3 when one of them is not there, as those of an anonymised run.
    """
    records = records_of(flows, flow_id)
    key = key_of(flows)
    # The addresses of an anonymised run are in no capture: nothing is looked for.
    searched = captures if key is None else ()
    stories = [explained(one, searched, second_opinion=second_opinion) | {"anonymized": key} for one in records]
    if as_json:
        click.echo(msgspec.json.encode({"schema": "flowclass.explain/1", "flows": stories}).decode())
    else:
        coloured = _coloured()
        for story in stories:
            for line in _lines(story, coloured=coloured, searched=bool(searched)):
                click.echo(line, color=coloured)
    absent = captures and any("frame" not in check for story in stories for check in in_payload(story["evidence"]))
    return Exit.PARTIAL if absent else Exit.DONE


def _coloured() -> bool:
    from rich.console import Console

    console = Console(file=sys.stdout)
    return console.color_system is not None and not os.environ.get("NO_COLOR")


def _lines(story: dict[str, Any], *, coloured: bool, searched: bool) -> Iterator[str]:
    yield clean(f"{story['sentence']}.")
    yield ""
    yield from _facts(story, searched=searched)
    if not story["evidence"]:
        yield "evidence  none: no fingerprint matched"
    for number, check in enumerate(story["evidence"], 1):
        yield ""
        yield from _check_lines(number, check, coloured=coloured, searched=searched)
    further = (story.get("evidence_bits") or 0.0) - sum(check["bits"] for check in story["evidence"])
    if story["evidence"] and further >= 1:
        yield ""
        yield f"and {further:.1f} bits of further checks, which are counted but not listed"
    yield ""
    for other in story["alternatives"]:
        yield clean(f"lost      {other['protocol']}: {other['why']}")
    if story["chance"]:
        yield f"chance    {story['evidence_bits']:.1f} bits: {story['chance']}; {story['caveat']}"


def _facts(story: dict[str, Any], *, searched: bool) -> Iterator[str]:
    yield clean(f"flow      {story['flow_id']} segment {story.get('segment', 0)}")
    yield clean(f"time      {story.get('time_start')} to {story.get('time_end')}")
    if story["titles"]:
        yield clean(f"protocol  {'; '.join(story['titles'])} ({story.get('protocol_class')})")
        yield clean(f"sources   {'; '.join(story['sources'])}")
    yield clean(f"tier      {story['why_tier']}")
    hello = [f"{name} {story[name]}" for name in ("server_name", "alpn", "ja4") if story.get(name)]
    if hello:
        yield clean(f"hello     {', '.join(hello)}")
    if story.get("linked_flow_id"):
        yield clean(f"linked    with the flow {story['linked_flow_id']}; explain that one too")
    if story.get("parent_flow_id"):
        yield clean(f"inside    the tunnel {story['parent_flow_id']}")
    if story.get("registry_match") or story.get("policy_outcome"):
        yield clean(
            f"registry  {story.get('registry_match')} ({story.get('registration_id') or 'no entry'}); policy:"
            f" {story.get('policy_outcome')}, phase {story.get('policy_phase') or 'none'},"
            f" {story.get('policy_reason')}"
        )
    frames = f"frames {story.get('packet_first')} to {story.get('packet_last')}"
    yield clean(f"source    {story.get('source_file')}, {frames}")
    if story["anonymized"] is not None:
        yield clean(
            f"octets    the addresses are anonymised (Crypto-PAn, key {story['anonymized']}): the packets cannot be"
            " found in a capture; explain the plain run"
        )
    elif story["evidence"] and not searched:
        yield "octets    give the capture with --pcap to see them"
    if story["tshark"]:
        yield clean(f"tshark    {story['tshark']}")


def _check_lines(number: int, check: dict[str, Any], *, coloured: bool, searched: bool) -> Iterator[str]:
    yield clean(f"{number}. {check['rule']}  {check['bits']:.1f} bits: {check['meaning']}")
    if check["packet"] == 0:
        yield clean(f"  the other flow began at {check['time']}; it is no octet of this one")
        return
    last = check["offset"] + check["length"] - 1
    place = f"octets {check['offset']} to {last} of" if check["length"] else "length or port of"
    yield clean(f"  {place} the payload of packet {check['packet']} ({check['direction']}, {check['time']})")
    frame = check.get("frame")
    if frame is None:
        if searched:
            yield "  its frame is not in the capture given"
        return
    yield clean(
        f"  frame {frame['number']} of {frame['source']}: payload of {frame['payload_length']} octets at"
        f" {frame['payload_offset']:#06x}; see it with"
    )
    yield clean(f"    tshark -r {shlex.quote(frame['source'])} -Y 'frame.number == {frame['number']}' -x")
    if check["length"]:
        for row, text in zip(frame["dump"], frame["text"], strict=True):
            shown = row.ljust(DUMP_WIDTH)
            yield f"    {_marked(shown) if coloured else shown}  {text}"
    if check["tshark"] is not None:
        yield clean(f"  tshark reads {', '.join(check['tshark']['layers'])}")
        for field in check["tshark"]["fields"]:
            places = f"{field['offset']:#06x}, {field['length']} octet{'' if field['length'] == 1 else 's'}"
            yield clean(f"    {field['shown']}  ({field['name'] or 'no name'} at {places})")


def _marked(row: str) -> str:
    """Give a row of a dump with colour in the place of brackets."""
    return row.replace("[", f" {MARK}").replace("]", f"{PLAIN} ") + (PLAIN if "[" in row else "")

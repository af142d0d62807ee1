"""Takes a flow's record and, where they are given, captures. Gives the story of its verdict as plain values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flowclass.engine import link_rules, matchers
from flowclass.errors import SourceError
from flowclass.explain import tshark, words
from flowclass.explain.frames import Ends, Frame, find_frames
from flowclass.explain.records import NEEDED
from flowclass.sources.file import find

ROW = 16
CONTEXT_ROWS = 1
OTHER_VERSION = "a rule of another version of flowclass"
USERS_OWN = "a check of a user's own fingerprint, which the run was given with --udf; its file says what it means"
TRANSPORTS = {6: "TCP", 17: "UDP"}
_KEPT = (
    *NEEDED, "segment", "variant", "protocol_class", "evidence_bits", "alternatives", "time_start", "time_end",
    "packets_fwd", "packets_rev", "observed_directions", "community_id", "parent_flow_id", "linked_flow_id",
    "server_name", "alpn", "ja4", "registry_match", "registration_id", "matched_prefix", "matched_end",
    "policy_outcome", "policy_phase", "policy_reason", "registry_version", "policy_version", "source_file",
    "packet_first", "packet_last",
)  # fmt: skip


def explained(record: dict[str, Any], captures: Sequence[str], *, second_opinion: bool = True) -> dict[str, Any]:
    """Give the story of one record.

    Parameters
    ----------
    record : dict
        As `records.records_of` gives it.
    captures : sequence of str
        Where its frames may be found; none for a story without octets.
    second_opinion : bool
        Whether tshark is asked about the frames.

    Returns
    -------
    dict
        The record's own columns, and: ``sentence``, ``why_tier``, ``chance``, ``caveat``; for each check its
        ``meaning``, ``chance``, ``frame`` and ``tshark``; for each alternative ``why``; ``tshark``, a sentence on the
        second opinion, null where none was asked.

    Raises
    ------
    SourceError
        When no frame of the flow is in the captures.
    """
    listed = [matcher for matcher in matchers() if matcher["protocol"] == record["protocol"]]
    meanings = {rule: meaning for matcher in matchers() for rule, meaning in matcher["rules"]}
    meanings |= {rule: meaning for rule, meaning, *_ in link_rules()}
    story = {key: record[key] for key in _KEPT if key in record}
    story["sentence"] = sentence(record)
    story["titles"] = sorted({matcher["title"] for matcher in listed})
    story["sources"] = sorted({matcher["sources"] for matcher in listed})
    story["why_tier"] = words.why_tier(record)
    story["chance"] = words.chance(record.get("evidence_bits") or 0.0) if record["evidence"] else None
    story["caveat"] = words.CAVEAT
    story["alternatives"] = [
        {**other, "why": words.why_lost(other["bits"], record)} for other in record.get("alternatives") or []
    ]
    frames = _frames(record, captures) if captures and in_payload(record["evidence"]) else []
    placed = [(check, _frame_of(check, record, frames)) for check in record["evidence"]]
    readings, opinion = _readings([frame for _, frame in placed if frame], ask=second_opinion)
    story["tshark"] = opinion
    story["evidence"] = [
        {
            **check,
            "meaning": meanings.get(check["rule"], USERS_OWN if check["rule"].startswith("user.") else OTHER_VERSION),
            "chance": words.chance(check["bits"]),
            **({} if frame is None else _shown(check, frame, readings)),
        }
        for check, frame in placed
    ]
    return story


def in_payload(evidence: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give the checks that lie in a payload of the flow; those of packet 0 are of the flow it is linked with."""
    return [check for check in evidence if check["packet"] > 0]


def sentence(record: Mapping[str, Any]) -> str:
    """Give a flow and its verdict in one sentence."""
    over = TRANSPORTS.get(record["ip_proto"], f"IP protocol {record['ip_proto']}")
    ends = f"The flow {_end(record, 'src')} -> {_end(record, 'dst')} over {over}"
    if record["protocol"] == "unknown":
        return f"{ends} is unknown: no fingerprint's evidence is enough"
    variant = f", variant {record['variant']}" if record.get("variant") else ""
    bits, checks = record.get("evidence_bits") or 0.0, len(record["evidence"])
    return (
        f"{ends} is {record['protocol']}{variant}: {record['tier']}, with {bits:.1f} bits of evidence in {checks}"
        f" check{'' if checks == 1 else 's'}"
    )


def _end(record: Mapping[str, Any], end: str) -> str:
    address, port = record[f"{end}_ip"], record[f"{end}_port"]
    return str(address) if port is None else (f"[{address}]:{port}" if ":" in address else f"{address}:{port}")


def _frames(record: Mapping[str, Any], captures: Sequence[str]) -> list[Frame]:
    found = find(captures)
    if found.problems:
        raise SourceError("; ".join(sentence for _, sentence in found.problems))
    frames = find_frames(found.sources, _ends(record), [check["time_ns"] for check in in_payload(record["evidence"])])
    if not frames:
        raise SourceError(f"no frame of the flow is in {', '.join(captures)}; give the capture that was classified")
    return frames


def _ends(record: Mapping[str, Any]) -> Ends:
    return Ends(**{key: record[key] for key in ("src_ip", "src_port", "dst_ip", "dst_port", "ip_proto")})


def _frame_of(check: Mapping[str, Any], record: Mapping[str, Any], frames: Sequence[Frame]) -> Frame | None:
    if check["packet"] == 0:
        return None
    ends = _ends(record)
    sender = ends if check["direction"] == "fwd" else ends.turned
    least = check["offset"] + min(check["length"], 1)
    for frame in frames:
        if frame.time == check["time_ns"] and frame.sender == sender and frame.payload_length >= least:
            return frame
    return None


def _readings(frames: Sequence[Frame], *, ask: bool) -> tuple[dict[tuple[str, int], tshark.Reading], str | None]:
    """Ask tshark about frames; give its readings and a sentence about them."""
    if not ask or not frames:
        return {}, None
    readings: dict[tuple[str, int], tshark.Reading] = {}
    reasons: list[str] = []
    for source in dict.fromkeys(frame.source for frame in frames):
        answer = tshark.read_frames(source, {frame.number: frame.octets for frame in frames if frame.source == source})
        if isinstance(answer, str):
            reasons.append(answer)
        else:
            readings |= {(source, number): reading for number, reading in answer.items()}
    if reasons:
        return readings, f"no second opinion: {'; '.join(dict.fromkeys(reasons))}"
    return readings, "beside each check stands what tshark reads in the same octets"


def _shown(
    check: Mapping[str, Any], frame: Frame, readings: Mapping[tuple[str, int], tshark.Reading]
) -> dict[str, Any]:
    start = frame.payload_offset + check["offset"]
    end = max(start, min(start + check["length"], frame.payload_offset + frame.payload_captured))
    reading = readings.get((frame.source, frame.number))
    rows = list(_rows(frame.octets, start, end))
    return {
        "frame": {
            "source": frame.source,
            "number": frame.number,
            "payload_offset": frame.payload_offset,
            "payload_length": frame.payload_length,
            "offset": start,
            "octets": frame.octets[start:end].hex(),
            "dump": [_dump(frame.octets, row, start, end) for row in rows],
            "text": [_text(frame.octets[row : row + ROW]) for row in rows],
        },
        "tshark": None
        if reading is None
        else {
            "layers": list(reading.layers),
            "fields": [
                {"name": field.name, "shown": field.shown, "offset": field.offset, "length": field.length}
                for field in reading.of(start, end)
            ],
        },
    }


def _rows(octets: bytes, start: int, end: int) -> Iterator[int]:
    """Give the offsets of the rows that hold the octets in question, and of a row around them."""
    first = max(0, start // ROW - CONTEXT_ROWS) * ROW
    last = min(len(octets), ((max(end, start + 1) - 1) // ROW + 1 + CONTEXT_ROWS) * ROW)
    yield from range(first, last, ROW)


def _dump(octets: bytes, row: int, start: int, end: int) -> str:
    """Give a row as ``tshark -x`` prints it, the octets in question in brackets."""
    at_end = min(row + ROW, len(octets))
    cells = ""
    for place in range(row, at_end):
        opens = start <= place < end and place in (start, row)
        closes = start < place == end and place != row
        cells += "[" if opens else ("]" if closes else " ")
        cells += f"{octets[place]:02x}"
    return f"{row:04x} {cells}" + ("]" if row < end and start < at_end <= end else "")


def _text(octets: bytes) -> str:
    return "".join(chr(octet) if 0x20 <= octet < 0x7F else "." for octet in octets)

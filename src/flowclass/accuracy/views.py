"""Takes a capture and what is known of its flows. Gives views: the same flows as a less fortunate capture has them.

Views
    ``full``
        The capture as it is.
    ``mid-flow``
        Begins after the handshake: of every flow the first half of its packets is cut away, at least ten of them;
        a flow of ten packets or fewer is not in it.
    ``to-server``, ``to-client``
        What the client sent, and what the server sent. The client is who sent a TCP SYN, else who did not send a
        SYN with ACK, else the sender of the flow's first packet.
    ``snaplen-96``
        The first 96 octets of every frame.
    ``loss-5``
        Every frame is lost with a chance of 5 %.
    ``reordered-5``
        Every frame is, with a chance of 5 %, late by one to three frames. No frame is lost.

All but ``full`` hold only frames that belong to a flow: those whose outermost IP packet has readable ends, in the
link type of the first of them, since a pcap file has one. Chance is seeded by the capture's name.

A label holds in a view when it is of an outer flow of which the view has a packet with payload: nobody can tell a flow
by acknowledgements alone. What is classified has no say in it.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from flowclass.accuracy.ends import Ends, ends_of
from flowclass.accuracy.frames import Frame, read_frames, write_pcap
from flowclass.accuracy.labels import Key, LabelledCapture

FULL = "full"
CUT = ("mid-flow", "to-server", "to-client", "snaplen-96", "loss-5", "reordered-5")
VIEWS = (FULL, *CUT)

SNAP_LENGTH = 96
CHANCE = 0.05
LATEST = 3
SPARED = 10


@dataclass(frozen=True, slots=True)
class Packet:
    """A frame that belongs to a flow.

    Parameters
    ----------
    frame : Frame
        As captured.
    number : int
        1-based, of the full capture.
    key : Key
        The flow.
    sender : tuple of (bytes, int)
        The end that sent it.
    ends : Ends
        As its own headers have them.
    """

    frame: Frame
    number: int
    key: Key
    sender: tuple[bytes, int]
    ends: Ends


def packets_of(frames: Sequence[Frame]) -> list[Packet]:
    """Give the frames that belong to a flow, of the first link type that has any; fragments go with their first."""
    known = [(number, frame, ends) for number, frame in enumerate(frames, 1) if (ends := ends_of(frame)) is not None]
    whole = {ends.fragment: ends for _, _, ends in known if ends.fragment is not None and ends.ports_known}
    packets = []
    for number, frame, ends in known:
        first = ends if ends.ports_known or ends.fragment is None else whole.get(ends.fragment)
        if first is not None and frame.link_type == known[0][1].link_type:
            packets.append(Packet(frame, number, first.key, first.src, ends))
    return packets


def cut(packets: Sequence[Packet], view: str, seed: str) -> list[Packet]:
    """Give a view of a capture.

    Parameters
    ----------
    packets : sequence of Packet
        Of the full capture.
    view : str
        Of `CUT`.
    seed : str
        Decides what is lost and late; by custom the capture's name.

    Raises
    ------
    ValueError
        For a view that there is not.
    """
    chance = random.Random(f"{view} {seed}")
    if view == "mid-flow":
        return _mid_flow(packets)
    if view in ("to-server", "to-client"):
        clients = _clients(packets)
        return [one for one in packets if (one.sender == clients[one.key]) == (view == "to-server")]
    if view == "snaplen-96":
        return [replace(one, frame=replace(one.frame, octets=one.frame.octets[:SNAP_LENGTH])) for one in packets]
    if view == "loss-5":
        return [one for one in packets if chance.random() >= CHANCE]
    if view == "reordered-5":
        return _reordered(packets, chance)
    raise ValueError(f"there is no view {view!r}; there are {', '.join(CUT)}")


def write_view(capture: bytes, view: str, seed: str) -> bytes:
    """Give a view of a capture as a pcap file.

    Parameters
    ----------
    capture : bytes
        pcap or pcapng.
    view : str
        Of `CUT`.
    seed : str
        Decides what is lost and late.

    Raises
    ------
    SourceError
        When the octets are neither pcap nor pcapng.
    ValueError
        For a view that there is not.
    """
    return write_pcap(one.frame for one in cut(packets_of(read_frames(capture)), view, seed))


def labels_in(capture: LabelledCapture, full: Sequence[Packet], view: Sequence[Packet]) -> LabelledCapture:
    """Give what is known of a view's flows: labels of those that are in it, their first frames in the view."""
    first: dict[Key, int] = {}
    with_payload: set[Key] = set()
    for number, one in enumerate(view, 1):
        first.setdefault(one.key, number)
        if one.ends.payload:
            with_payload.add(one.key)
    labels = tuple(
        replace(label, frame=first[label.key])
        for label in capture.labels
        if label.depth == 0 and label.key in with_payload
    )
    numbers = frozenset() if capture.negatives_ok or capture.unvouched is None else capture.unvouched
    nobody = {one.key for one in full if one.number in numbers} | {label.key for label in capture.labels}
    return replace(
        capture,
        sha256=None,
        packets=len(view),
        container="pcap",
        labels=labels,
        unvouched=None if capture.unvouched is None else frozenset(),
        unvouched_flows=frozenset(nobody),
    )


def _mid_flow(packets: Sequence[Packet]) -> list[Packet]:
    counts: dict[Key, int] = defaultdict(int)
    for one in packets:
        counts[one.key] += 1
    seen: dict[Key, int] = defaultdict(int)
    kept = []
    for one in packets:
        seen[one.key] += 1
        if seen[one.key] > max(SPARED, counts[one.key] // 2):
            kept.append(one)
    return kept


def _clients(packets: Sequence[Packet]) -> dict[Key, tuple[bytes, int]]:
    first: dict[Key, tuple[bytes, int]] = {}
    sure: dict[Key, tuple[bytes, int]] = {}
    answered: dict[Key, tuple[bytes, int]] = {}
    for one in packets:
        first.setdefault(one.key, one.sender)
        if one.ends.opens:
            sure.setdefault(one.key, one.sender)
        elif one.ends.answers:
            answered.setdefault(one.key, one.ends.dst)
    return first | answered | sure


def _reordered(packets: Sequence[Packet], chance: random.Random) -> list[Packet]:
    places = [
        (place + chance.randint(1, LATEST) + 0.5 if chance.random() < CHANCE else place, place)
        for place in range(len(packets))
    ]
    order = [place for _, place in sorted(places)]
    times = [one.frame.time for one in packets]
    return [
        replace(packets[place], frame=replace(packets[place].frame, time=time))
        for place, time in zip(order, times, strict=True)
    ]

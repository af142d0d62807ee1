"""What the flows of some captures are known to be.

Takes ``labels.jsonl`` and, where they are, ``captures.jsonl`` and ``hard_negatives.jsonl``. Gives them by capture.
A flow here is the 5-tuple over a whole capture, both directions, without timeouts.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

import msgspec

from flowclass.errors import SourceError

Key: TypeAlias = tuple[tuple[bytes, int], tuple[bytes, int], int]
Certainty: TypeAlias = Literal["certain", "likely", "disputed"]
Scope: TypeAlias = Literal["gate", "hint", "out"]

SHOWN_PROBLEMS = 20

_Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
_Octet = Annotated[int, msgspec.Meta(ge=0, le=255)]
_Count = Annotated[int, msgspec.Meta(ge=0)]
_Name = Annotated[str, msgspec.Meta(min_length=1)]


class _Flow(msgspec.Struct):
    capture: _Name
    src_ip: str
    dst_ip: str
    ip_proto: _Octet
    src_port: _Port | None = None
    dst_port: _Port | None = None
    frame: _Count = 0
    depth: _Count = 0


class _LabelRow(_Flow, kw_only=True):
    family: _Name
    certainty: Certainty
    scope: Scope = "gate"
    accept: list[_Name] | None = None
    variant: str | None = None


class _CaptureRow(msgspec.Struct):
    capture: _Name
    negatives_ok: bool = False
    unvouched_first_frames: list[_Count] | None = None
    sha256: str | None = None
    packets: _Count = 0
    format: str = ""
    origin: str = ""
    programs: dict[str, str] = {}
    synthetic: bool = False


_Row = TypeVar("_Row", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What a flow is known to be.

    Parameters
    ----------
    key : Key
        The flow, the smaller endpoint first.
    frame : int
        Its first frame, 1-based.
    depth : int
        How many tunnels it is in.
    family : str
        Protocol id.
    accept : tuple of str
        Protocol ids that count as right.
    variant : str or None
        Form of the protocol.
    certainty : {"certain", "likely", "disputed"}
        How sure the label is.
    scope : {"gate", "hint", "out"}
        Whether it must be found, may be found, or is left out.
    """

    key: Key
    frame: int
    depth: int
    family: str
    accept: tuple[str, ...]
    variant: str | None
    certainty: Certainty
    scope: Scope

    @property
    def counts(self) -> bool:
        """Whether the flow must be found."""
        return self.certainty == "certain" and self.scope == "gate"

    @property
    def judged(self) -> bool:
        """Whether anything said of the flow can be right or wrong."""
        return self.certainty != "disputed" and self.scope != "out"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledCapture:
    """What is known of one capture.

    Parameters
    ----------
    name : str
        The file's name.
    sha256 : str or None
        Of its octets, decompressed.
    packets : int
        Frames; 0 where nobody said.
    container : str
        Container format; empty where nobody said.
    negatives_ok : bool
        Whether every flow without a label is known to be no tunnel.
    unvouched : frozenset of int, or None
        First frames of the flows without label that nobody vouches for; None: of all.
    unvouched_flows : frozenset of Key
        Further flows that nobody vouches for, by their ends.
    origin : str
        Who published it; empty where nobody said.
    programs : tuple of (str, str)
        The programs whose traffic it holds, with their versions.
    synthetic : bool
        Whether its packets were written, and not sent by the programs themselves.
    labels : tuple of Label
        The flows that are known.
    hard_negatives : frozenset of Key
        Flows that look like a tunnel and are none.
    """

    name: str
    sha256: str | None = None
    packets: int = 0
    container: str = ""
    negatives_ok: bool = False
    unvouched: frozenset[int] | None = None
    unvouched_flows: frozenset[Key] = frozenset()
    origin: str = ""
    programs: tuple[tuple[str, str], ...] = ()
    synthetic: bool = False
    labels: tuple[Label, ...] = ()
    hard_negatives: frozenset[Key] = field(default_factory=frozenset)

    def is_negative(self, key: Key, first_frame: int) -> bool:
        """Say whether an outer flow without label is known to be no tunnel.

        Parameters
        ----------
        key : Key
            Of a flow that has no label.
        first_frame : int
            Of the flow, 1-based.
        """
        if key in self.hard_negatives:
            return True
        vouched = self.unvouched is not None and first_frame not in self.unvouched
        return (self.negatives_ok or vouched) and key not in self.unvouched_flows


@lru_cache(maxsize=65536)
def packed(address: str) -> bytes:
    """Give an address as octets."""
    return ipaddress.ip_address(address).packed


def flow_key(row: Mapping[str, Any]) -> Key:
    """Give the 5-tuple of a flow record or label, the smaller endpoint first.

    Examples
    --------
    >>> ends = {"src_ip": "192.0.2.2", "src_port": 9, "dst_ip": "192.0.2.1", "dst_port": None, "ip_proto": 17}
    >>> [port for _, port in flow_key(ends)[:2]]
    [0, 9]
    """
    src = (packed(row["src_ip"]), row["src_port"] or 0)
    dst = (packed(row["dst_ip"]), row["dst_port"] or 0)
    return (src, dst, row["ip_proto"]) if src <= dst else (dst, src, row["ip_proto"])


def read_labels(
    labels: Path, *, captures: Path | None = None, hard_negatives: Path | None = None
) -> dict[str, LabelledCapture]:
    """Read lists of labels.

    Parameters
    ----------
    labels : Path
        One labelled flow a line, JSON.
    captures : Path, optional
        The captures, and whether their other flows are negatives. By default ``captures.jsonl`` beside the labels;
        without it nothing is known of flows without label.
    hard_negatives : Path, optional
        Flows that look like a tunnel. By default ``hard_negatives.jsonl`` beside the labels, where it is there.

    Returns
    -------
    dict of str to LabelledCapture
        By the name of the file.

    Raises
    ------
    SourceError
        With every line that is not valid, or a label of a capture that is not listed.
    """
    captures = captures or _beside(labels, "captures.jsonl")
    hard_negatives = hard_negatives or _beside(labels, "hard_negatives.jsonl")
    problems: list[str] = []
    by_capture: dict[str, list[Label]] = defaultdict(list)
    for number, row in _rows(labels, _LabelRow, problems):
        key = _key(row, labels, number, problems)
        if key is not None:
            by_capture[row.capture].append(_label(row, key))
    hard: dict[str, set[Key]] = defaultdict(set)
    for number, flow in _rows(hard_negatives, _Flow, problems):
        key = _key(flow, hard_negatives, number, problems)
        if key is not None:
            hard[flow.capture].add(key)
    listed = (
        dict(_listed(captures, problems)) if captures else {name: _CaptureRow(name) for name in (*by_capture, *hard)}
    )
    for name in sorted({*by_capture, *hard} - set(listed)):
        problems.append(f"{captures}: does not list {name!r}, of which there are labels")
    if problems:
        more = f"\n  ... and {len(problems) - SHOWN_PROBLEMS} more" if len(problems) > SHOWN_PROBLEMS else ""
        shown = "".join(f"\n  {problem}" for problem in problems[:SHOWN_PROBLEMS])
        raise SourceError(f"{labels}: the labels cannot be used; correct these lines:{shown}{more}")
    return {
        name: LabelledCapture(
            name=name,
            sha256=row.sha256,
            packets=row.packets,
            container=row.format,
            negatives_ok=row.negatives_ok,
            unvouched=None if row.unvouched_first_frames is None else frozenset(row.unvouched_first_frames),
            origin=row.origin,
            programs=tuple(row.programs.items()),
            synthetic=row.synthetic,
            labels=tuple(by_capture.get(name, ())),
            hard_negatives=frozenset(hard.get(name, ())),
        )
        for name, row in listed.items()
    }


def _beside(labels: Path, name: str) -> Path | None:
    path = labels.parent / name
    return path if path.exists() else None


def _rows(path: Path | None, kind: type[_Row], problems: list[str]) -> Iterator[tuple[int, _Row]]:
    if path is None:
        return
    decoder = msgspec.json.Decoder(kind)
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    try:
                        yield number, decoder.decode(line)
                    except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
                        problems.append(f"{path}:{number}: {problem}")
                    except RecursionError:
                        problems.append(f"{path}:{number}: its values lie too deep in each other")
    except OSError as problem:
        why = (problem.strerror or str(problem)).lower()
        raise SourceError(f"{path}: cannot be read: {why}; check the name") from problem


def _key(row: _Flow, path: Path | None, number: int, problems: list[str]) -> Key | None:
    try:
        return flow_key(msgspec.structs.asdict(row))
    except ValueError as problem:
        problems.append(f"{path}:{number}: {problem}")
        return None


def _accepted(row: _LabelRow) -> tuple[str, ...]:
    """Give the ids that are right; a family ``other-...`` has none of its own, its variant says which."""
    accept = tuple(row.accept or (row.family,))
    if row.family.startswith("other-") and row.variant:
        accept += (row.variant, row.variant.partition("-")[0])
    return accept


def _label(row: _LabelRow, key: Key) -> Label:
    return Label(
        key=key,
        frame=row.frame,
        depth=row.depth,
        family=row.family,
        accept=_accepted(row),
        variant=row.variant or None,
        certainty=row.certainty,
        scope=row.scope,
    )


def _listed(path: Path, problems: list[str]) -> Iterator[tuple[str, _CaptureRow]]:
    seen: dict[str, int] = {}
    for number, row in _rows(path, _CaptureRow, problems):
        if row.capture in seen:
            problems.append(f"{path}:{number}: {row.capture!r} stands in line {seen[row.capture]} too")
        seen[row.capture] = number
        yield row.capture, row

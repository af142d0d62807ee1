"""tshark's reading of frames, as a second opinion beside ours; through pyshark, in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import util
from typing import Any

MOST_SECONDS = 60
MOST_FIELDS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field as tshark shows it.

    Parameters
    ----------
    name : str
        As in display filters.
    shown : str
        Its text.
    offset, length : int
        Octets in the frame.
    """

    name: str
    shown: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One frame as tshark reads it.

    Parameters
    ----------
    layers : tuple of str
        From the outside.
    fields : tuple of Field
        Only those whose octets lie in the frame itself.
    """

    layers: tuple[str, ...]
    fields: tuple[Field, ...]

    def of(self, start: int, end: int) -> list[Field]:
        """Give the fields that say most of the octets from ``start`` up to ``end``, in their order."""
        near = [field for field in self.fields if field.offset < end and start < field.offset + field.length]
        near = [field for field in near if not field.name.endswith(".payload")] or near
        nested = sorted(near, key=lambda field: (field.length, field.offset))[:MOST_FIELDS]
        return sorted(nested, key=lambda field: (field.offset, -field.length))


def missing() -> str:
    """Say what is not installed; empty when everything is."""
    if shutil.which("tshark") is None:
        return "tshark is not installed"
    if util.find_spec("pyshark") is None:
        return "pyshark is not installed (pip install pyshark)"
    return ""


def read_frames(capture: str, frames: Mapping[int, bytes]) -> dict[int, Reading] | str:
    """Read some frames.

    Parameters
    ----------
    capture : str
        A file.
    frames : mapping of int to bytes
        The frames as we read them, by their number from 1.

    Returns
    -------
    dict of int to Reading, or str
        Or why there is none.
    """
    lacking = missing()
    if lacking:
        return lacking
    answer = run_worker(
        "flowclass.explain.tshark_worker",
        [shutil.which("tshark") or "", capture, *(str(number) for number in frames)],
        MOST_SECONDS,
    )
    if isinstance(answer, str):
        return answer
    found: dict[str, dict[str, Any]] = json.loads(answer)
    return {int(number): _reading(one, frames[int(number)]) for number, one in found.items() if int(number) in frames}


def run_worker(module: str, words: Sequence[str], seconds: float) -> bytes | str:
    """Run a module that asks tshark and answers with one JSON object.

    Parameters
    ----------
    module : str
        Its name.
    words : sequence of str
        Its arguments.
    seconds : float
        Then it is ended, with all that it started.

    Returns
    -------
    bytes or str
        The JSON object, or why there is none.
    """
    with subprocess.Popen(
        [sys.executable, "-m", module, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    ) as worker:
        try:
            answer, complaint = worker.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            return f"tshark did not answer within {seconds:g} s"
        finally:
            with suppress(ProcessLookupError):
                os.killpg(worker.pid, signal.SIGKILL)
    try:
        json.loads(answer)
    except ValueError:
        lines = complaint.decode(errors="replace").strip().splitlines()
        return "tshark could not read it" + (f": {lines[-1]}" if lines else "")
    return answer


def _reading(found: Mapping[str, Any], octets: bytes) -> Reading:
    fields = []
    for name, shown, offset, length, value in found["fields"]:
        # A field of a reassembled or decrypted buffer has places in that buffer: its octets tell.
        if octets[offset : offset + length].hex() == str(value).lower():
            fields.append(Field(name=str(name), shown=str(shown), offset=offset, length=length))
    return Reading(layers=tuple(found["layers"]), fields=tuple(dict.fromkeys(fields)))

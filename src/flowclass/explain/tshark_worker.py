"""Says how tshark reads some frames of a capture, through pyshark.

A program of its own, because pyshark leaves an event loop and signal handlers behind in the process that uses it.
Usage: ``python -m flowclass.explain.tshark_worker TSHARK CAPTURE NUMBER...``; gives one JSON object on standard
output: for each frame the names of its layers and its fields, each with name, text, place, length and octets.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from typing import Any

MOST_FIELDS = 2000


def read(tshark: str, capture: str, numbers: set[int]) -> dict[int, dict[str, Any]]:
    """Give tshark's reading of frames.

    Parameters
    ----------
    tshark : str
        The program.
    capture : str
        A file.
    numbers : set of int
        Frames, 1-based.
    """
    import pyshark

    wanted = " || ".join(f"frame.number == {number}" for number in sorted(numbers))
    found: dict[int, dict[str, Any]] = {}
    packets = pyshark.FileCapture(capture, display_filter=wanted, keep_packets=False, tshark_path=tshark)
    try:
        for packet in packets:
            number = int(packet.number)
            found[number] = {
                "layers": [str(layer.layer_name) for layer in packet.layers],
                "fields": list(_fields(packet))[:MOST_FIELDS],
            }
            if len(found) == len(numbers):
                break
    finally:
        # Leaving early ends tshark, which pyshark may take for a crash; a true one shows in what is missing.
        with suppress(Exception) if len(found) == len(numbers) else nullcontext():
            packets.close()
    return found


def _fields(packet: Any) -> Iterator[list[Any]]:
    for layer in packet.layers:
        for name in layer.field_names:
            for field in layer.get_field(name).all_fields:
                octets = field.unmaskedvalue or field.raw_value
                if field.size is None or field.pos is None or int(field.size) == 0 or not octets:
                    continue
                yield [field.name or name, field.showname or field.show, int(field.pos), int(field.size), octets]


def main(tshark: str, capture: str, *numbers: str) -> None:
    """Answer on standard output."""
    sys.stdout.write(json.dumps(read(tshark, capture, {int(number) for number in numbers})))


if __name__ == "__main__":
    main(*sys.argv[1:])

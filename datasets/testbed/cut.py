"""Cuts a view of a capture: the same traffic as a less fortunate capture has it. The views are the product's own."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import TestbedError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["add_command", "cut"]

SUMMARY = "cut a view of a capture: begun after the handshake, one direction, short frames, loss, late frames"


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``cut`` to the testbed's commands; its arguments have `action`, which does it and gives the exit code."""
    command = commands.add_parser("cut", help=SUMMARY, description=SUMMARY)
    command.add_argument("capture", type=Path, help="pcap or pcapng")
    command.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="the pcap file to write")
    command.add_argument("--view", required=True, help="see docs/accuracy.md")
    command.add_argument("--seed", help="decides what is lost and late; default: the capture's file name")
    action: Callable[[argparse.Namespace], int] = _run
    command.set_defaults(action=action)


def cut(capture: Path, output: Path, view: str, seed: str | None = None) -> tuple[int, int]:
    """Write a view of a capture.

    Parameters
    ----------
    capture, output : Path
        What is read, and the pcap file that is written.
    view : str
        Of ``flowclass.accuracy.views.CUT``.
    seed : str, optional
        Decides what is lost and late; by default the capture's file name.

    Returns
    -------
    (int, int)
        Frames of the capture, and of the view.

    Raises
    ------
    TestbedError
        When there is no such view, or the capture cannot be read.
    """
    try:
        from flowclass.accuracy import frames, views
        from flowclass.errors import SourceError
    except ImportError as problem:
        raise TestbedError(f"cutting needs the package itself ({problem}): pip install .") from problem
    try:
        full = frames.read_frames(capture.read_bytes())
        kept = views.cut(views.packets_of(full), view, capture.name if seed is None else seed)
    except (SourceError, ValueError) as problem:
        raise TestbedError(f"{capture}: {problem}") from problem
    except OSError as problem:
        raise TestbedError(f"{capture}: cannot be read: {problem.strerror or problem}") from problem
    try:
        output.write_bytes(frames.write_pcap(packet.frame for packet in kept))
    except OSError as problem:
        raise TestbedError(f"{output}: cannot be written: {problem.strerror or problem}") from problem
    return len(full), len(kept)


def _run(arguments: argparse.Namespace) -> int:
    before, after = cut(arguments.capture, arguments.output, arguments.view, arguments.seed)
    print(f"{arguments.output}: {after} of {before} frames")
    return 0

"""Starts sstp-server with the testbed's framing of PPP: the compiled one of version 0.6.0 crashes under Python 3.11."""

from __future__ import annotations

import runpy
import sys
import types

from .ppp import Line

__all__ = ["main"]


class _Decoder:
    def __init__(self) -> None:
        self._line = Line()

    def unescape(self, data: bytes) -> list[bytes]:
        return [b"\xff\x03" + frame for frame in self._line.frames(data)]


def _escape(frame: bytes | memoryview) -> bytes:
    return Line.stuffed(bytes(frame).removeprefix(b"\xff\x03"))


def main() -> None:
    """Run sstp-server with this process's arguments."""
    codec = types.ModuleType("sstpd.codec")
    vars(codec).update(PppDecoder=_Decoder, escape=_escape)
    sys.modules["sstpd.codec"] = codec
    runpy.run_module("sstpd", run_name="__main__")


if __name__ == "__main__":
    main()

"""PPP in user space, for machines whose kernel has none: stands in for pppd under the programs that start one.

It speaks, on its standard input and output, PPP in the framing of RFC 1662 §4 (octet stuffing, FCS-16): LCP and PAP
(RFC 1661, RFC 1334), IPCP (RFC 1332), echo requests, and IPv4 from and to a tun device. Of pppd's arguments it
understands three: ``LOCAL:REMOTE``, which makes it the end that asks for a password and gives an address, ``silent``,
which makes it wait for the other end's first frame, and ``pty COMMAND``, which runs a command at the other end of its
line instead. It logs into the file PPP_LOG names.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shlex
import signal
import struct
import subprocess
import sys
import time
import tty
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Line", "Peer", "main"]

_LCP, _PAP, _IPCP, _IPV4 = 0xC021, 0xC023, 0x8021, 0x0021
_REQUEST, _ACK, _NAK, _REJECT, _TERMINATE, _TERMINATED, _ECHO, _ECHOED = 1, 2, 3, 4, 5, 6, 9, 10
_PROTOCOL_REJECT = 8
_MRU, _AUTH, _MAGIC, _ADDRESS = 1, 3, 5, 3
_MTU = 1400
_RETRY_SECONDS = 1.0
_ECHO_SECONDS = 3.0
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 1, 0x1000


def _fcs_table() -> list[int]:
    table = []
    for index in range(256):
        value = index
        for _ in range(8):
            value = value >> 1 ^ (0x8408 if value & 1 else 0)
        table.append(value)
    return table


_FCS = _fcs_table()


def _fcs(data: bytes) -> int:
    value = 0xFFFF
    for octet in data:
        value = value >> 8 ^ _FCS[(value ^ octet) & 0xFF]
    return value


class Line:
    """The framing of RFC 1662 §4: bytes from the line to frames, and frames to bytes."""

    def __init__(self) -> None:
        self._rest = b""

    def frames(self, data: bytes) -> Iterator[bytes]:
        """Give every whole frame, from the protocol field to the end of the information; damaged ones are left out."""
        *parts, self._rest = (self._rest + data).split(b"\x7e")
        for part in parts:
            frame = re.sub(rb"\x7d(.)", lambda found: bytes([found[1][0] ^ 0x20]), part, flags=re.DOTALL)
            if len(frame) < 6 or _fcs(frame) != 0xF0B8:
                continue
            frame = frame[:-2]
            yield frame[2:] if frame[:2] == b"\xff\x03" else frame

    @staticmethod
    def stuffed(frame: bytes) -> bytes:
        """Give the bytes for the line."""
        whole = b"\xff\x03" + frame
        whole += struct.pack("<H", _fcs(whole) ^ 0xFFFF)
        out = re.sub(rb"[\x00-\x1f\x7d\x7e]", lambda found: bytes([0x7D, found[0][0] ^ 0x20]), whole)
        return b"\x7e" + out + b"\x7e"


def _options(body: bytes) -> Iterator[tuple[int, bytes]]:
    while len(body) >= 2 and 2 <= body[1] <= len(body):
        yield body[0], body[2 : body[1]]
        body = body[body[1] :]


def _option(kind: int, value: bytes) -> bytes:
    return bytes([kind, len(value) + 2]) + value


@dataclass(slots=True)
class _Control:
    """One control protocol: which options are asked for, and whether either side has agreed."""

    protocol: int
    ask: dict[int, bytes]
    asked: int = 0  # identifier of the last request
    sent_at: float = 0.0
    ours: bool = False
    theirs: bool = False
    known: frozenset[int] = field(default_factory=frozenset)

    @property
    def is_open(self) -> bool:
        return self.ours and self.theirs


class Peer:
    """One end of a PPP link.

    Parameters
    ----------
    local, remote : str
        Addresses that this end knows and gives; empty on the end that is given one.
    silent : bool
        Whether it waits for the other end to begin.
    """

    def __init__(self, local: str = "", remote: str = "", *, silent: bool = False) -> None:
        self._waits = silent
        self.serves = bool(remote)
        self.local, self.remote = local, remote
        magic = os.urandom(4)
        ask = {_MRU: struct.pack("!H", _MTU), _MAGIC: magic}
        if self.serves:
            ask[_AUTH] = struct.pack("!H", _PAP)
        self._magic = magic
        self._lcp = _Control(_LCP, ask, known=frozenset({_MRU, 2, _AUTH, _MAGIC}))
        self._ipcp = _Control(_IPCP, {_ADDRESS: _packed(local)}, known=frozenset({_ADDRESS}))
        self._must_log_in = False
        self._logged_in = False
        self._pap_at = 0.0
        self._echo_at = time.monotonic()
        self.ended = False

    @property
    def is_up(self) -> bool:
        """Whether IPv4 may pass."""
        return self._ipcp.is_open and not self.ended

    def tick(self, now: float) -> Iterator[bytes]:
        """Give the frames that are due: requests again, the password again, echo requests."""
        if self._waits:
            return
        yield from self._ask_again(self._lcp, now)
        if not self._lcp.is_open:
            return
        if self._must_log_in and not self._logged_in and now - self._pap_at > _RETRY_SECONDS:
            self._pap_at = now
            yield _packet(_PAP, _REQUEST, 1, _counted(b"carol") + _counted(b"green parrot"))
        if self._logged_in or not (self._must_log_in or self.serves):
            yield from self._ask_again(self._ipcp, now)
        if self.is_up and now - self._echo_at > _ECHO_SECONDS:
            self._echo_at = now
            yield _packet(_LCP, _ECHO, int(now) & 0xFF, self._magic)

    def end(self) -> bytes:
        """Give the frame that ends the link."""
        self.ended = True
        return _packet(_LCP, _TERMINATE, 99, b"bye")

    def receive(self, frame: bytes) -> Iterator[bytes]:
        """Give the answers to a frame that is not IPv4."""
        self._waits = False
        protocol = int.from_bytes(frame[:2], "big")
        if len(frame) < 6:
            return
        code, identifier, length = struct.unpack_from("!BBH", frame, 2)
        body = frame[6 : 2 + length]
        if protocol == _LCP and code >= _TERMINATE:
            yield from self._lcp_other(code, identifier, body)
        elif protocol == _LCP:
            yield from self._negotiate(self._lcp, code, identifier, body)
        elif protocol == _IPCP:
            yield from self._negotiate(self._ipcp, code, identifier, body)
        elif protocol == _PAP and code == _REQUEST and self.serves:
            self._logged_in = True
            yield _packet(_PAP, _ACK, identifier, _counted(b"welcome"))
        elif protocol == _PAP and code == _ACK:
            self._logged_in = True
        else:
            yield _packet(_LCP, _PROTOCOL_REJECT, 1, frame[:64])

    def _ask_again(self, control: _Control, now: float) -> Iterator[bytes]:
        if control.ours or now - control.sent_at < _RETRY_SECONDS:
            return
        control.sent_at = now
        control.asked += 1
        yield _packet(
            control.protocol, _REQUEST, control.asked, b"".join(_option(*pair) for pair in control.ask.items())
        )

    def _lcp_other(self, code: int, identifier: int, body: bytes) -> Iterator[bytes]:
        if code == _ECHO:
            yield _packet(_LCP, _ECHOED, identifier, self._magic + body[4:])
        elif code == _TERMINATE:
            self.ended = True
            yield _packet(_LCP, _TERMINATED, identifier, b"")
        elif code == _TERMINATED:
            self.ended = True

    def _negotiate(self, control: _Control, code: int, identifier: int, body: bytes) -> Iterator[bytes]:
        if code == _REQUEST:
            yield from self._answer(control, identifier, body)
        elif identifier == control.asked and code == _ACK:
            control.ours = True
        elif identifier == control.asked and code in (_NAK, _REJECT):
            for kind, value in _options(body):
                if code == _REJECT:
                    control.ask.pop(kind, None)
                elif kind in control.ask:
                    control.ask[kind] = value
            if control is self._ipcp and code == _NAK:
                self.local = ".".join(map(str, control.ask[_ADDRESS]))
            control.sent_at = 0.0

    def _answer(self, control: _Control, identifier: int, body: bytes) -> Iterator[bytes]:
        unknown = [pair for pair in _options(body) if pair[0] not in control.known]
        if unknown:
            yield _packet(control.protocol, _REJECT, identifier, b"".join(_option(*pair) for pair in unknown))
            return
        wanted = dict(_options(body))
        if control is self._lcp:
            self._must_log_in = _AUTH in wanted
            if self._must_log_in and wanted[_AUTH] != struct.pack("!H", _PAP):
                yield _packet(_LCP, _NAK, identifier, _option(_AUTH, struct.pack("!H", _PAP)))
                return
        elif self.serves and wanted.get(_ADDRESS) != _packed(self.remote):
            yield _packet(_IPCP, _NAK, identifier, _option(_ADDRESS, _packed(self.remote)))
            return
        elif not self.serves:
            self.remote = ".".join(map(str, wanted.get(_ADDRESS, b"\0\0\0\0")))
        control.theirs = True
        yield _packet(control.protocol, _ACK, identifier, body)


def _packet(protocol: int, code: int, identifier: int, body: bytes) -> bytes:
    return struct.pack("!HBBH", protocol, code, identifier, len(body) + 4) + body


def _packed(address: str) -> bytes:
    return bytes(map(int, address.split("."))) if address else bytes(4)


def _counted(text: bytes) -> bytes:
    return bytes([len(text)]) + text


def _open_tun(peer: Peer) -> int:
    device = os.open("/dev/net/tun", os.O_RDWR)
    name = fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", b"ppp%d", _IFF_TUN | _IFF_NO_PI))[:16]
    link = name.rstrip(b"\0").decode()
    subprocess.run(["ip", "address", "add", peer.local, "peer", peer.remote, "dev", link], check=True)
    subprocess.run(["ip", "link", "set", link, "mtu", str(_MTU), "up"], check=True)
    return device


def _open_line(argv: list[str]) -> tuple[int, int]:
    """Give what to read from and what to write to."""
    if "pty" in argv:
        ours, theirs = pty.openpty()
        tty.setraw(theirs)
        subprocess.Popen(shlex.split(argv[argv.index("pty") + 1]), stdin=theirs, stdout=theirs, start_new_session=True)
        os.close(theirs)
        return ours, ours
    if os.isatty(0):
        tty.setraw(0)
        return 0, 0
    return 0, 1


def main(argv: list[str]) -> int:
    """Run until the other end says goodbye, the line closes or a signal comes."""
    if "dryrun" in argv:  # a server asks so whether it may load a plugin
        return 1
    addresses = next((found for word in argv if (found := re.fullmatch(r"([\d.]+):([\d.]+)", word))), None)
    ends = (addresses[1], addresses[2]) if addresses else ("", "")
    peer = Peer(*ends, silent="silent" in argv)
    log = Path(os.environ.get("PPP_LOG", "/dev/null")).open("a", encoding="utf-8", buffering=1)  # noqa: SIM115
    log.write(f"started with {argv}\n")
    source, sink = _open_line(argv)
    signals: list[int] = []
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda number, frame: signals.append(number))
    line, tun = Line(), -1
    try:
        while not peer.ended:
            if signals:
                os.write(sink, Line.stuffed(peer.end()))
                break
            for frame in peer.tick(time.monotonic()):
                os.write(sink, Line.stuffed(frame))
            if peer.is_up and tun < 0:
                tun = _open_tun(peer)
                log.write(f"up: {peer.local} to {peer.remote}\n")
            ready, _, _ = select.select([source] if tun < 0 else [source, tun], [], [], 0.1)
            if source in ready and not _from_line(peer, line, source, sink, tun):
                break
            if tun in ready:
                os.write(sink, Line.stuffed(struct.pack("!H", _IPV4) + os.read(tun, 2000)))
    except OSError as error:
        log.write(f"the line is gone: {error}\n")
    log.write("down\n")
    return 0


def _from_line(peer: Peer, line: Line, source: int, sink: int, tun: int) -> bool:
    data = os.read(source, 8192)
    for frame in line.frames(data):
        if frame[:2] == _IPV4.to_bytes(2, "big"):
            if tun >= 0:
                os.write(tun, frame[2:])
            continue
        for answer in peer.receive(frame):
            os.write(sink, Line.stuffed(answer))
    return bool(data)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Changes IP packets as routers do: counts down their lives, translates addresses and ports, cuts them to fit.

Takes and gives whole IPv4 or IPv6 packets without their link header; whatever is malformed comes back as None.
"""

from __future__ import annotations

import ipaddress
import random
import struct
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Nat", "View", "checksum", "fit", "one_hop_less", "view"]

_ICMP, _TCP, _UDP, _ICMPV6 = 1, 6, 17, 58
_FRAGMENT = 44
_CHECKSUM_AT = {_ICMP: 2, _TCP: 16, _UDP: 6, _ICMPV6: 2}
_ECHO = {_ICMP: (0, 8), _ICMPV6: (128, 129)}
# RFC 792 and 4443: types of errors, which quote the packet they speak about after eight octets.
_ERRORS = {_ICMP: (3, 11, 12), _ICMPV6: (1, 2, 3, 4)}
# Where a port is and what it becomes; None where there is none.
_Port: TypeAlias = tuple[int | None, int | None]
_NO_PORT: _Port = (None, None)
_DONT_FRAGMENT, _MORE = 0x4000, 0x2000


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Where things are in an IP packet.

    Parameters
    ----------
    version : int
        4 or 6.
    proto : int
        What it carries, behind a fragment header if there is one.
    body : int
        Where that begins.
    first : bool
        Whether it begins here: false for later fragments.
    identification : int
        Of the fragments; 0 for a whole IPv6 packet.
    """

    version: int
    proto: int
    body: int
    first: bool
    identification: int

    @property
    def source(self) -> slice:
        """Where the source address is."""
        return slice(12, 16) if self.version == 4 else slice(8, 24)

    @property
    def destination(self) -> slice:
        """Where the destination address is."""
        return slice(16, 20) if self.version == 4 else slice(24, 40)


def view(ip: bytes) -> View | None:
    """Look at a packet; None if it is cut or is neither IPv4 nor IPv6."""
    if len(ip) >= 20 and ip[0] >> 4 == 4:
        identification, fragment = struct.unpack_from("!HH", ip, 4)
        body = (ip[0] & 15) * 4
        if not 20 <= body <= len(ip):
            return None
        return View(version=4, proto=ip[9], body=body, first=not fragment & 0x1FFF, identification=identification)
    if len(ip) >= 40 and ip[0] >> 4 == 6:
        if ip[6] != _FRAGMENT:
            return View(version=6, proto=ip[6], body=40, first=True, identification=0)
        if len(ip) >= 48:
            offset, identification = struct.unpack_from("!HI", ip, 42)
            return View(version=6, proto=ip[40], body=48, first=not offset >> 3, identification=identification)
    return None


def checksum(data: bytes) -> int:
    """Give the Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _adjusted(old: int, before: bytes, after: bytes) -> int:
    """Give a checksum after some octets have changed (RFC 1624, equation 3)."""
    total: int = ~old & 0xFFFF
    for word in struct.unpack(f"!{len(before) // 2}H", before):
        total += ~word & 0xFFFF
    total += sum(struct.unpack(f"!{len(after) // 2}H", after))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def one_hop_less(ip: bytes) -> bytes | None:
    """Count a packet's life down by one; None if it ends here."""
    at = 8 if ip[0] >> 4 == 4 else 7
    if ip[at] <= 1:
        return None
    out = bytearray(ip)
    out[at] -= 1
    if at == 8:
        struct.pack_into("!H", out, 10, _adjusted(int.from_bytes(ip[10:12], "big"), ip[8:10], bytes(out[8:10])))
    return bytes(out)


def fit(ip: bytes, mtu: int, router: bytes) -> tuple[list[bytes], bytes | None]:
    """Make a packet fit a link.

    Parameters
    ----------
    ip : bytes
        The packet.
    mtu : int
        Longest packet that the link takes.
    router : bytes
        Address that an error comes from.

    Returns
    -------
    packets : list of bytes
        The packet itself, its fragments, or nothing.
    error : bytes or None
        The answer to its sender, if it is too long and must not be cut.
    """
    if len(ip) <= mtu:
        return [ip], None
    if ip[0] >> 4 == 6:
        quoted = ip[: 1280 - 48]
        error = struct.pack("!BBHI", 2, 0, 0, mtu) + quoted
        pseudo = router + ip[8:24] + struct.pack("!II", len(error), _ICMPV6)
        error = error[:2] + checksum(pseudo + error).to_bytes(2, "big") + error[4:]
        return [], struct.pack("!IHBB", 6 << 28, len(error), _ICMPV6, 64) + router + ip[8:24] + error
    flags = struct.unpack_from("!H", ip, 6)[0]
    if flags & _DONT_FRAGMENT:
        error = struct.pack("!BBHHH", 3, 4, 0, 0, mtu) + ip[:528]
        error = error[:2] + checksum(error).to_bytes(2, "big") + error[4:]
        header = struct.pack("!BBHHHBBH", 0x45, 0xC0, 20 + len(error), 0, 0, 64, _ICMP, 0) + router + ip[12:16]
        return [], header[:10] + checksum(header).to_bytes(2, "big") + header[12:] + error
    return _fragments(ip, mtu, flags), None


def _fragments(ip: bytes, mtu: int, flags: int) -> list[bytes]:
    header, body = ip[: (ip[0] & 15) * 4], ip[(ip[0] & 15) * 4 :]
    step = (mtu - len(header)) // 8 * 8
    out = []
    for at in range(0, len(body), step):
        piece = body[at : at + step]
        more = _MORE if at + step < len(body) else flags & _MORE
        new = bytearray(header)
        struct.pack_into("!H", new, 2, len(header) + len(piece))
        struct.pack_into("!HHH", new, 6, more | (flags & 0x1FFF) + at // 8, int.from_bytes(header[8:10], "big"), 0)
        struct.pack_into("!H", new, 10, checksum(bytes(new)))
        out.append(bytes(new) + piece)
    return out


class Nat:
    """Translates the source of what goes out and the destination of what comes back (RFC 4787, same port for all).

    Parameters
    ----------
    outside : str
        The address that packets get.
    rng : random.Random
        Chooses ports.
    """

    def __init__(self, outside: str, rng: random.Random) -> None:
        self._outside = ipaddress.ip_address(outside).packed
        self._rng = rng
        self._out: dict[tuple[int, bytes, int], int] = {}
        self._in: dict[tuple[int, int], tuple[bytes, int]] = {}
        self._fragments: dict[tuple[bytes, int, int], bytes] = {}

    @property
    def table(self) -> list[dict[str, str | int]]:
        """Every translation that was made; port 0 where there are none."""
        return [
            {"ip_proto": proto, "address": str(ipaddress.ip_address(address)), "port": port, "outside_port": outside}
            for (proto, address, port), outside in self._out.items()
        ]

    def outward(self, ip: bytes) -> bytes | None:
        """Translate a packet of the client's; other IP versions pass as they are."""
        seen = view(ip)
        if seen is None or len(ip[seen.source]) != len(self._outside):
            return ip if seen else None
        at = _port_at(ip, seen, inward=False)
        new = None if at is None else self._port(seen.proto, ip[seen.source], int.from_bytes(ip[at : at + 2], "big"))
        if at is None and seen.first and not _is_error(ip, seen):
            self._port(seen.proto, ip[seen.source], 0)
        out = _changed(ip, seen, seen.source, self._outside, (at, new))
        if _is_error(ip, seen):
            return _with_quotation(out, seen, self._quoted_outward(ip[seen.body + 8 :]))
        return out

    def inward(self, ip: bytes) -> bytes | None:
        """Translate an answer back; None if it is to nobody who ever asked."""
        seen = view(ip)
        if seen is None or len(ip[seen.destination]) != len(self._outside):
            return ip if seen else None
        if ip[seen.destination] != self._outside:
            return None
        key = (ip[seen.source], seen.proto, seen.identification)
        if not seen.first:
            client = self._fragments.get(key)
            return _changed(ip, seen, seen.destination, client, _NO_PORT) if client else None
        if _is_error(ip, seen):
            return self._error_inward(ip, seen)
        at = _port_at(ip, seen, inward=True)
        owner = self._in.get((seen.proto, 0 if at is None else int.from_bytes(ip[at : at + 2], "big")))
        if owner is None:
            return None
        self._fragments[key] = owner[0]
        return _changed(ip, seen, seen.destination, owner[0], (at, owner[1]))

    def _port(self, proto: int, client: bytes, port: int) -> int:
        key = (proto, client, port)
        if key not in self._out:
            new = 0
            while port and (not new or (proto, new) in self._in):
                new = self._rng.randrange(20_000, 60_000)
            self._out[key] = new
            self._in[(proto, new)] = (client, port)
        return self._out[key]

    def _quoted_outward(self, quoted: bytes) -> bytes:
        """Translate what the client quotes of a packet that came to it."""
        seen = view(quoted)
        at = None if seen is None else _port_at(quoted, seen, inward=True)
        if seen is None or at is None:
            return quoted
        outside = self._out.get((seen.proto, quoted[seen.destination], int.from_bytes(quoted[at : at + 2], "big")))
        return _changed(quoted, seen, seen.destination, self._outside, (at, outside))

    def _error_inward(self, ip: bytes, seen: View) -> bytes | None:
        quoted = ip[seen.body + 8 :]
        inner = view(quoted)
        at = None if inner is None else _port_at(quoted, inner, inward=False)
        if inner is None:
            return None
        owner = self._in.get((inner.proto, 0 if at is None else int.from_bytes(quoted[at : at + 2], "big")))
        if owner is None:
            return None
        out = _changed(ip, seen, seen.destination, owner[0], _NO_PORT)
        back = _changed(quoted, inner, inner.source, owner[0], (at, owner[1]))
        return _with_quotation(out, seen, back)


def _is_error(ip: bytes, seen: View) -> bool:
    return seen.first and len(ip) > seen.body + 8 and ip[seen.body] in _ERRORS.get(seen.proto, ())


def _port_at(ip: bytes, seen: View, *, inward: bool) -> int | None:
    """Where the client's port is, or the identifier of an echo; None if there is none."""
    if not seen.first or len(ip) < seen.body + 8:
        return None
    if seen.proto in (_TCP, _UDP):
        return seen.body + (2 if inward else 0)
    return seen.body + 4 if ip[seen.body] in _ECHO.get(seen.proto, ()) else None


def _changed(ip: bytes, seen: View, where: slice, address: bytes, new: _Port) -> bytes:
    """Give a packet with another address and, at an offset, another port, and checksums that fit."""
    at, port = new
    out = bytearray(ip)
    out[where] = address
    if at is not None and port is not None:
        struct.pack_into("!H", out, at, port)
    if seen.version == 4:
        struct.pack_into("!H", out, 10, _adjusted(int.from_bytes(ip[10:12], "big"), ip[where], address))
    place = _CHECKSUM_AT.get(seen.proto)
    if seen.first and place is not None and len(ip) >= seen.body + place + 2:
        spot = seen.body + place
        old = int.from_bytes(ip[spot : spot + 2], "big")
        before, after = (b"", b"") if seen.proto == _ICMP else (ip[where], address)
        if at is not None and port is not None:
            before, after = before + ip[at : at + 2], after + bytes(out[at : at + 2])
        if old or seen.proto != _UDP:
            fitting = _adjusted(old, before, after)
            struct.pack_into("!H", out, spot, fitting or (0xFFFF if seen.proto == _UDP else 0))
    return bytes(out)


def _with_quotation(ip: bytes, seen: View, quoted: bytes) -> bytes:
    """Give an error with another quotation of the same length, and a checksum that fits."""
    error = ip[seen.body : seen.body + 2] + bytes(2) + ip[seen.body + 4 : seen.body + 8] + quoted
    pseudo = b""
    if seen.version == 6:
        pseudo = ip[seen.source] + ip[seen.destination] + struct.pack("!II", len(error), _ICMPV6)
    return ip[: seen.body] + error[:2] + checksum(pseudo + error).to_bytes(2, "big") + error[4:]

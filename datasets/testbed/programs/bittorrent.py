"""BitTorrent: opentracker, a peer that has a file and one that fetches it; no distributed table, no local discovery.

Options of a scenario: client (aria2, libtorrent), transport (tcp, utp: libtorrent only speaks the one
asked for), encrypted (libtorrent: everything is RC4 from the first octet, so that no fingerprint can know it;
aria2 negotiates an encryption, hides nothing but the negotiation, and goes on in plain), tracker
(http, udp), port of the peer that has the file, size of the file.
"""

from __future__ import annotations

import hashlib
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from ..host import Daemon, Host
from ..lab import Lab, Program, Requirement
from ..labels import TCP, UDP, Served

__all__ = ["PROGRAM", "Options"]

_PEER = Path(__file__).parent.parent / "peers" / "torrent.py"
_NAME, _PIECE = "notes.txt", 16384
_TRACKER_PORT, _FETCHER_PORT = 6969, 51413
_ANNOUNCE_SECONDS = 2  # the tracker is to know the first peer before the second asks
_HANDSHAKE_SECONDS = 0.5  # where each peer calls the other, the second connection is to begin in earnest too


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    client: str
    transport: str = "tcp"
    encrypted: bool = False
    tracker: str = "http"
    port: int = 6881
    size: int = 30_000

    def __post_init__(self) -> None:
        if self.client not in ("aria2", "libtorrent"):
            raise ValueError(f"client {self.client!r} is neither aria2 nor libtorrent")
        if self.transport not in ("tcp", "utp") or (self.client == "aria2" and self.transport == "utp"):
            raise ValueError(f"{self.client} does not speak {self.transport!r}")
        if self.tracker not in ("http", "udp"):
            raise ValueError(f"tracker {self.tracker!r} is neither http nor udp")


def play(lab: Lab, options: Options) -> list[Served]:
    """Fetch one file from the one peer that has it."""
    content = random.Random(11).randbytes(options.size)
    lab.server.write("files/" + _NAME, "").write_bytes(content)
    suffix = "/announce" if options.tracker == "http" else ""
    shown = f"[{lab.server.address}]" if lab.ip_version == 6 else lab.server.address
    torrent, name = _torrent(content, f"{options.tracker}://{shown}:{_TRACKER_PORT}{suffix}")
    lab.server.write("allowed", name + "\n", mode=0o644)
    tracker = lab.server.start(
        "opentracker",
        *("opentracker", "-i", lab.server.address, "-p", str(_TRACKER_PORT), "-P", str(_TRACKER_PORT)),
        *("-d", lab.server.folder, "-u", "nobody", "-w", "allowed"),
    )
    tracker.wait_until(lambda: f":{_TRACKER_PORT} " in lab.server.run("ss", "-Hlnu"), "listening")
    for host in (lab.server, lab.client):
        host.write("it.torrent", "").write_bytes(torrent)
    start = _aria2 if options.client == "aria2" else _libtorrent
    start(lab.server, options, options.port, lab.server.folder / "files")
    time.sleep(_ANNOUNCE_SECONDS)
    fetched = lab.client.folder / "fetched"
    fetched.mkdir()
    fetcher = start(lab.client, options, _FETCHER_PORT, fetched)
    target = fetched / _NAME
    fetcher.wait_until(lambda: target.exists() and target.read_bytes() == content, "having the file", seconds=40)
    time.sleep(_HANDSHAKE_SECONDS)
    fetcher.stop()
    return _served(lab, options)


def _served(lab: Lab, options: Options) -> list[Served]:
    peers = UDP if options.transport == "utp" else TCP
    ports = ((lab.server, options.port), (lab.client, _FETCHER_PORT))
    served = []
    hidden = options.encrypted
    for host, port in ports:  # either peer may call the other: the tracker tells each of the other
        served.append(
            Served(
                address=host.address,
                port=port,
                ip_proto=peers,
                family="other-app" if hidden else "bittorrent",
                variant="bittorrent-encrypted" if hidden else options.transport,
                flows=0,
                scope="hint" if hidden else "gate",
            )
        )
    over_http = options.tracker == "http"
    tracker = Served(
        address=lab.server.address,
        port=_TRACKER_PORT,
        ip_proto=TCP if over_http else UDP,
        family="http" if over_http else "other-app",
        variant=None if over_http else "bittorrent-tracker",
        accept=("http", "bittorrent") if over_http else (),
        scope="gate" if over_http else "hint",
    )
    return [tracker, *served]


def _aria2(host: Host, options: Options, port: int, folder: Path) -> Daemon:
    return host.start(
        "aria2",
        *("aria2c", "--no-conf", "--enable-dht=false", "--enable-dht6=false", "--bt-enable-lpd=false"),
        *("--enable-peer-exchange=false", f"--listen-port={port}", "--check-integrity=true", "--seed-ratio=0.0"),
        *("--bt-min-crypto-level=plain", "--file-allocation=none", "--disable-ipv6=true", "--follow-torrent=mem"),
        *("--bt-tracker-interval=3", "-d", folder, host.folder / "it.torrent"),
    )


def _libtorrent(host: Host, options: Options, port: int, folder: Path) -> Daemon:
    cipher = "encrypted" if options.encrypted else "plain"
    shown = f"[{host.address}]:{port}" if ":" in host.address else f"{host.address}:{port}"
    daemon = host.start(
        "libtorrent", sys.executable, _PEER, host.folder / "it.torrent", folder, shown, options.transport, cipher
    )
    daemon.wait_for("announced")
    return daemon


def _torrent(content: bytes, tracker: str) -> tuple[bytes, str]:
    """Give the torrent and its name, the hash of what it says of the file."""
    pieces = b"".join(hashlib.sha1(content[i : i + _PIECE]).digest() for i in range(0, len(content), _PIECE))
    info: dict[bytes, object] = {
        b"length": len(content),
        b"name": _NAME.encode(),
        b"piece length": _PIECE,
        b"pieces": pieces,
        b"private": 1,
    }
    whole = _bencoded({b"announce": tracker.encode(), b"info": info})
    return whole, hashlib.sha1(_bencoded(info)).hexdigest()


def _bencoded(value: object) -> bytes:
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, dict):
        return b"d" + b"".join(_bencoded(key) + _bencoded(value[key]) for key in sorted(value)) + b"e"
    raise TypeError(f"{value!r} has no place in a torrent")


PROGRAM = Program(
    name="bittorrent",
    options=Options,
    requirements=(
        Requirement(
            name="opentracker",
            executable="opentracker",
            package="apt: opentracker",
            version=("dpkg-query", "-W", "opentracker"),
        ),
        Requirement(name="aria2", executable="aria2c", package="apt: aria2", version=("aria2c", "--version")),
        Requirement(name="libtorrent", executable="python:libtorrent", package="pip: libtorrent", version=()),
    ),
    play=play,
)

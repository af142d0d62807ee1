"""Takes an address. Serves metrics and health there, from threads of its own, to clients that need not be kind.

Guarantees: at most `MOST_CLIENTS` at a time and each for at most `CLIENT_S`; whatever they do, the run does not wait.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import socket
import stat
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import BaseServer
from typing import Any

from flowclass.errors import ConfigError, SourceError

MOST_CLIENTS = 8
CLIENT_S = 5.0
_LONGEST = 96  # sun_path has 107 octets, unix(7); the name is longer while the socket is made
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|([\w.-]*)):(\d{1,5})")

Answer = tuple[int, str, bytes]
"""Status code, content type, octets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where metrics are served.

    Parameters
    ----------
    host : str
        Name or address; empty for a socket of this machine.
    port : int
        0: any that is free.
    path : Path or None
        Of a socket of this machine.
    """

    host: str = ""
    port: int = 0
    path: Path | None = None

    @property
    def url(self) -> str:
        """For people."""
        if self.path is not None:
            return f"unix:{self.path}"
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"


def parse(text: str) -> Place:
    """Read ``HOST:PORT``, ``[V6]:PORT``, ``:PORT`` (of this machine only) or the path of a socket.

    Raises
    ------
    ConfigError
        When the text is none of these.

    Examples
    --------
    >>> parse(":9100"), parse("[::1]:9100").host
    (Place(host='127.0.0.1', port=9100, path=None), '::1')
    >>> parse("/run/flowclass/metrics").path.name
    'metrics'
    """
    bare = text.removeprefix("unix:").removeprefix("//") if text.startswith("unix:") else text
    if bare.startswith("/") and "\0" not in bare and len(os.fsencode(bare)) <= _LONGEST:
        return Place(path=Path(bare))
    found = _HOST.fullmatch(f":{text}" if text.isdecimal() else text)
    if found is None or int(found[3]) > 0xFFFF:
        raise ConfigError(
            f"{text!r} is no place for metrics: write HOST:PORT, [V6]:PORT, :PORT or the path of a socket"
        )
    return Place(host=found[1] or found[2] or "127.0.0.1", port=int(found[3]))


class Endpoint(BaseServer):
    """Listens as soon as it is made, and answers once it is begun.

    Parameters
    ----------
    place : Place
        Where.
    answers : mapping of str to callable
        By path, what gives the answer; called by the threads that serve.

    Raises
    ------
    SourceError
        When nobody can listen there.
    """

    def __init__(self, place: Place, answers: dict[str, Callable[[], Answer]]) -> None:
        super().__init__((place.host, place.port), _Client)
        self.answers = answers
        self._slots = threading.BoundedSemaphore(MOST_CLIENTS)
        try:
            self.socket = _listening(place)
        except OSError as problem:
            why = (problem.strerror or str(problem)).lower()
            raise SourceError(f"{place.url}: metrics cannot be served there: {why}") from problem
        self.place = place
        if place.path is None:
            self.place = Place(host=place.host, port=int(self.socket.getsockname()[1]))
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.2}, name="flowclass-metrics", daemon=True
        )

    def begin(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def end(self) -> None:
        """Listen no more."""
        if self._thread.is_alive():
            self.shutdown()
        self.socket.close()
        if self.place.path is not None:
            with contextlib.suppress(OSError):
                self.place.path.unlink()

    def fileno(self) -> int:
        """For the loop that waits."""
        return self.socket.fileno()

    def get_request(self) -> tuple[Any, Any]:
        """Take the next client."""
        return self.socket.accept()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread, or not at all where there are too many already."""
        if not self._slots.acquire(blocking=False):
            request.close()
            return
        try:
            threading.Thread(target=self._serve, args=(request, client_address), daemon=True).start()
        except RuntimeError:  # the machine has no thread left for it
            request.close()
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that breaks off is nothing to note."""

    def _serve(self, request: socket.socket, client_address: Any) -> None:
        # A time limit for each octet alone would let a client send one a second for ever.
        limit = threading.Timer(CLIENT_S, _cut, args=(request,))
        limit.daemon = True
        try:
            with contextlib.suppress(OSError, ValueError, RuntimeError):
                limit.start()
                self.finish_request(request, client_address)
        finally:
            limit.cancel()
            _cut(request)
            request.close()
            self._slots.release()


class _Client(BaseHTTPRequestHandler):
    """One question and its answer."""

    timeout = CLIENT_S
    server_version, sys_version = "flowclass", ""
    server: Endpoint

    def do_GET(self) -> None:
        found = self.server.answers.get(self.path.partition("?")[0])
        if found is None:
            code, kind, octets = 404, "text/plain; charset=utf-8", b"ask for /metrics, /healthz or /readyz\n"
        else:
            code, kind, octets = found()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(octets)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(octets)

    do_HEAD = do_GET

    def address_string(self) -> str:
        """Give nothing: who asks is not noted, and a socket of this machine has no address."""
        return ""

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def _cut(request: socket.socket) -> None:
    with contextlib.suppress(OSError):
        request.shutdown(socket.SHUT_RDWR)


def _listening(place: Place) -> socket.socket:
    if place.path is not None:
        return _listening_at(place.path)
    family, kind, _, _, where = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)[0]
    made = socket.socket(family, kind)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(where)
        made.listen(MOST_CLIENTS)
    except OSError:
        made.close()
        raise
    return made


def _listening_at(path: Path) -> socket.socket:
    """Listen at a path, which appears when it can be connected to; one that a killed run left is taken over."""
    if _in_use(path):
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    early = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        made.bind(str(early))
        early.chmod(0o660)
        made.listen(MOST_CLIENTS)
        early.rename(path)
    except OSError:
        made.close()
        with contextlib.suppress(OSError):
            early.unlink()
        raise
    return made


def _in_use(path: Path) -> bool:
    """Say whether somebody listens there, or it is no socket at all."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            return True
    except FileNotFoundError:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return False
        except OSError:
            return True
    return True

"""Web traffic: nginx and curl; HTTP, or HTTPS with a chosen version of TLS, on any port.

Options of a scenario: port, tls (``none``, ``1.2``, ``1.3``), http2 (whether it is offered), requests (each on a
connection of its own).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..certificates import OPENSSL, Authority
from ..lab import Lab, Program
from ..labels import TCP, Served
from ..traffic import CURL, NGINX, start_web_server

__all__ = ["PROGRAM", "Options"]

_NAME = "www.example.org"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    port: int
    tls: str
    http2: bool = True
    requests: int = 2

    def __post_init__(self) -> None:
        if self.tls not in ("none", "1.2", "1.3"):
            raise ValueError(f"tls {self.tls!r} is not none, 1.2 or 1.3")
        if not 0 < self.port < 65536:
            raise ValueError(f"port {self.port} is not between 1 and 65535")


def play(lab: Lab, options: Options) -> list[Served]:
    """Load two pages, each over a connection of its own."""
    authority = Authority(lab.server.folder / "pki")
    identity = authority.issue(_NAME, usage="serverAuth", address=lab.server.address)
    secure = options.tls != "none"
    shown = f"[{lab.server.address}]" if lab.ip_version == 6 else lab.server.address
    words = [f"{shown}:{options.port}"] + (["ssl"] if secure else []) + (["http2"] if secure and options.http2 else [])
    lines = ""
    if secure:
        lines = (
            f"server_name {_NAME}; ssl_certificate {identity.certificate}; ssl_certificate_key {identity.key}; "
            f"ssl_protocols TLSv{options.tls};"
        )
    start_web_server(lab.server, " ".join(words), server_lines=lines)
    scheme = "https" if secure else "http"
    for number in range(options.requests):
        page = "page.html" if number % 2 == 0 else ""
        lab.client.run(
            *("curl", "-sS", "--fail", "--max-time", "20", "-o", "/dev/null", "--cacert", authority.certificate),
            *("--resolve", f"{_NAME}:{options.port}:{lab.server.address}"),
            f"{scheme}://{_NAME}:{options.port}/{page}",
        )
    return [
        Served(
            address=lab.server.address,
            port=options.port,
            ip_proto=TCP,
            family="tls" if secure else "http",
            flows=options.requests,
        )
    ]


PROGRAM = Program(name="https", options=Options, requirements=(NGINX, CURL, OPENSSL), play=play)

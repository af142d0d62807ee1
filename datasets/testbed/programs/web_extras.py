"""HTTP/2 without TLS: nginx, and curl that knows beforehand; and TLS sessions resumed by OpenSSL's client.

Options of a scenario: kind (``cleartext``: HTTP/2 without TLS; ``resumed-1.2``, ``resumed-1.3``: a TLS session that is
resumed), port.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..certificates import OPENSSL, Authority
from ..errors import TestbedError
from ..lab import Lab, Program
from ..labels import TCP, Served
from ..traffic import CURL, NGINX, start_web_server

__all__ = ["PROGRAM", "Options"]

_NAME = "www.example.org"
_KINDS = ("cleartext", "resumed-1.2", "resumed-1.3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    kind: str
    port: int

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise ValueError(f"kind {self.kind!r} is not one of {', '.join(_KINDS)}")


def play(lab: Lab, options: Options) -> list[Served]:
    """Load two pages over two connections; the second resumes the first one's session, if there is one."""
    if options.kind == "cleartext":
        _cleartext(lab, options.port)
    else:
        _resumed(lab, options.port, options.kind.removeprefix("resumed-"))
    family = "http" if options.kind == "cleartext" else "tls"
    return [Served(address=lab.server.address, port=options.port, ip_proto=TCP, family=family, flows=2)]


def _shown(lab: Lab) -> str:
    return f"[{lab.server.address}]" if lab.ip_version == 6 else lab.server.address


def _cleartext(lab: Lab, port: int) -> None:
    start_web_server(lab.server, f"{_shown(lab)}:{port} http2")
    for page in ("page.html", ""):
        lab.client.run(
            *("curl", "-sS", "--fail", "--max-time", "20", "-o", "/dev/null", "--http2-prior-knowledge"),
            f"http://{_shown(lab)}:{port}/{page}",
        )


def _resumed(lab: Lab, port: int, version: str) -> None:
    authority = Authority(lab.server.folder / "pki")
    identity = authority.issue(_NAME, usage="serverAuth", address=lab.server.address)
    start_web_server(
        lab.server,
        f"{_shown(lab)}:{port} ssl",
        server_lines=(
            f"server_name {_NAME}; ssl_certificate {identity.certificate}; ssl_certificate_key {identity.key}; "
            f"ssl_protocols TLSv{version}; ssl_session_cache shared:sessions:1m;"
        ),
    )
    request = f"printf 'GET /index.html HTTP/1.1\\r\\nHost: {_NAME}\\r\\nConnection: close\\r\\n\\r\\n'; sleep 0.5"
    common = f"openssl s_client -connect {_shown(lab)}:{port} -servername {_NAME} -CAfile {authority.certificate}"
    for option, said_of_it in (("-sess_out", "New, TLS"), ("-sess_in", "Reused, TLS")):
        said = lab.client.run("sh", "-c", f"({request}) | {common} -ign_eof {option} session.pem")
        if said_of_it not in said or "It works" not in said:
            raise TestbedError(f"the connection is not one of which OpenSSL says {said_of_it!r}:\n{said[-1500:]}")


PROGRAM = Program(name="web_extras", options=Options, requirements=(NGINX, CURL, OPENSSL), play=play)

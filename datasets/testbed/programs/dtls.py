"""DTLS: OpenSSL's or GnuTLS's own server and client, which send each other some lines.

Options of a scenario: library (openssl, gnutls), version (``1.0``, ``1.2``), port, lines (how many the client sends).
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from ..certificates import OPENSSL, Authority
from ..errors import TestbedError
from ..lab import Lab, Program, Requirement
from ..labels import UDP, Served

__all__ = ["PROGRAM", "Options"]

_NAME = "sensor.example.org"
_LINE = "temperature 21.5 humidity 40 pressure 1013 wind 3 rain 0"
_ANSWER = "noted, carry on"
_PAUSE_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    library: str
    version: str = "1.2"
    port: int = 4433
    lines: int = 8

    def __post_init__(self) -> None:
        if self.library not in ("openssl", "gnutls"):
            raise ValueError(f"library {self.library!r} is neither openssl nor gnutls")
        if self.version not in ("1.0", "1.2"):
            raise ValueError(f"version {self.version!r} is neither 1.0 nor 1.2")


def play(lab: Lab, options: Options) -> list[Served]:
    """Connect once and send lines, which the server answers (OpenSSL's) or sends back (GnuTLS's)."""
    authority = Authority(lab.server.folder / "pki")
    identity = authority.issue(_NAME, usage="serverAuth", address=lab.server.address)
    if options.library == "openssl":
        _openssl(lab, options, authority, str(identity.certificate), str(identity.key))
    else:
        _gnutls(lab, options, authority, str(identity.certificate), str(identity.key))
    return [Served(address=lab.server.address, port=options.port, ip_proto=UDP, family="dtls")]


def _openssl(lab: Lab, options: Options, authority: Authority, certificate: str, key: str) -> None:
    shown = f"[{lab.server.address}]" if lab.ip_version == 6 else lab.server.address
    # DTLS 1.0 signs with SHA-1, which OpenSSL 3 allows at level 0 only.
    version = ["-dtls1_2"] if options.version == "1.2" else ["-dtls1", "-cipher", "DEFAULT@SECLEVEL=0"]
    serve = (
        f"openssl s_server {' '.join(version)} -listen -accept {shown}:{options.port} -mtu 1400 -cert {certificate} "
        f"-key {key}"
    )
    # It says what it reads from its standard input, and would end with it.
    daemon = lab.server.start("s_server", "sh", "-c", f"while echo {_ANSWER}; do sleep 0.3; done | {serve}")
    daemon.wait_for("ACCEPT")
    argv = f"openssl s_client {' '.join(version)} -connect {shown}:{options.port} -mtu 1400 -CAfile"
    said = lab.client.run("sh", "-c", f"({_talk(options.lines)}; sleep 0.5; echo Q) | {argv} {authority.certificate}")
    if _ANSWER not in said:
        raise TestbedError(f"openssl: the server did not answer:\n{said[-1000:]}")
    daemon.wait_for(_LINE)


def _gnutls(lab: Lab, options: Options, authority: Authority, certificate: str, key: str) -> None:
    priority = f"NORMAL:-VERS-ALL:+VERS-DTLS{options.version}"
    daemon = lab.server.start(
        "gnutls-serv",
        *("gnutls-serv", "--udp", "--echo", "--mtu", "1400", "--port", str(options.port), "--priority", priority),
        *("--x509certfile", certificate, "--x509keyfile", key),
    )
    daemon.wait_for("...done")
    time.sleep(0.2)
    argv = (
        f"gnutls-cli --udp --mtu 1400 --port {options.port} --priority {priority} --x509cafile {authority.certificate} "
        f"--sni-hostname {_NAME} --verify-hostname {_NAME} {lab.server.address}"
    )
    said = lab.client.run("sh", "-c", f"({_talk(options.lines)}; sleep 1) | {argv}")
    if _LINE not in said:
        raise TestbedError(f"gnutls: the server did not send the lines back:\n{said[-1000:]}")


def _talk(lines: int) -> str:
    return f"sleep 1; for i in $(seq {lines}); do echo {_LINE}; sleep {_PAUSE_SECONDS}; done"


PROGRAM = Program(
    name="dtls",
    options=Options,
    requirements=(
        OPENSSL,
        Requirement(
            name="gnutls", executable="gnutls-serv", package="apt: gnutls-bin", version=("gnutls-serv", "--version")
        ),
    ),
    play=play,
)

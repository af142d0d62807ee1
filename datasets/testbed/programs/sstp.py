"""SSTP: sstp-server and sstp-client over TLS, or the clear stream behind a point that ends TLS.

Options of a scenario: port, clear (sstp-server without TLS, as behind a proxy; an stunnel beside the client ends the
client's TLS, so that SSTP itself crosses the network), idle (seconds of silence). PPP is the testbed's own where the
kernel has none.
"""

from __future__ import annotations

import ctypes
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from ..certificates import OPENSSL, Authority
from ..errors import TestbedError
from ..lab import Lab, Program, Requirement
from ..labels import TCP, Served
from ..ppp_line import GATEWAY, LEASE, ROOT, has_link, put_pppd
from ..traffic import CURL, NGINX, PING, use_tunnel

__all__ = ["PROGRAM", "Options"]

_NAME = "vpn.example.net"
_MESSAGE_LOGIN, _KEY_SEND, _KEY_RECEIVE = 1, 1, 2  # of sstp-api.h
_LIBRARY = "/usr/lib/x86_64-linux-gnu/libsstp_api-0.so"
_TLS12 = """openssl_conf = begin
[begin]
ssl_conf = all
[all]
system_default = default
[default]
MaxProtocol = TLSv1.2
"""
_LEASES = "10.94.3.0/24"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    port: int = 443
    clear: bool = False
    idle: int = 5

    def __post_init__(self) -> None:
        if not 0 < self.port < 65536:
            raise ValueError(f"port {self.port} is not between 1 and 65535")


def play(lab: Lab, options: Options) -> list[Served]:
    """Connect, use the tunnel, be silent, disconnect."""
    authority = Authority(lab.server.folder / "pki")
    local = "127.0.0.1" if options.clear else lab.server.address
    identity = authority.issue(_NAME, usage="serverAuth", address=local)
    settings = lab.server.write("options", "")
    server = lab.server.start(
        "sstpd",
        *(
            sys.executable,
            "-m",
            "datasets.testbed.peers.ppp_sstpd",
            "--listen",
            lab.server.address,
            "--listen-port",
            str(options.port),
        ),
        *("--pem-cert", identity.certificate, "--pem-key", identity.key, "--pppd", put_pppd(lab.server)),
        *("--pppd-config", settings, "--local", GATEWAY, "--remote", _LEASES, "--range", f"{LEASE}-{LEASE}"),
        *(("--no-ssl",) if options.clear else ()),
        environment={"PYTHONPATH": str(ROOT)},
    )
    server.wait_for("Listening on")
    if options.clear:
        relay = lab.client.write(
            "relay.conf",
            f"""foreground = yes
pid =
syslog = no
[relay]
accept = 127.0.0.1:{options.port}
connect = {lab.server.address}:{options.port}
cert = {identity.certificate}
key = {identity.key}
""",
        )
        lab.client.start("relay", "stunnel4", relay).wait_for("Configuration successful")
    (lab.client.folder / "over-run" / "sstpc").mkdir()
    call = (
        f"sstpc --nolaunchpppd --log-stderr --log-level 4 --cert-warn "
        f"--ipparam testbed --ca-cert {authority.certificate} {local}:{options.port}"
    )
    # With TLS 1.3 sstpc now and then waits for ever: the tickets after the handshake are more than it reckons with.
    newest = lab.client.write("openssl.cnf", _TLS12)
    client = lab.client.start(
        "pppd", put_pppd(lab.client), "silent", "pty", call, environment={"OPENSSL_CONF": str(newest)}
    )
    client.wait_until(lambda: has_link(lab.client) and has_link(lab.server), "bringing PPP up")
    _tell_logged_in(lab.client.folder / "over-run" / "sstpc" / "sstpc-testbed")
    use_tunnel(lab.client, lab.server, GATEWAY, idle=options.idle)
    client.stop()
    if options.clear:
        return [Served(address=lab.server.address, port=options.port, ip_proto=TCP, family="sstp")]
    return [
        Served(
            address=lab.server.address,
            port=options.port,
            ip_proto=TCP,
            family="sstp",
            variant="tls",
            scope="hint",  # nothing of SSTP's own is to be seen outside TLS
            accept=("sstp", "tls"),
        )
    ]


def _tell_logged_in(path: Path) -> None:
    """Tell sstpc that PPP's login is done, as its plugin of pppd does; the keys are zeros, since PAP gives none."""
    library = ctypes.CDLL(_LIBRARY)
    library.sstp_api_msg_new.restype = ctypes.c_void_p
    library.sstp_api_msg_new.argtypes = [ctypes.c_char_p, ctypes.c_int]
    library.sstp_api_attr_add.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_uint, ctypes.c_char_p]
    library.sstp_api_msg_len.argtypes = [ctypes.c_void_p]
    buffer = ctypes.create_string_buffer(256)
    message = library.sstp_api_msg_new(buffer, _MESSAGE_LOGIN)
    for kind in (_KEY_SEND, _KEY_RECEIVE):
        library.sstp_api_attr_add(message, kind, 16, bytes(16))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(5)
        line.connect(str(path))
        line.sendall(buffer.raw[: library.sstp_api_msg_len(message)])
        if not line.recv(256):
            raise TestbedError("sstpc did not take the news of the login")


PROGRAM = Program(
    name="sstp",
    options=Options,
    requirements=(
        Requirement(name="sstp-server", executable="python:sstp-server", package="pip: sstp-server", version=("true",)),
        Requirement(name="sstpc", executable="sstpc", package="apt: sstp-client", version=("sstpc", "--version")),
        Requirement(name="stunnel", executable="stunnel4", package="apt: stunnel4", version=("stunnel4", "-version")),
        OPENSSL,
        NGINX,
        CURL,
        PING,
    ),
    play=play,
    needs_tun=True,
)

"""Talk between people and between programs: Prosody (XMPP), ngIRCd (IRC), NATS, and telnetd of the Inetutils.

Options of a scenario: service (``xmpp``, ``irc``, ``nats``, ``telnet``), port, tls (xmpp: STARTTLS).
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..certificates import OPENSSL, Authority
from ..lab import Lab, Program, Requirement
from ..labels import TCP, Served

__all__ = ["PROGRAM", "Options"]

_PEER = Path(__file__).parent.parent / "peers" / "talk_clients.py"
_PORTS = {"xmpp": 5222, "irc": 6667, "nats": 4222, "telnet": 23}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose; a port of 0 is the usual one."""

    service: str
    port: int = 0
    tls: bool = False

    def __post_init__(self) -> None:
        if self.service not in _PORTS:
            raise ValueError(f"service {self.service!r} is not one of {', '.join(_PORTS)}")
        if self.tls and self.service != "xmpp":
            raise ValueError(f"{self.service} has no TLS here")


def play(lab: Lab, options: Options) -> list[Served]:
    """Two connections with some words each."""
    port = options.port or _PORTS[options.service]
    say = _SERVICES[options.service](lab, options, port)
    for _ in range(2):
        say()
    return [Served(address=lab.server.address, port=port, ip_proto=TCP, family=options.service, flows=2)]


def _xmpp(lab: Lab, options: Options, port: int) -> Callable[[], object]:
    secured = 'modules_disabled = { "tls", "s2s" }'
    if options.tls:
        identity = Authority(lab.server.folder / "ca").issue("example.org", usage="serverAuth")
        pair = f'key = "{identity.key}"; certificate = "{identity.certificate}"'
        secured = f'modules_disabled = {{ "s2s" }}\nssl = {{ {pair} }}'
    configuration = lab.server.write(
        "prosody.cfg.lua",
        f"""run_as_root = true
data_path = "{lab.server.folder}/data"
pidfile = "{lab.server.folder}/prosody.pid"
interfaces = {{ "{lab.server.address}" }}
c2s_ports = {{ {port} }}
c2s_require_encryption = {"true" if options.tls else "false"}
allow_unencrypted_plain_auth = true
authentication = "internal_plain"
modules_enabled = {{ "roster", "saslauth", "tls", "disco", "ping" }}
{secured}
log = {{ info = "*console" }}
VirtualHost "example.org"
""",
    )
    accounts = lab.server.folder / "data" / "example%2eorg" / "accounts"
    accounts.mkdir(parents=True)
    (accounts / "ada.dat").write_text('return { ["password"] = "green-apple-7"; };\n')
    server = lab.server.start("prosody", "prosody", "-F", "--root", "--config", configuration)
    server.wait_until(lambda: f":{port} " in lab.server.run("ss", "-Hlnt"), "listening")
    return lambda: lab.client.run(sys.executable, _PEER, "xmpp", lab.server.address, str(port))


def _nats(lab: Lab, options: Options, port: int) -> Callable[[], object]:
    server = lab.server.start("nats", "nats-server", "-a", lab.server.address, "-p", str(port))
    server.wait_for("Server is ready")
    return lambda: lab.client.run(sys.executable, _PEER, "nats", lab.server.address, str(port))


def _irc(lab: Lab, options: Options, port: int) -> Callable[[], object]:
    configuration = lab.server.write(
        "ngircd.conf",
        f"""[Global]
Name = irc.example.org
Info = A server of examples
Listen = {lab.server.address}
Ports = {port}
ServerUID = root
ServerGID = root
[Options]
DNS = no
Ident = no
PAM = no
""",
    )
    server = lab.server.start("ngircd", "ngircd", "-n", "-f", configuration)
    server.wait_until(lambda: f":{port} " in lab.server.run("ss", "-Hlnt"), "listening")
    words = ("NICK ada\\r\\nUSER a 0 * :A\\r\\n", "JOIN #plums\\r\\nPRIVMSG #plums :Are ripe\\r\\n", "QUIT\\r\\n")
    return lambda: _typed(lab, words, f"socat -t 3 - TCP:{_shown(lab.server.address)}:{port}")


def _telnet(lab: Lab, options: Options, port: int) -> Callable[[], object]:
    greeter = lab.server.write("greeter", "#!/bin/sh\necho 'What is your name?'\nread name\necho \"Hello, $name\"\n")
    greeter.chmod(0o700)
    what = f"stream tcp{lab.ip_version} nowait root {_TELNETD} telnetd -h -E {greeter}"
    configuration = lab.server.write("inetd.conf", f"{_shown(lab.server.address)}:{port} {what}\n")
    server = lab.server.start("inetd", "inetutils-inetd", "-d", configuration)
    server.wait_until(lambda: f":{port} " in lab.server.run("ss", "-Hlnt"), "listening")
    return lambda: _typed(lab, ("", "", "", "ada\\r\\n", ""), f"telnet {lab.server.address} {port}")


def _typed(lab: Lab, words: tuple[str, ...], client: str) -> str:
    """Say one line after another, as somebody at a keyboard would."""
    typed = "".join(f"printf {shlex.quote(line)}; sleep 1; " for line in words)
    return lab.client.run("sh", "-c", f"({typed}) | {client}", may_fail=True)


def _shown(address: str) -> str:
    return f"[{address}]" if ":" in address else address


_TELNETD = "/usr/sbin/telnetd"
_SERVICES: dict[str, Callable[[Lab, Options, int], Callable[[], object]]] = {
    "xmpp": _xmpp,
    "irc": _irc,
    "nats": _nats,
    "telnet": _telnet,
}

PROGRAM = Program(
    name="talk",
    options=Options,
    requirements=(
        Requirement(
            name="prosody", executable="prosody", package="apt: prosody lua-sec", version=("prosodyctl", "about")
        ),
        Requirement(name="slixmpp", executable="python:slixmpp", package="pip: slixmpp", version=()),
        Requirement(name="ngircd", executable="ngircd", package="apt: ngircd", version=("ngircd", "--version")),
        Requirement(
            name="nats-server", executable="nats-server", package="apt: nats-server", version=("nats-server", "-v")
        ),
        Requirement(name="nats-py", executable="python:nats-py", package="pip: nats-py", version=()),
        Requirement(
            name="telnetd",
            executable=_TELNETD,
            package="apt: inetutils-telnetd inetutils-inetd",
            version=(_TELNETD, "--version"),
        ),
        Requirement(
            name="telnet", executable="telnet", package="apt: inetutils-telnet", version=("telnet", "--version")
        ),
        Requirement(name="socat", executable="socat", package="apt: socat", version=("socat", "-V")),
        OPENSSL,
    ),
    play=play,
)

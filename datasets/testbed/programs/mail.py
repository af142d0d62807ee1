"""Mail: Dovecot for IMAP and POP3, aiosmtpd for SMTP; curl reads and sends.

Options of a scenario: service (``imap``, ``pop3``, ``smtp``), port, tls (STARTTLS or STLS on the same connection).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from ..certificates import OPENSSL, Authority, Identity
from ..lab import Lab, Program, Requirement
from ..labels import TCP, Served

__all__ = ["PROGRAM", "Options"]

_PORTS = {"imap": 143, "pop3": 110, "smtp": 25}
_LETTER = "From: ada@example.org\r\nTo: emmy@example.org\r\nSubject: Plums\r\n\r\nThe plums are ripe.\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose; a port of 0 is the usual one."""

    service: str
    port: int = 0
    tls: bool = False

    def __post_init__(self) -> None:
        if self.service not in _PORTS:
            raise ValueError(f"service {self.service!r} is not one of {', '.join(_PORTS)}")


def play(lab: Lab, options: Options) -> list[Served]:
    """Send some letters, or read a mailbox."""
    port = options.port or _PORTS[options.service]
    identity = Authority(lab.server.folder / "ca").issue("mail.example.org", usage="serverAuth")
    shown = f"[{lab.server.address}]" if lab.ip_version == 6 else lab.server.address
    curl = ["curl", "-sS", *(("--ssl-reqd", "--insecure") if options.tls else ())]
    url = f"{options.service}://{shown}:{port}/"
    letter = lab.client.write("letter", _LETTER)
    if options.service == "smtp":
        secured = ("--tlscert", identity.certificate, "--tlskey", identity.key) if options.tls else ()
        server = lab.server.start(
            "aiosmtpd", sys.executable, "-m", "aiosmtpd", "-n", "-d", "-l", f"{lab.server.address}:{port}", *secured
        )
        server.wait_until(lambda: f":{port} " in lab.server.run("ss", "-Hlnt"), "listening")
        sent = ("--mail-from", "ada@example.org", "--mail-rcpt", "emmy@example.org", "-T", letter)
        asked: list[list[str | Path]] = [[url + "client.example.org", *sent] for _ in range(2)]
    else:
        _dovecot(lab, port, options, identity)
        login = ("-u", "emmy:green-apple-7")
        if options.service == "imap":
            asked = [[*login, url + "INBOX", "-T", letter], [*login, url + "INBOX;UID=1"], [*login, url]]
        else:
            asked = [[*login, url], [*login, url + "1"]]
    for one in asked:
        lab.client.run(*curl, *one)
    return [
        Served(address=lab.server.address, port=port, ip_proto=TCP, family=options.service, flows=len(asked)),
    ]


def _dovecot(lab: Lab, port: int, options: Options, identity: Identity) -> None:
    secured = f"ssl = yes\nssl_cert = <{identity.certificate}\nssl_key = <{identity.key}\n"
    configuration = lab.server.write(
        "dovecot.conf",
        f"""protocols = {options.service}
listen = {lab.server.address}
log_path = /dev/stderr
mail_location = maildir:/run/mail/%u
first_valid_uid = 1
disable_plaintext_auth = no
auth_mechanisms = plain login
passdb {{
  driver = static
  args = password=green-apple-7
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home=/run/mail
}}
service {options.service}-login {{
  inet_listener {options.service} {{
    port = {port}
  }}
  inet_listener {options.service}s {{
    port = 0
  }}
}}
{secured if options.tls else "ssl = no"}
""",
    )
    lab.server.run("install", "-d", "-o", "mail", "-g", "mail", "/run/mail", "/run/mail/emmy")
    for folder in ("new", "cur", "tmp"):
        lab.server.run("install", "-d", "-o", "mail", "-g", "mail", f"/run/mail/emmy/{folder}")
    letter = lab.server.write("letter", _LETTER)
    lab.server.run("install", "-o", "mail", letter, "/run/mail/emmy/new/1.example")
    server = lab.server.start("dovecot", "dovecot", "-F", "-c", configuration)
    server.wait_until(lambda: f":{port} " in lab.server.run("ss", "-Hlnt"), "listening")


PROGRAM = Program(
    name="mail",
    options=Options,
    requirements=(
        Requirement(
            name="dovecot",
            executable="dovecot",
            package="apt: dovecot-imapd dovecot-pop3d",
            version=("dovecot", "--version"),
        ),
        Requirement(name="aiosmtpd", executable="python:aiosmtpd", package="pip: aiosmtpd", version=()),
        Requirement(name="curl", executable="curl", package="apt: curl", version=("curl", "-V")),
        OPENSSL,
    ),
    play=play,
)

"""Takes ``tcp://``, ``unix://``, ``nats://`` and ``kafka://``. Gives where records are sent, as one value."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flowclass.errors import ConfigError

FORMS = {
    "tcp": ("arrow", "jsonl", "eve", "zeek", "csv"),
    "unix": ("arrow", "jsonl", "eve", "zeek", "csv"),
    "nats": ("jsonl", "eve", "arrow"),
    "kafka": ("jsonl", "eve", "arrow"),
}
"""The formats that can be sent there, the usual one first."""
PORTS = {"nats": 4222, "kafka": 9092}
NAMES = {"nats": "flowclass.flows.v1", "kafka": "flowclass.flows.v1"}
WRITE = {
    "tcp": "tcp://HOST:PORT",
    "unix": "unix:///PATH",
    "nats": "nats://HOST[:PORT][/SUBJECT]",
    "kafka": "kafka://HOST[:PORT][,HOST[:PORT]...][/TOPIC]",
}
HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|([\w.-]+))(?::(\d{1,5}))?")
NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")
WILD = (".*", ".>")
"""How the name may end where records are consumed: all that begin so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where records are sent.

    Parameters
    ----------
    scheme : str
        A key of ``FORMS``.
    hosts : tuple of (str, int)
        Names or addresses, and ports; none for ``unix``.
    name : str
        The path of a ``unix`` socket, the subject of ``nats``, the topic of ``kafka``.
    text : str
        As it was written.
    """

    scheme: str
    hosts: tuple[tuple[str, int], ...] = ()
    name: str = ""
    text: str

    def __str__(self) -> str:
        return self.text


def is_address(text: str) -> bool:
    """Say whether a text names an address and not a file.

    Examples
    --------
    >>> is_address("tcp://localhost:9000"), is_address("flows.parquet")
    (True, False)
    """
    return text.partition("://")[0] in FORMS and "://" in text


def parse(text: str, *, consumed: bool = False) -> Address:
    """Read an address; where records are `consumed` its name may end in a wildcard.

    Raises
    ------
    ConfigError
        When the text is none.

    Examples
    --------
    >>> parse("tcp://[::1]:9000").hosts, parse("kafka://a,b:9093/flows").hosts
    ((('::1', 9000),), (('a', 9092), ('b', 9093)))
    >>> parse("unix:///run/flows.sock").name, parse("nats://localhost").name
    ('/run/flows.sock', 'flowclass.flows.v1')
    """
    scheme, _, rest = text.partition("://")
    if scheme not in FORMS:
        raise ConfigError(f"{text!r} is no address: write {', '.join(WRITE.values())}")
    if scheme == "unix":
        if not rest.startswith("/") or "\0" in rest:
            raise ConfigError(f"{text!r} names no socket: write {WRITE[scheme]}")
        return Address(scheme=scheme, name=rest, text=text)
    where, slash, name = rest.partition("/")
    listed = where.split(",") if scheme == "kafka" else [where]
    hosts = tuple(_host(text, scheme, host) for host in listed)
    if scheme == "tcp" and slash:
        raise ConfigError(f"{text!r}: nothing stands behind the port: write {WRITE[scheme]}")
    name = name or NAMES.get(scheme, "")
    plain = name[:-2] if consumed and name.endswith(WILD) else name
    if scheme != "tcp" and NAME.fullmatch(plain) is None:
        raise ConfigError(f"{text!r}: {name!r} is no name for records: use letters, digits, dots, - and _")
    return Address(scheme=scheme, hosts=hosts, name=name, text=text)


def _host(text: str, scheme: str, written: str) -> tuple[str, int]:
    found = HOST.fullmatch(written)
    port = None if found is None else int(found[3]) if found[3] else PORTS.get(scheme)
    if found is None or port is None or not 0 < port < 65536:
        raise ConfigError(f"{text!r}: {written!r} is no host and port: write {WRITE[scheme]}")
    return found[1] or found[2], port

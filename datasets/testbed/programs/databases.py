"""Databases and caches: PostgreSQL, MariaDB, Redis and memcached over TCP, each with its own client or one like it.

Options of a scenario: service (``postgresql``, ``mysql``, ``redis``, ``memcached``), port, tls (postgresql alone: the
client asks for encryption in PostgreSQL's own words, then TLS follows).
"""

from __future__ import annotations

import glob
from collections.abc import Callable
from dataclasses import dataclass

from ..certificates import OPENSSL, Authority
from ..lab import Lab, Program, Requirement
from ..labels import TCP, Served

__all__ = ["PROGRAM", "Options"]

_CLIENTS = 2
_PORTS = {"postgresql": 5432, "mysql": 3306, "redis": 6379, "memcached": 11211}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose; a port of 0 is the usual one."""

    service: str
    port: int = 0
    tls: bool = False

    def __post_init__(self) -> None:
        if self.service not in _PORTS:
            raise ValueError(f"service {self.service!r} is not one of {', '.join(_PORTS)}")
        if self.tls and self.service != "postgresql":
            raise ValueError(f"{self.service} has no TLS here")


def play(lab: Lab, options: Options) -> list[Served]:
    """Store and fetch some rows from several clients."""
    port = options.port or _PORTS[options.service]
    _SERVICES[options.service](lab, port, options.tls)
    return [
        Served(address=lab.server.address, port=port, ip_proto=TCP, family=options.service, flows=_CLIENTS),
    ]


def _postgresql(lab: Lab, port: int, tls: bool) -> None:
    tools = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
    home = lab.server.own("/var/lib/postgresql")
    as_user = ("runuser", "-u", "postgres", "--")
    lab.server.run("chown", "postgres", "/var/lib/postgresql")
    data = "/var/lib/postgresql/data"
    made = ("--auth=trust", "--no-sync", "--locale=C", "--encoding=UTF8")
    lab.server.run(*as_user, f"{tools}/initdb", "-D", data, *made, seconds=60)
    (home / "data" / "pg_hba.conf").write_text("local all all trust\nhost all all all scram-sha-256\n")
    settings = ["-c", "listen_addresses=" + lab.server.address, "-c", "fsync=off"]
    if tls:
        identity = Authority(lab.server.folder / "ca").issue(
            "db.example.org", usage="serverAuth", address=lab.server.address
        )
        for path, name in ((identity.certificate, "server.crt"), (identity.key, "server.key")):
            lab.server.run("install", "-o", "postgres", "-m", "600", path, f"{data}/{name}")
        settings += ["-c", "ssl=on"]
    server = lab.server.start(
        "postgres",
        *(*as_user, f"{tools}/postgres", "-D", data, "-p", str(port), "-k", "/var/lib/postgresql", *settings),
    )
    server.wait_for("ready to accept connections")
    as_admin = ("psql", "-h", "/var/lib/postgresql", "-p", str(port), "-U", "postgres")
    lab.server.run(
        *as_user, *as_admin, "-c", "create role reader login superuser password 'green-apple-7'", "-c", "select 1"
    )
    wanted = f"host={lab.server.address} port={port} user=reader dbname=postgres gssencmode=disable sslmode="
    for number in range(_CLIENTS):
        lab.client.run(
            *("psql", wanted + ("require" if tls else "disable")),
            *("-c", f"create table t{number} as select n, n * n as square from generate_series(1, 200) n"),
            *("-c", f"select * from t{number}"),
            environment={"PGPASSWORD": "green-apple-7"},
        )


def _mysql(lab: Lab, port: int, tls: bool) -> None:
    data, socket = lab.server.folder / "data", lab.server.folder / "mysql.sock"
    common = ("--no-defaults", f"--datadir={data}", "--user=root")
    lab.server.run("mariadb-install-db", *common, "--auth-root-authentication-method=normal", seconds=60)
    server = lab.server.start(
        "mariadbd",
        *("mariadbd", *common, f"--socket={socket}", f"--port={port}", f"--bind-address={lab.server.address}"),
        *("--skip-name-resolve", "--innodb-buffer-pool-size=8M"),
    )
    server.wait_for("ready for connections")
    lab.server.run(
        *("mariadb", f"--socket={socket}", "-u", "root", "-e"),
        "create user reader identified by 'green-apple-7'; grant all on *.* to reader; create database shop",
    )
    for number in range(_CLIENTS):
        lab.client.run(
            *("mariadb", "--no-defaults", "-h", lab.server.address, "-P", str(port), "-u", "reader"),
            *("-pgreen-apple-7", "shop", "-e"),
            f"create table t{number} (n int, name text); insert into t{number} values (1, 'pear'), (2, 'plum'); "
            f"select * from t{number}; show variables like 'v%'",
        )


def _redis(lab: Lab, port: int, tls: bool) -> None:
    server = lab.server.start(
        "redis",
        *("redis-server", "--bind", lab.server.address, "--port", str(port), "--save", "", "--protected-mode", "no"),
    )
    server.wait_for("Ready to accept connections")
    where = ("redis-cli", "-h", lab.server.address, "-p", str(port))
    for asked in ("set river 12", "-r 3 incr river", "-3 hset lake depth 40 name bodensee", "-3 hgetall lake", "info"):
        lab.client.run(*where, *asked.split())


def _memcached(lab: Lab, port: int, tls: bool) -> None:
    server = lab.server.start("memcached", "memcached", "-u", "root", "-l", lab.server.address, "-p", str(port))
    server.wait_until(lambda: f":{port} " in lab.server.run("ss", "-Hlnt"), "listening")
    for number in range(_CLIENTS):
        asked = f"version\r\nset town{number} 0 60 4\r\nlinz\r\nget town{number}\r\nstats\r\nquit\r\n"
        lab.client.run("socat", "-t", "2", "-", f"TCP:{_shown(lab.server.address)}:{port}", stdin=asked)


def _shown(address: str) -> str:
    return f"[{address}]" if ":" in address else address


_SERVICES: dict[str, Callable[[Lab, int, bool], None]] = {
    "postgresql": _postgresql,
    "mysql": _mysql,
    "redis": _redis,
    "memcached": _memcached,
}

PROGRAM = Program(
    name="databases",
    options=Options,
    requirements=(
        Requirement(name="psql", executable="psql", package="apt: postgresql", version=("psql", "--version")),
        Requirement(
            name="mariadb", executable="mariadbd", package="apt: mariadb-server", version=("mariadbd", "--version")
        ),
        Requirement(
            name="redis", executable="redis-server", package="apt: redis-server", version=("redis-server", "-v")
        ),
        Requirement(
            name="redis-cli", executable="redis-cli", package="apt: redis-tools", version=("redis-cli", "--version")
        ),
        Requirement(name="memcached", executable="memcached", package="apt: memcached", version=("memcached", "-V")),
        Requirement(name="socat", executable="socat", package="apt: socat", version=("socat", "-V")),
        OPENSSL,
    ),
    play=play,
)

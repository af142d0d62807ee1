"""Proxies that hide what they carry: Shadowsocks and VMess look like random octets, Trojan is TLS.

Options of a scenario: server (shadowsocks, vmess, trojan), port, cipher (of Shadowsocks).
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from ..certificates import OPENSSL, Authority
from ..host import Daemon, Host
from ..lab import Lab, Program, Requirement
from ..labels import TCP, Served
from ..traffic import CURL, NGINX, start_web_server
from ..tunnels import IP, check_choice, check_port, fetch, give_address, wait_for_listener

__all__ = ["PROGRAM", "Options"]

_INSIDE = "10.64.0.1"
_USER = "8f3c1d5e-5d4b-4b3e-9c7a-2f6d0a1b9e77"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    server: str
    port: int
    cipher: str = "chacha20-ietf-poly1305"

    def __post_init__(self) -> None:
        check_port(self.port)
        check_choice("server", self.server, ("shadowsocks", "vmess", "trojan"))


def play(lab: Lab, options: Options) -> list[Served]:
    """Start both ends, then load two pages through the client's SOCKS port."""
    give_address(lab.server, f"{_INSIDE}/32")
    start_web_server(lab.server, f"{_INSIDE}:8080", size=20_000)
    start = {"shadowsocks": _shadowsocks, "vmess": _vmess, "trojan": _trojan}[options.server]
    far, near = start(lab, options)
    wait_for_listener(far, lab.server, options.port)
    wait_for_listener(near, lab.client, 1080)
    for path in ("", "page.html"):
        fetch(lab.client, "--socks5", "127.0.0.1:1080", f"http://{_INSIDE}:8080/{path}")
    near.stop()
    if options.server == "trojan":
        return [Served(address=lab.server.address, port=options.port, ip_proto=TCP, family="tls", flows=2)]
    return [
        Served(
            address=lab.server.address,
            port=options.port,
            ip_proto=TCP,
            family="other-proxy",
            variant=options.server,
            scope="hint",
            flows=2,
        )
    ]


def _shadowsocks(lab: Lab, options: Options) -> tuple[Daemon, Daemon]:
    common = ("-s", lab.server.address, "-p", str(options.port), "-k", "a horse", "-m", options.cipher)
    return (
        lab.server.start("ss-server", "ss-server", *common),
        lab.client.start("ss-local", "ss-local", *common, "-b", "127.0.0.1", "-l", "1080"),
    )


def _vmess(lab: Lab, options: Options) -> tuple[Daemon, Daemon]:
    inner = {"listen": "127.0.0.1", "port": 1080, "protocol": "socks"}
    user = {"id": _USER, "alterId": 0, "security": "aes-128-gcm"}
    place = {"address": lab.server.address, "port": options.port, "users": [user]}
    outer = {
        "listen": lab.server.address,
        "port": options.port,
        "protocol": "vmess",
        "settings": {"clients": [{"id": _USER, "alterId": 0}]},
    }
    return (
        _v2ray(lab.server, {"inbounds": [outer], "outbounds": [{"protocol": "freedom"}]}),
        _v2ray(
            lab.client,
            {"inbounds": [inner], "outbounds": [{"protocol": "vmess", "settings": {"vnext": [place]}}]},
        ),
    )


def _v2ray(host: Host, table: object) -> Daemon:
    return host.start("v2ray", "v2ray", "-config", host.write("v2ray.json", json.dumps(table)))


def _trojan(lab: Lab, options: Options) -> tuple[Daemon, Daemon]:
    identity = Authority(lab.server.folder / "pki").issue("www.example.net", usage="serverAuth")
    common = {"remote_port": 80, "password": ["a horse"], "log_level": 1}
    server = common | {
        "run_type": "server",
        "local_addr": lab.server.address,
        "local_port": options.port,
        "remote_addr": _INSIDE,
        "remote_port": 8080,
        "ssl": {"cert": str(identity.certificate), "key": str(identity.key), "alpn": ["http/1.1"]},
    }
    client = common | {
        "run_type": "client",
        "local_addr": "127.0.0.1",
        "local_port": 1080,
        "remote_addr": lab.server.address,
        "remote_port": options.port,
        "ssl": {"verify": False, "verify_hostname": False, "sni": "www.example.net", "alpn": ["h2", "http/1.1"]},
    }
    return (
        lab.server.start("trojan", "trojan", "-c", lab.server.write("trojan.json", json.dumps(server))),
        lab.client.start("trojan", "trojan", "-c", lab.client.write("trojan.json", json.dumps(client))),
    )


PROGRAM = Program(
    name="sealed_proxy",
    options=Options,
    requirements=(
        Requirement(
            name="shadowsocks-libev",
            executable="ss-server",
            package="apt: shadowsocks-libev",
            version=("ss-server", "-h"),
        ),
        Requirement(name="v2ray", executable="v2ray", package="apt: v2ray", version=("v2ray", "-version")),
        Requirement(name="trojan", executable="trojan", package="apt: trojan", version=("trojan", "-v")),
        OPENSSL,
        IP,
        NGINX,
        CURL,
    ),
    play=play,
)

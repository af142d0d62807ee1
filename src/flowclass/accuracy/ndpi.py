"""nDPI as a peer, through nfstream, in a process of its own that may crash or hang."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from importlib import metadata, util
from pathlib import Path
from types import TracebackType
from typing import Any

from flowclass.accuracy.labels import Key, flow_key
from flowclass.accuracy.scores import Claim
from flowclass.errors import ConfigError

MOST_SECONDS = 120
MOST_ANSWER = 1 << 30

_PROVIDERS = (
    "CactusVPN",
    "HotspotShield",
    "Mullvad",
    "NordVPN",
    "OperaVPN",
    "ProtonVPN",
    "SurfShark",
    "TunnelBear",
    "Windscribe",
)
# nDPI's names and the protocol ids that each means; the first is the one to count it under.
NAMES: dict[str, tuple[str, ...]] = {
    "AH": ("ah",),
    "CiscoVPN": ("cisco-ipsec", "anyconnect"),
    "CloudflareWarp": ("warp", "vpn-app-tls"),
    "ESP": ("esp",),
    "FortiClient": ("fortinet",),
    "GENEVE": ("geneve",),
    "GRE": ("gre",),
    "GTP": ("gtp-u", "gtp-c", "gtp-prime"),
    "GTP_C": ("gtp-c",),
    "GTP_PRIME": ("gtp-prime",),
    "GTP_U": ("gtp-u",),
    "Hamachi": ("hamachi",),
    "HTTP_Connect": ("http-connect", "http-proxy"),
    "HTTP_Proxy": ("http-proxy", "http-connect"),
    "IP_in_IP": ("ip-in-ip",),
    "IPIP": ("ip-in-ip",),
    "IPSec": ("ike", "esp", "ah"),
    "L2TP": ("l2tp",),
    "OpenVPN": ("openvpn",),
    "PPTP": ("pptp",),
    "Psiphon": ("psiphon",),
    "SOCKS": ("socks",),
    "Softether": ("softether",),
    "Tailscale": ("tailscale",),
    "Teredo": ("teredo",),
    "TINC": ("tinc",),
    "Tor": ("tor",),
    "UltraSurf": ("ultrasurf",),
    "VXLAN": ("vxlan",),
    "WireGuard": ("wireguard",),
    "ZeroTier": ("zerotier",),
    "iCloudPrivateRelay": ("masque-private-relay",),
    **{name: ("vpn-app-tls",) for name in _PROVIDERS},
}
# What is no tunnel, for labels of ordinary flows.
ORDINARY: dict[str, tuple[str, ...]] = {
    "DNS": ("dns",),
    "DTLS": ("dtls",),
    "HTTP": ("http",),
    "ICMP": ("icmp",),
    "ICMPV6": ("icmp",),
    "NTP": ("ntp",),
    "QUIC": ("quic",),
    "SSH": ("ssh",),
    "TLS": ("tls",),
}


def claim_of(name: str, *, guessed: bool) -> Claim:
    """Give what an answer of nDPI means here.

    Parameters
    ----------
    name : str
        ``Protocol`` or ``Protocol.Application``. The name of a tunnel wins, but a look-up of it by DNS is none.
    guessed : bool
        Whether nDPI guessed by port or address; then it is no more than possible.

    Examples
    --------
    >>> claim_of("WireGuard.TunnelBear", guessed=False).ids
    ('wireguard',)
    >>> claim_of("DNS.NordVPN", guessed=False).ids
    ('dns',)
    """
    parts = name.split(".")
    tunnels = [] if parts[0] == "DNS" else [NAMES[part] for part in parts if part in NAMES]
    others = [ORDINARY[part] for part in parts if part in ORDINARY]
    ids = (tunnels or others or [()])[0]
    return Claim(
        ids=ids,
        shown=name + (" (guessed)" if guessed else ""),
        tier="possible" if guessed and ids else "probable" if ids else "none",
        tunnel=bool(tunnels),
    )


class Ndpi:
    """nDPI, asked through nfstream; a context manager.

    Raises
    ------
    ConfigError
        When nfstream is not installed.
    """

    name = "ndpi"

    def __init__(self) -> None:
        if util.find_spec("nfstream") is None:
            raise ConfigError(
                "--peer ndpi asks nDPI through nfstream, which is not installed; install it with `pip install"
                " nfstream`, or leave --peer out"
            )
        try:
            self.version = f"nfstream {metadata.version('nfstream')}"
        except metadata.PackageNotFoundError:
            self.version = "nfstream of unknown version"
        self._worker: subprocess.Popen[bytes] | None = None
        self._unread = b""

    def __enter__(self) -> Ndpi:
        """Begin; the process is started when it is needed."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        self._end()

    def claims(self, capture: Path) -> Mapping[Key, list[Claim]] | str:
        """Give what nDPI says of the flows of a capture, or why it says nothing."""
        try:
            answer = json.loads(self._ask(capture))
        except (OSError, ValueError, TimeoutError) as problem:
            self._end()
            return str(problem)
        if isinstance(answer, dict):
            return str(answer["error"])
        said: dict[Key, list[Claim]] = defaultdict(list)
        for flow in answer:
            said[_key(flow)].append(claim_of(str(flow[5]), guessed=bool(flow[6])))
        return said

    def _ask(self, capture: Path) -> bytes:
        if self._worker is None:
            self._worker = subprocess.Popen(
                [sys.executable, "-m", "flowclass.accuracy.ndpi_worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            self._unread = b""
        pipes = self._worker
        assert pipes.stdin is not None
        assert pipes.stdout is not None
        pipes.stdin.write(json.dumps(os.fspath(capture.absolute())).encode() + b"\n")
        pipes.stdin.flush()
        while b"\n" not in self._unread:
            ready, _, _ = select.select([pipes.stdout], [], [], MOST_SECONDS)
            if not ready:
                raise TimeoutError(f"no answer within {MOST_SECONDS} s")
            piece = os.read(pipes.stdout.fileno(), 1 << 20)
            if not piece:
                raise OSError(f"it ended with {pipes.wait()}")
            self._unread += piece
            if len(self._unread) > MOST_ANSWER:
                raise OSError("its answer has no end")
        answer, _, self._unread = self._unread.partition(b"\n")
        return answer

    def _end(self) -> None:
        """End the process and those it forked."""
        if self._worker is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._worker.pid, signal.SIGKILL)
        self._worker.wait()
        for pipe in (self._worker.stdin, self._worker.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        self._worker = None


def _key(flow: list[Any]) -> Key:
    return flow_key(dict(zip(("src_ip", "src_port", "dst_ip", "dst_port", "ip_proto"), flow, strict=False)))

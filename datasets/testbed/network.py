"""Makes three namespaces in a row, client - router - server, and takes them away again.

Nothing exists outside the namespaces: the veth pairs are born inside them, so no name can collide with
the machine's own and no packet can leave. The names of namespaces and of the work folder hold the owner's
process id and start; what a killed run left behind is found by them and removed by the next run.
"""

from __future__ import annotations

import ipaddress
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import TestbedError
from .host import Host
from .scenario import DEFAULT_SEED, Addresses, subnet

__all__ = ["FAR", "MIDDLE", "NEAR", "TAP", "network", "owner", "sweep", "work_folder"]

_PREFIX = "flowclass-tb"
_ROLES = ("client", "router", "server")
_NAME = re.compile(rf"{_PREFIX}-(\d+)-(\d+)-(?:{'|'.join(_ROLES)})")
_FOLDER = re.compile(rf"{_PREFIX}-(\d+)-(\d+)-")
# Where the recorder in the middle listens: the router's interface towards the client, or, on an impaired path, one
# end of a wire inside the router (the other end is MIDDLE; NEAR and FAR lead to the client and the server).
TAP = "tap0"
MIDDLE, NEAR, FAR = "mid0", "near0", "far0"
_START_FIELD = 19  # of /proc/PID/stat behind the name, see proc(5): starttime, in clock ticks since the machine's start
_OFFLOADS = ("tx", "rx", "sg", "tso", "gso", "gro")


@contextmanager
def network(
    addresses: Addresses, folder: Path, *, seed: int = DEFAULT_SEED, forwarder: bool = False
) -> Iterator[tuple[Host, Host, Host]]:
    """Give (client, router, server), connected; everything is removed at the end, however it comes.

    Parameters
    ----------
    addresses : Addresses
        The addresses of the two ends.
    folder : Path
        Where each host gets a folder of its own.
    seed : int
        For random choices of traffic.
    forwarder : bool
        Whether the router's kernel leaves forwarding to a program of ours, with a wire inside the router.
    """
    sweep()
    hosts: list[Host] = []
    try:
        for role, own in zip(_ROLES, (addresses.client, (), addresses.server), strict=True):
            (folder / role).mkdir()
            name = f"{owner()}-{role}"
            _ip("netns", "add", name)
            hosts.append(Host(role, name, folder / role, own, seed=seed))
        client, router, server = hosts
        for host in hosts:
            _settle(host, forwards=host is router and not forwarder)
        _connect(client, router, NEAR if forwarder else TAP)
        _connect(server, router, FAR)
        if forwarder:
            _add_wire(router)
        yield client, router, server
    finally:
        for host in hosts:
            host.stop_all()
        for role in _ROLES:  # by name: a signal may have come between the making of one and the note of it
            _remove(f"{owner()}-{role}")


def sweep() -> None:
    """Remove the namespaces and work folders of testbed runs that no longer live."""
    for line in _ip("netns", "list").splitlines():
        found = _NAME.match(line)
        if found and not _lives(int(found[1]), int(found[2])):
            _remove(found[0])
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}-*-*"):
        found = _FOLDER.match(folder.name)
        if found and not _lives(int(found[1]), int(found[2])):
            shutil.rmtree(folder, ignore_errors=True)


def owner() -> str:
    """Give what names of this process's namespaces and folders begin with."""
    return f"{_PREFIX}-{os.getpid()}-{_started(os.getpid())}"


@contextmanager
def work_folder() -> Iterator[Path]:
    """Give a temporary folder that is removed at the end, or by the next run if this one is killed."""
    with tempfile.TemporaryDirectory(prefix=f"{owner()}-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # some daemons give up root before they read their files
        yield folder


def _lives(pid: int, start: int) -> bool:
    """Whether the process that had this number and began at this time still runs."""
    return _started(pid) == start


def _started(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[_START_FIELD])


def _remove(namespace: str) -> None:
    for pid in _ip("netns", "pids", namespace, may_fail=True).split():
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    _ip("netns", "delete", namespace, may_fail=True)


def _settle(host: Host, *, forwards: bool) -> None:
    """Quiet a new namespace: no router solicitations, no address probing, forwarding where it is wanted."""
    settings = {
        "net.ipv6.conf.all.accept_ra": 0,
        "net.ipv6.conf.default.accept_ra": 0,
        "net.ipv6.conf.all.accept_dad": 0,
        "net.ipv6.conf.default.accept_dad": 0,
        "net.ipv6.conf.default.router_solicitations": 0,
    }
    if forwards:
        settings |= {"net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1}
    for key, value in settings.items():
        _set(host, key, value)
    host.run("ip", "link", "set", "lo", "up")


def _set(host: Host, key: str, value: int) -> None:
    host.run("sh", "-c", f"printf %s {value} > /proc/sys/{key.replace('.', '/')}")


def _connect(end: Host, router: Host, port: str) -> None:
    _ip("-n", end.namespace, "link", "add", "eth0", "type", "veth", "peer", "name", port, "netns", router.namespace)
    for host, link in ((end, "eth0"), (router, port)):
        _switch_offloads_off(host, link)
        if all(ipaddress.ip_address(address).version == 4 for address in end.addresses):
            _set(host, f"net.ipv6.conf.{link}.disable_ipv6", 1)  # else listener reports in every capture
        host.run("ip", "link", "set", link, "up")
    for address in end.addresses:
        net = subnet(address)
        width = net.prefixlen
        gateway = next(str(net[i]) for i in (1, 2) if str(net[i]) != address)
        end.run("ip", "address", "add", f"{address}/{width}", "dev", "eth0")
        router.run("ip", "address", "replace", f"{gateway}/{width}", "dev", port)
        family = "-4" if width == 24 else "-6"
        end.run("ip", family, "route", "replace", "default", "via", gateway, "src", _source(end, width))


def _add_wire(router: Host) -> None:
    _ip("-n", router.namespace, "link", "add", TAP, "type", "veth", "peer", "name", MIDDLE)
    for link in (TAP, MIDDLE):
        _switch_offloads_off(router, link)
        _set(router, f"net.ipv6.conf.{link}.disable_ipv6", 1)
        router.run("ip", "link", "set", link, "arp", "off", "up")


def _switch_offloads_off(host: Host, link: str) -> None:
    """Keep packets off captures that no wire carries: 64 KiB long, with unset checksums."""
    for offload in _OFFLOADS:
        host.run("ethtool", "-K", link, offload, "off", may_fail=offload in ("rx", "sg"))


def _source(end: Host, width: int) -> str:
    """Give the first address of the IP version that `width` is used for."""
    version = 4 if width == 24 else 6
    return next(a for a in end.addresses if ipaddress.ip_address(a).version == version)


def _ip(*argv: str, may_fail: bool = False) -> str:
    done = subprocess.run(["ip", *argv], capture_output=True, text=True, timeout=20, check=False)
    if done.returncode and not may_fail:
        raise TestbedError(f"`ip {' '.join(argv)}` failed: {done.stderr.strip()}")
    return done.stdout

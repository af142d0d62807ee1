"""What tests of real runs share: where namespaces can be made, what a machine looks like, what a run left on it."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import _missing

_LOCK = Path(tempfile.gettempdir()) / "flowclass-testbed-tests.lock"


@pytest.fixture
def rooted() -> Iterator[None]:
    """Skip where namespaces cannot be made; beside the test's own, the machine must be as it was.

    Tests that use it wait for each other, in whatever process: one takes away what another's killed run left.
    """
    if os.geteuid() != 0:
        _missing("testbed", "network namespaces need root")
    for tool in ("ip", "ethtool", "tcpdump", "ping", "ps"):
        if not shutil.which(tool):
            _missing("testbed", f"{tool} is not installed")
    name = f"flowclass-try-{os.getpid()}"
    if subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode:
        _missing("testbed", "this machine lets nobody make network namespaces")
    subprocess.run(["ip", "netns", "delete", name], check=True)
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = machine()
        yield
        assert machine() == before


def machine() -> tuple[str, ...]:
    """What a run could change outside its namespaces: links, addresses, routes, forwarding, mounts of other files."""
    told = [
        subprocess.run(["ip", *argv], capture_output=True, text=True, check=True).stdout
        for argv in (("-br", "link"), ("-br", "address"), ("route",), ("-6", "route"))
    ]
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    told.append("\n".join(sorted(where for where in mounts if "netns" not in where)))
    told.append(Path("/proc/sys/net/ipv4/ip_forward").read_text())
    return tuple(told)


def left_of(pid: int) -> list[str]:
    """Namespaces, folders and processes of the run that had this number."""
    mark = f"flowclass-tb-{pid}-"
    spaces = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout.split()
    left = [name for name in spaces if name.startswith(mark)]
    left += [str(path) for path in Path("/tmp").glob(f"{mark}*")]
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if mark in words:
            left.append(words)
    return left

"""What drivers of PPP's carriers share: the stand-in for pppd, put where their programs look for it."""

from __future__ import annotations

import sys
from pathlib import Path

from .host import Host

__all__ = ["GATEWAY", "LEASE", "ROOT", "has_link", "put_pppd"]

GATEWAY, LEASE = "10.94.3.1", "10.94.3.10"
# What the interpreter must know to find this package in a host.
ROOT = Path(__file__).resolve().parents[2]


def put_pppd(host: Host) -> Path:
    """Write the host's pppd, the user-space one of `peers.ppp`; its log is ``ppp.log`` in the host's folder."""
    text = f"""#!/bin/sh
PYTHONPATH={ROOT} PPP_LOG={host.folder}/ppp.log exec {sys.executable} -m datasets.testbed.peers.ppp "$@"
"""
    return host.write("pppd", text, mode=0o755)


def has_link(host: Host) -> bool:
    """Whether IPv4 passes the host's PPP link."""
    log = host.folder / "ppp.log"
    return log.exists() and "up: " in log.read_text(encoding="utf-8")

"""Starts the forwarder in the router's namespace and reads what it did."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import TestbedError
from .forwarder import READY
from .host import Daemon, Host
from .impairments import Impairments
from .labels import Served
from .network import FAR, MIDDLE, NEAR, TAP

__all__ = ["Passed", "RunningPath"]

_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """What an impaired path did: counts by direction, and the translations of its NAT."""

    counts: Mapping[str, Mapping[str, int]]
    nat: tuple[Mapping[str, Any], ...]

    def from_outside(self, served: Sequence[Served], nat: str | None) -> list[Served]:
        """Give what was served with addresses and ports as they are behind the NAT."""
        ports = {(item["ip_proto"], item["address"], item["port"]): item["outside_port"] for item in self.nat}
        out = []
        for each in served:
            port = ports.get((each.ip_proto, each.address, each.port))
            if nat is not None and port is not None:
                out.append(dataclasses.replace(each, address=nat, port=int(port)))
            else:
                out.append(each)
        return out


class RunningPath:
    """The forwarder, running.

    Parameters
    ----------
    path : Impairments
        What it does to packets.
    seed : int
        For what is left to chance.
    client, router, server : Host
        All hosts, connected.
    """

    def __init__(self, path: Impairments, seed: int, client: Host, router: Host, server: Host) -> None:
        ports = {"near": (NEAR, client, "eth0"), "tap": (TAP, router, MIDDLE)}
        ports |= {"mid": (MIDDLE, router, TAP), "far": (FAR, server, "eth0")}
        settings = {
            "path": dataclasses.asdict(path),
            "seed": seed,
            "gateways": {"near": _addresses(router, NEAR), "far": _addresses(router, FAR)},
            "links": {
                port: {"name": name, "own": _hardware(router, name), "peer": _hardware(host, link)}
                for port, (name, host, link) in ports.items()
            },
        }
        told = router.folder / "path.json"
        told.write_text(json.dumps(settings), encoding="utf-8")
        self._result = router.folder / "path-result.json"
        self._daemon: Daemon = router.start(
            *("forwarder", sys.executable, "-m", "datasets.testbed.forwarder", told, self._result),
            environment={"PYTHONPATH": str(_ROOT)},
        )
        self._daemon.wait_for(READY)

    def stop(self) -> Passed:
        """End it and give what it did."""
        self._daemon.stop()
        if not self._result.exists():
            raise TestbedError(f"the forwarder ended early; its last words:\n{self._daemon.output()[-2000:]}")
        told = json.loads(self._result.read_text(encoding="utf-8"))
        return Passed(counts=told["counts"], nat=tuple(told["nat"]))


def _hardware(host: Host, link: str) -> str:
    return host.run("cat", f"/sys/class/net/{link}/address").strip().replace(":", "")


def _addresses(host: Host, link: str) -> list[str]:
    told = json.loads(host.run("ip", "-j", "address", "show", "dev", link))
    return [item["local"] for item in told[0]["addr_info"] if item["scope"] == "global"]

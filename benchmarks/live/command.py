"""The command `flowclass live` in a process of its own. Gives its summary, and the memory it takes meanwhile."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import flowclass


class Live:
    """A run on one interface.

    Parameters
    ----------
    interface : str
        Its name.
    *options : str
        More of the command line.
    """

    def __init__(self, interface: str, *options: str) -> None:
        self.interface = interface
        paths = [str(Path(flowclass.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            told.bind("")  # any abstract name, unix(7)
            environment["NOTIFY_SOCKET"] = "@" + told.getsockname()[1:].decode()
            self.process = subprocess.Popen(
                [sys.executable, "-m", "flowclass", "live", "-i", interface, "--json", *options],
                stdout=subprocess.PIPE,
                env=environment,
            )
            told.settimeout(60.0)
            assert told.recv(100) == b"READY=1", "it reads packets"

    def resident(self) -> int:
        """Octets of memory that the process has now."""
        text = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(next(line for line in text.splitlines() if line.startswith("VmRSS:")).split()[1]) * 1024

    def end(self, seconds: float = 300.0) -> dict[str, Any]:
        """Ask for the end by SIGTERM, and give the summary; raise where it is not whole."""
        self.process.send_signal(signal.SIGTERM)
        said, _ = self.process.communicate(timeout=seconds)
        if self.process.returncode != 128 + signal.SIGTERM:
            raise RuntimeError(f"flowclass live ended with {self.process.returncode} and not with 143")
        summary: dict[str, Any] = json.loads(said)
        facts = summary["captured"][self.interface]
        assert summary["balance"]["closed"], summary["balance"]
        assert summary["balance"]["packets_read"] == facts["handed_on"]
        assert facts["received"] == facts["handed_on"] + facts["kernel_dropped"] + facts["own_dropped"]
        return summary

    def kill(self) -> None:
        """End it at once, if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

"""The command `live` in a process of its own, and questions to the metrics that it serves."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import flowclass

Found = TypeVar("Found")


def live(*args: str | Path, env: dict[str, str] | None = None, **how: Any) -> subprocess.Popen[bytes]:
    """Start it."""
    line = [sys.executable, "-m", "flowclass", "live", *map(str, args)]
    paths = [str(Path(flowclass.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), **(env or {})}
    return subprocess.Popen(line, env=environment, **how)


def until(look: Callable[[], Found | None], *, seconds: float = 60) -> Found:
    """Look again and again until there is something."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found is not None:
            return found
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


class Asked(http.client.HTTPConnection):
    """A connection to a socket of this machine."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=20)
        self._path = path

    def connect(self) -> None:
        """Connect to the path."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(20)
        self.sock.connect(str(self._path))


def ask(path: Path, what: str) -> tuple[int, str, str]:
    """Give the code, the content type and the text of an answer."""
    connection = Asked(path)
    try:
        connection.request("GET", what)
        answer = connection.getresponse()
        return answer.status, str(answer.headers["Content-Type"]), answer.read().decode()
    finally:
        connection.close()


def values(text: str) -> dict[tuple[str, ...], float]:
    """Read OpenMetrics by the parser of the Prometheus project: name, then its labels' values, sorted by label."""
    from prometheus_client.openmetrics.parser import text_string_to_metric_families

    return {
        (sample.name, *(sample.labels[label] for label in sorted(sample.labels))): float(sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }

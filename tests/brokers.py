"""A nats-server of the test's own, and what it keeps; the broker that Kafka's client has inside for tests.

The latter speaks Kafka's protocol over a socket of this machine. It is not Apache Kafka.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

STREAM = "FLOWS"


@contextmanager
def nats_server(folder: Path) -> Iterator[int]:
    """Run a server with JetStream and a stream of the usual subject; give its port. Skips where there is none."""
    pytest.importorskip("nats", reason="the client of NATS is not installed")
    program = shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin:/sbin")
    if program is None:
        pytest.skip("no nats-server on this machine")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [program, "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(folder / "js")], stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(port)
        ask_nats(port, lambda stream: stream.add_stream(name=STREAM, subjects=["flowclass.>"]))
        yield port
    finally:
        server.terminate()
        server.wait()


def _wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"nothing listens on port {port}")


def ask_nats(port: int, ask: Any) -> Any:
    """Ask the server's JetStream."""

    async def run() -> Any:
        import nats

        client = await nats.connect(f"nats://127.0.0.1:{port}")
        try:
            return await ask(client.jetstream())
        finally:
            await client.close()

    return asyncio.run(run())


@contextmanager
def kafka_broker() -> Iterator[tuple[Any, str]]:
    """Give the client's library, and the address of the broker inside it."""
    library = pytest.importorskip("confluent_kafka", reason="the client of Kafka is not installed")
    owner = library.Producer({"bootstrap.servers": "none", "test.mock.num.brokers": 1, "log_level": 0})
    [broker] = owner.list_topics(timeout=10).brokers.values()
    yield library, f"{broker.host}:{broker.port}"
    owner.flush(1)

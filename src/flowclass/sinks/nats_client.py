"""A connection to a NATS server, for who publishes and for who consumes. Needs the extra ``flowclass[nats]``.

The client runs in a thread of its own, so it answers the server while nobody asks it for anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Coroutine
from importlib import import_module
from typing import Any

from flowclass.errors import ConfigError, FlowclassError
from flowclass.sinks.address import Address

CREDENTIALS = "FLOWCLASS_NATS_CREDENTIALS"
ANSWER_S = 30.0


class NatsClient:
    """A connection that is there until it is closed.

    Parameters
    ----------
    address : Address
        With the scheme ``nats``. The environment variable ``FLOWCLASS_NATS_CREDENTIALS`` may name a file of
        credentials.
    failure : type
        Of the error that is raised when the server does not do what it is asked.

    Attributes
    ----------
    library : module
        Of the client.
    client : nats.NATS
        Connected.

    Raises
    ------
    ConfigError
        When the client is not installed.
    FlowclassError
        Of the type given, when no server answers.
    """

    def __init__(self, address: Address, failure: type[FlowclassError]) -> None:
        self._name, self._failure = str(address), failure
        self.client: Any = None
        try:
            self.library: Any = import_module("nats")
        except ImportError:
            raise ConfigError(
                f"{address}: the client of NATS is not installed: pip install 'flowclass[nats]'"
            ) from None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="flowclass-nats", daemon=True)
        self._thread.start()
        try:
            self.client = self.call(self._connected(address), "cannot be connected to", "start the server first")
        except BaseException:
            self.abort()
            raise

    def call(self, what: Coroutine[Any, Any, Any], failing: str, advice: str) -> Any:
        """Let the client do something, and wait for it.

        Parameters
        ----------
        what : coroutine
            Of the client.
        failing : str
            What the server does when it does not do that.
        advice : str
            What to do then.

        Raises
        ------
        FlowclassError
            Of the type given to the class.
        """
        future = asyncio.run_coroutine_threadsafe(what, self._loop)
        try:
            return future.result(ANSWER_S)
        except Exception as problem:
            future.cancel()
            why = str(problem).strip() or type(problem).__name__
            raise self._failure(f"{self._name}: {failing}: {why}; {advice}") from problem

    def close(self) -> None:
        """End the connection in order.

        Raises
        ------
        FlowclassError
            When the server does not answer.
        """
        try:
            self.call(self.client.close(), "does not end", "check the server")
        finally:
            self._stop()

    def abort(self) -> None:
        """End the connection, whatever the server says."""
        if self.client is not None and self._thread.is_alive():
            with contextlib.suppress(Exception):
                asyncio.run_coroutine_threadsafe(self.client.close(), self._loop).result(1.0)
        self._stop()

    async def _connected(self, address: Address) -> Any:
        host, port = address.hosts[0]
        where = f"[{host}]" if ":" in host else host
        return await self.library.connect(
            servers=[f"nats://{where}:{port}"],
            name="flowclass",
            connect_timeout=5,
            max_reconnect_attempts=2,
            reconnect_time_wait=1,
            user_credentials=os.environ.get(CREDENTIALS),
            error_cb=_silent,
        )

    def _stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(2.0)
        if not self._thread.is_alive() and not self._loop.is_closed():
            _cancel_all(self._loop)
            self._loop.close()


async def _silent(problem: Exception) -> None:
    """Leave what the client only notes to the call that fails by it."""
    del problem


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    """End what the client left running, so that nothing is destroyed while it is pending."""
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))

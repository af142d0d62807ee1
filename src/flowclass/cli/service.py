"""What `live` has for a run that goes on for months: metrics, health, the service manager, rights that are given up."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any

import click

from flowclass.cli.options import Command, setting
from flowclass.cli.output import Output
from flowclass.cli.privileges import become
from flowclass.cli.progress import Progress
from flowclass.cli.top import Top, refuse_top
from flowclass.pipeline.batch import Run
from flowclass.pipeline.stop import Stop
from flowclass.service.manager import Manager
from flowclass.service.monitor import Monitor
from flowclass.service.sandbox import Sandbox, enter
from flowclass.sinks import FOREIGN, FORMATS
from flowclass.sinks.address import is_address

TEXT = "text/plain; charset=utf-8"


def with_service(command: Command) -> Command:
    """Declare the options of a run that goes on."""
    options = (
        setting("--user", metavar="NAME", help="Become this user as soon as the interfaces are open."),
        setting(
            "--sandbox", type=click.Choice(["auto", "off", "require"]), default="auto", show_default=True,
            help="Give up every other right once the interfaces are open: what the kernel has for it, or all of it.",
        ),
        setting(
            "--metrics", metavar="ADDRESS",
            help="Serve /metrics (OpenMetrics), /healthz, /readyz: HOST:PORT, :PORT (this machine), a socket's path.",
        ),
        setting("--top", is_flag=True, help="Draw on the terminal how it goes: rate, drops, flows, newest violations."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


class Service(AbstractContextManager["Service"]):
    """What goes on beside a run; called with it after every slice.

    Parameters
    ----------
    given : mapping
        The options by their names.
    stop : Stop
        Through which the run is asked to end.
    name : str
        Of what is read.
    """

    def __init__(self, given: dict[str, Any], stop: Stop, name: str) -> None:
        self.sandbox: Sandbox | None = None
        self._judged = False
        self._given, self._stop = given, stop
        if given["top"]:
            refuse_top(given)
        # A process that has other things to do keeps its rights, which would be gone for good, and its notices.
        own_process = bool(click.get_current_context().find_root().obj)
        self._confines = given["sandbox"] == "require" or (given["sandbox"] == "auto" and own_process)
        self._manager = Manager(None if own_process else {})
        self._monitor = Monitor() if given["metrics"] is not None or given["top"] else Monitor(every_s=None)
        self._endpoint: Any = None
        self._progress = Progress(quiet=given["quiet"] or given["top"])
        self._top = Top(self._monitor, name) if given["top"] else None
        if given["metrics"] is not None:
            self._listen(given["metrics"])

    def __enter__(self) -> Service:
        # Now, and not when the interfaces are open: their rings would fill meanwhile.
        if self._confines or self._given["user"] is not None:
            _import_the_rest()
        self._progress.__enter__()
        if self._top is not None:
            self._top.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._top is not None:
            self._top.__exit__(kind, value, trace)
        self._progress.__exit__(kind, value, trace)
        self._manager.stopping()
        if self._endpoint is not None:
            self._endpoint.end()
        self._manager.end()

    def __call__(self, run: Run) -> None:
        """Take note that the run goes on."""
        if self._stop.wanted and not self._monitor.stopping:
            self._monitor.stopping = True
            self._manager.stopping()
        self._manager.alive()
        self._monitor(run)
        self._progress(run)

    def leave_rights(self) -> None:
        """Become another user and enter the sandbox, as was asked for; what needs rights is open."""
        given = self._given
        if given["user"] is not None:
            become(given["user"])
        if self._confines:
            self.sandbox = enter(writable(given), require=given["sandbox"] == "require")
        if self._endpoint is not None:
            self._endpoint.begin()

    def begin(self, run: Run, outputs: Sequence[Output]) -> None:
        """Say that everything is open and reading begins."""
        self._monitor.begin(run, outputs)
        self._manager.ready()
        if self._top is not None:
            self._top.begin()
            self._judged = run.judges.policy is not None

    def watched(self, batches: Iterable[Any]) -> Generator[Any, None, None]:
        """Give the batches on and take note of them."""
        return self._monitor.timed(batches, None if self._top is None else self._look)

    def _look(self, batch: Any) -> None:
        if self._top is not None and self._judged:
            self._top.look(batch)

    def _listen(self, text: str) -> None:
        from flowclass.service.endpoint import Endpoint, parse
        from flowclass.service.metrics import CONTENT_TYPE, Metrics

        metrics = Metrics(lambda: self._monitor.status)
        self._endpoint = Endpoint(
            parse(text),
            {
                "/metrics": lambda: (200, CONTENT_TYPE, metrics.text()),
                "/healthz": lambda: _answer(*self._monitor.health()),
                "/readyz": lambda: _answer(*self._monitor.readiness()),
            },
        )


def _answer(well: bool, sentence: str) -> tuple[int, str, bytes]:
    return 200 if well else 503, TEXT, f"{sentence}\n".encode()


def writable(given: dict[str, Any]) -> list[Path]:
    """Give the files and folders that a run writes to, by its options."""
    paths: list[Path] = []
    output = given["output"]
    if output is not None and output != "-" and not is_address(output):
        path = Path(output)
        several = path.is_dir() or output.endswith("/") or any(given[f"rotate{by}"] for by in ("", "_size", "_rows"))
        paths.append(path if several or (path.exists() and not path.is_file()) else path.parent)
    early = given["verdicts"]
    if early is not None and early != "-" and not is_address(early):
        paths.append(Path(early) if Path(early).exists() else Path(early).parent)
    if given["watch"] is not None:
        paths.append(given["watch"] if given["state"] is None else given["state"].parent)
    if given["checkpoint"] is not None:
        paths.append(given["checkpoint"].absolute().parent)
    if given["metrics"] is not None and "/" in given["metrics"]:
        paths.append(Path("/" + given["metrics"].partition("/")[2]).parent)
    return paths


def _import_the_rest() -> None:
    """Import what is imported late otherwise: the other user may have no right to read the program's own files."""
    sinks = (*FORMATS, *FOREIGN, "connection", "queued", "rotating")
    for name in ("pyarrow", "flowclass.cli.table", *(f"flowclass.sinks.{sink}" for sink in sinks)):
        import_module(name)

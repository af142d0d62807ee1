"""A host: one network namespace with its own /run, in which programs are run and daemons started.

Every command goes through ``ip netns exec`` (which gives it a mount namespace of its own) and a short
shell that binds the host's folders over the machine's, so that two hosts may run the same daemon.
"""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from .errors import TestbedError
from .scenario import DEFAULT_SEED

__all__ = ["Daemon", "Host"]

# $1: number of binds; then pairs "source target"; then the command.
_ENTER = """n=$1; shift
while [ "$n" -gt 0 ]; do mount --bind "$1" "$2" || exit 126; shift 2; n=$((n-1)); done
exec "$@"
"""
_TAIL = 2000
# What is different in every run: keys in base64 or hexadecimal.
_SECRET = re.compile(r"[A-Za-z0-9+/=]{40,}|[0-9a-f]{32,}")


class Daemon:
    """A program started in the background; its output lies in `log`."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.log = log
        self._process = process

    def output(self) -> str:
        """Everything it has said until now."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def wait_for(self, text: str, *, seconds: float = 20) -> None:
        """Wait until its output holds `text`; fail with the output's end if it does not or if it ended."""
        self.wait_until(lambda: text in self.output(), f"saying {text!r}", seconds=seconds)

    def wait_until(self, condition: Callable[[], bool], what: str, *, seconds: float = 20) -> None:
        """Wait until `condition` holds; fail with the output's end if it does not or if the daemon ended."""
        end = time.monotonic() + seconds
        while not condition():
            if not self.alive():
                raise TestbedError(f"{self.name} ended before {what}; its last words:\n{self.output()[-_TAIL:]}")
            if time.monotonic() > end:
                raise TestbedError(
                    f"{self.name} ran {seconds:g} s without {what}; its last words:\n{self.output()[-_TAIL:]}"
                )
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGTERM, *, seconds: float = 10) -> None:
        """Ask it to end, wait, and end it by force after `seconds`."""
        if self.alive():
            self._process.send_signal(how)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(seconds)


class Host:
    """One end of the testbed (or the router between).

    Parameters
    ----------
    role : str
        ``client``, ``server`` or ``router``.
    namespace : str
        Name of its network namespace.
    folder : Path
        A folder of its own for keys, configuration and logs.
    addresses : tuple of str
        Its addresses, the one to use first.
    seed : int
        Of the scenario, for random choices of traffic.
    """

    def __init__(
        self, role: str, namespace: str, folder: Path, addresses: tuple[str, ...], *, seed: int = DEFAULT_SEED
    ) -> None:
        self.role = role
        self.namespace = namespace
        self.folder = folder
        self.addresses = addresses
        self.seed = seed
        self.written: dict[str, str] = {}
        self._binds: list[tuple[Path, str]] = []
        self._daemons: list[Daemon] = []
        self.own("/run")
        self._forget_name_servers()

    @property
    def address(self) -> str:
        """The address that programs use."""
        return self.addresses[0]

    def own(self, target: str) -> Path:
        """Put an empty folder of this host's own over the machine's folder `target`; gives that folder."""
        source = self.folder / ("over" + target.replace("/", "-"))
        source.mkdir(parents=True, exist_ok=True)
        self._binds.append((source, target))
        return source

    def _forget_name_servers(self) -> None:
        """Hide the machine's name servers: nobody answers here, and their addresses are nobody's business."""
        if Path("/etc/resolv.conf").is_file() and not Path("/etc/resolv.conf").is_symlink():
            empty = self.folder / "resolv.conf"
            empty.write_text("# no name server\nnameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
            empty.chmod(0o644)
            self._binds.append((empty, "/etc/resolv.conf"))

    def write(self, name: str, text: str, *, mode: int = 0o600) -> Path:
        """Write a file into the host's folder; `written` keeps a digest of what programs were told that way.

        In the digest keys are left out and the run's folder has a fixed name, so that it says the same in every run.
        """
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        same_in_every_run = _SECRET.sub("KEY", text.replace(str(self.folder.parent), "RUN"))
        self.written[name] = hashlib.sha256(same_in_every_run.encode()).hexdigest()
        return path

    def command(self, *argv: str | Path) -> list[str]:
        """Give the full command line that runs `argv` on this host."""
        binds = [str(part) for source, target in self._binds for part in (source, target)]
        enter = ["ip", "netns", "exec", self.namespace, "sh", "-c", _ENTER, "host"]
        return [*enter, str(len(self._binds)), *binds, *map(str, argv)]

    def run(
        self,
        *argv: str | Path,
        stdin: str = "",
        seconds: float = 30,
        environment: Mapping[str, str] | None = None,
        may_fail: bool = False,
    ) -> str:
        """Run a command to its end and give its standard output.

        Raises
        ------
        TestbedError
            If it fails (unless `may_fail`) or takes longer than `seconds`.
        """
        try:
            done = subprocess.run(
                self.command(*argv),
                input=stdin,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=seconds,
                cwd=self.folder,
                env={**os.environ, **(environment or {})},
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise TestbedError(f"{self.role}: `{_shown(argv)}` took longer than {seconds:g} s") from error
        if done.returncode and not may_fail:
            said = (done.stdout + done.stderr)[-_TAIL:]
            raise TestbedError(f"{self.role}: `{_shown(argv)}` failed with exit code {done.returncode}:\n{said}")
        return done.stdout

    def start(self, name: str, *argv: str | Path, environment: Mapping[str, str] | None = None) -> Daemon:
        """Start a command in the background."""
        log = self.folder / f"{name}.log"
        with log.open("wb") as sink:
            process = subprocess.Popen(
                self.command(*argv),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={**os.environ, **(environment or {})},
            )
        daemon = Daemon(f"{self.role}: {name}", process, log)
        self._daemons.append(daemon)
        return daemon

    def stop_all(self) -> None:
        """Stop every daemon that was started here, the last one first."""
        while self._daemons:
            self._daemons.pop().stop(seconds=5)


def _shown(argv: tuple[str | Path, ...]) -> str:
    return " ".join(map(str, argv))

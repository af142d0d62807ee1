"""Records what passes the router, with tcpdump (pcap, micro- or nanoseconds) or dumpcap (pcapng)."""

from __future__ import annotations

import signal
from pathlib import Path

from .host import Daemon, Host
from .network import TAP
from .packets import without_machine_facts

__all__ = ["Recorder"]

_COMMANDS = {
    "pcap": ("tcpdump", "-i", TAP, "-n", "-U", "--immediate-mode", "-s", "0", "-B", "16384", "-Z", "root", "-w"),
    "pcap-nano": (
        *("tcpdump", "-i", TAP, "-n", "-U", "--immediate-mode", "-s", "0", "-B", "16384", "-Z", "root"),
        *("--time-stamp-precision=nano", "-w"),
    ),
    "pcapng": ("dumpcap", "-i", TAP, "-q", "-n", "-s", "0", "-B", "16", "-w"),
}
_READY = {"pcap": "listening on", "pcap-nano": "listening on", "pcapng": "File:"}


class Recorder:
    """A running recording of all packets that pass the router's interface towards the client.

    Parameters
    ----------
    router : Host
        Where to listen.
    format : str
        A key of ``scenario.FORMATS``.
    file : Path
        The capture to write.
    """

    def __init__(self, router: Host, format: str, file: Path) -> None:
        self._file = file
        self._format = format
        self.command = " ".join((*_COMMANDS[format], file.name))
        self._daemon: Daemon = router.start("recorder", *_COMMANDS[format], file)
        self._daemon.wait_for(_READY[format])

    def stop(self) -> None:
        """End the recording; the file is complete afterwards."""
        self._daemon.stop(signal.SIGINT)
        if self._format == "pcapng":
            self._file.write_bytes(without_machine_facts(self._file.read_bytes()))

"""Records what passes a host's interface, with tcpdump (pcap, micro- or nanoseconds) or dumpcap (pcapng)."""

from __future__ import annotations

import signal
from pathlib import Path

from .host import Daemon, Host
from .packets import without_machine_facts

__all__ = ["Recorder"]

_TCPDUMP = ("tcpdump", "-n", "-U", "--immediate-mode", "-B", "16384", "-Z", "root")
_COMMANDS = {
    "pcap": (*_TCPDUMP, "-w"),
    "pcap-nano": (*_TCPDUMP, "--time-stamp-precision=nano", "-w"),
    "pcapng": ("dumpcap", "-q", "-n", "-B", "16", "-w"),
}
_READY = {"pcap": "listening on", "pcap-nano": "listening on", "pcapng": "File:"}


class Recorder:
    """A running recording of all packets that pass an interface; `wait` before there are any.

    Parameters
    ----------
    host : Host
        Where to listen.
    interface : str
        On what.
    format : str
        A key of ``scenario.FORMATS``.
    file : Path
        The capture to write.
    snaplen : int
        Octets to keep of a frame; 0: all.
    """

    def __init__(self, host: Host, interface: str, format: str, file: Path, *, snaplen: int = 0) -> None:
        self.file = file
        self._format = format
        name, *others = _COMMANDS[format]
        command = (name, "-i", interface, "-s", str(snaplen), *others)
        self.command = " ".join((*command, file.name))
        self._daemon: Daemon = host.start("recorder", *command, file)

    def wait(self) -> None:
        """Wait until it listens."""
        self._daemon.wait_for(_READY[self._format])

    def stop(self) -> None:
        """End the recording; the file is complete afterwards."""
        self._daemon.stop(signal.SIGINT)
        if self._format == "pcapng":
            self.file.write_bytes(without_machine_facts(self.file.read_bytes()))

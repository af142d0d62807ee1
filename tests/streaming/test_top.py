"""The dashboard: what stands on it at several sizes, what is hostile in it, and the terminal before and after."""

from __future__ import annotations

import errno
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections import Counter
from datetime import UTC, datetime
from fcntl import ioctl
from pathlib import Path
from typing import Any

import pytest
from capture_files import exchange, pcap
from conftest import ROOT
from rich.cells import cell_len
from running import live

from flowclass.cli.dashboard import Violation, screen
from flowclass.service.status import SinkStatus, Status
from flowclass.types import Balance, CaptureCounters

ROW: dict[str, Any] = {
    "time_start": datetime(2026, 11, 30, 12, 34, 56, tzinfo=UTC),
    "src_ip": "2001:db8::1",
    "src_port": 40_000,
    "dst_ip": "192.0.2.1",
    "dst_port": 51_820,
    "protocol": "wireguard",
    "tier": "confirmed",
    "policy_outcome": "violation",
    "policy_reason": "not_registered",
}


def status(**facts: Any) -> Status:
    usual: dict[str, Any] = {
        "moment_s": 3_725.0,
        "began_s": 0.0,
        "balance": Balance(packets_read=10_000, bytes_read=8_000_000, packets_skipped={"malformed": 7}),
        "captured": {"eth0": CaptureCounters(received=10_100, handed_on=10_000, kernel_dropped=90)},
        "ended": {"idle": 40, "evicted": 2},
        "alive": 1_234,
        "table_bytes": 1 << 29,
        "memcap": 1 << 30,
        "groups": Counter(
            {
                ("vpn", "wireguard", None, "confirmed", "unregistered", "violation"): 3,
                ("vpn", "openvpn", "udp", "probable", "registered", "allow"): 2,
                ("app", "dns", None, "confirmed", "unregistered", "not_applicable"): 37,
            }
        ),
        "lag_s": 1.26,
        "policy_sha256": "0" * 64,
        "sinks": (SinkStatus(kind="file", delivered=42),),
    }
    return Status(**(usual | facts))


def lines(size: tuple[int, int], *, violations: int = 3, word: str = "", name: str = "eth0", **facts: Any) -> list[str]:
    before = status(moment_s=3_724.0, balance=Balance(packets_read=9_000, bytes_read=7_000_000))
    listed = [Violation.of({**ROW, "src_port": 40_000 + number}) for number in range(violations)]
    shown = screen(status(**facts), before, listed, size=size, name=name, word=word)
    out = shown.plain.split("\n")
    assert len(out) == size[1]
    assert max(map(cell_len, out)) <= size[0]
    return out


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (120, 40), (160, 50), (60, 16)])
def test_what_stands_there(size: tuple[int, int]) -> None:
    text = "\n".join(lines(size))
    assert "flowclass live eth0   01:02:05   1.3 s behind the clock" in text
    assert "1,000/s, 8.0 Mbit/s; 10,000 read, 7 skipped" in text
    assert "eth0: 90 by the kernel, 0 before; 10 wait" in text
    assert "1,234 in the table, 42 ended, 2 evicted" in text
    assert "[##########..........]  50% of 1.0 GiB" in text
    assert re.search(r"vpn +wireguard +3 +3", text)
    assert text.index("openvpn") < text.index("dns"), "VPNs before all others, however many these are"
    assert "violation 3" in text
    assert "12:34:56 wireguard confirmed [2001:db8::1]:40002 > 192.0.2.1:51820"[: size[0]] in text
    assert text.index(":40002") < text.index(":40001"), "the newest first"


def test_many_interfaces_and_protocols_leave_room_for_violations() -> None:
    groups = Counter(
        {("app", f"app{number}", None, "confirmed", None, "violation"): number for number in range(1, 100)}
    )
    captured = {f"eth{number}": CaptureCounters() for number in range(6)}
    text = "\n".join(lines((80, 24), groups=groups, captured=captured, violations=50))
    assert "app99" in text
    assert text.count("wireguard confirmed") >= 2


def test_without_a_registry_there_is_no_word_of_it() -> None:
    text = "\n".join(lines((80, 24), policy_sha256="", violations=0))
    assert "outcomes" not in text
    assert "violation" not in text


def test_names_from_outside_are_text_and_nothing_else() -> None:
    hostile = "\x1b[2J\r\n[red]x[/red]\u202e\x9b31m\x00"
    row = {**ROW, "protocol": hostile, "policy_reason": hostile, "src_ip": hostile}
    shown = screen(
        status(captured={hostile: CaptureCounters()}),
        None,
        [Violation.of(row)],
        size=(160, 50),
        name=hostile,
        word=hostile,
    )
    assert len(shown.plain.split("\n")) == 50
    assert {char for char in shown.plain if not char.isprintable()} == {"\n"}
    assert "[red]x[/red]" in shown.plain, "no markup either"
    wide = lines((80, 24), name="\u6f22" * 100)
    assert cell_len(wide[0]) <= 80


class Terminal:
    """A terminal of a size, and what was written to it."""

    def __init__(self, columns: int = 80, rows: int = 24) -> None:
        self._ours, self.theirs = pty.openpty()
        ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.text = ""

    def read(self, until: str = "", seconds: float = 60.0) -> str:
        """Read until something stood there, or the other end was closed."""
        end = time.monotonic() + seconds
        while until not in self.text or not until:
            assert time.monotonic() < end, self.text
            if select.select([self._ours], [], [], 0.2)[0]:
                try:
                    self.text += os.read(self._ours, 65536).decode(errors="replace")
                except OSError as problem:  # Linux: nobody has the terminal open any more, pty(7)
                    if problem.errno != errno.EIO:
                        raise
                    return self.text
        return self.text

    def close(self) -> None:
        """Close our end."""
        os.close(self._ours)


def run(terminal: Terminal, *args: str | Path, term: str = "xterm", **how: Any) -> subprocess.Popen[bytes]:
    process = live(*args, "--top", stderr=terminal.theirs, stdin=subprocess.PIPE, env={"TERM": term}, **how)
    os.close(terminal.theirs)
    return process


ENTER, LEAVE, HIDE, SHOW = "\x1b[?1049h", "\x1b[?1049l", "\x1b[?25l", "\x1b[?25h"


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_the_terminal_is_given_back(tmp_path: Path, ending: signal.Signals) -> None:
    terminal = Terminal()
    sample = ROOT / "datasets" / "registry"
    judged = ["--registry", sample / "sample.csv", "--policy", sample / "policy.toml"]
    process = run(terminal, "-", "-o", tmp_path / "flows.jsonl", *judged)
    assert process.stdin is not None
    process.stdin.write(pcap(exchange(20)))
    process.stdin.flush()
    terminal.read("20 read, 0 skipped")
    process.send_signal(ending)
    text = terminal.read()
    assert process.wait(timeout=60) == 128 + ending
    process.stdin.close()
    terminal.close()
    assert text.count(ENTER) == text.count(LEAVE) == 1
    assert text.index(ENTER) < text.index("20 read, 0 skipped") < text.index(LEAVE)
    assert text.rindex(SHOW) > text.rindex(HIDE)
    assert "balance" in text[text.index(LEAVE) :], "the summary stands below what was there before"
    assert len((tmp_path / "flows.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("args", "term", "words"),
    [
        (("-",), "xterm", "--top draws on the terminal that the flows would go to"),
        (("-", "-o", "-"), "xterm", "--top draws on the terminal that the flows would go to"),
        (("-", "--table", "-o", "flows.jsonl"), "xterm", "--top draws on the terminal that the flows would go to"),
        (("-", "--verdicts", "-", "-o", "f.jsonl"), "xterm", "--top draws on the terminal that the flows would go to"),
        (("-", "-o", "flows.jsonl"), "dumb", "standard error is none that can be drawn on"),
    ],
)
def test_where_it_cannot_be_drawn(tmp_path: Path, args: tuple[str, ...], term: str, words: str) -> None:
    terminal = Terminal(columns=200)
    process = run(terminal, *args, term=term, stdout=terminal.theirs, cwd=tmp_path)
    text = terminal.read()
    assert process.wait(timeout=60) == 2
    assert process.stdin is not None
    process.stdin.close()
    terminal.close()
    assert words in re.sub(r"\s+", " ", text)
    assert ENTER not in text


def test_without_a_terminal_it_is_refused(tmp_path: Path) -> None:
    process = live("-", "--top", "-o", tmp_path / "flows.jsonl", stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert b"--top draws on a terminal" in said


def test_a_terminal_that_stands_still_holds_up_nothing(tmp_path: Path) -> None:
    terminal = Terminal(columns=300, rows=200)  # a screen of which is more than the kernel holds
    process = run(terminal, "-", "-o", tmp_path / "flows.jsonl", "-q")
    assert process.stdin is not None
    process.stdin.write(pcap(exchange(20)))
    time.sleep(3)
    process.stdin.close()
    assert process.wait(timeout=60) == 0
    terminal.close()
    assert len((tmp_path / "flows.jsonl").read_text().splitlines()) == 1

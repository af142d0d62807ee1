"""Names that want to run somewhere, from the wire and of files, to each output: spreadsheet, terminal, page, JSON."""

from __future__ import annotations

import csv
import io
import json
import struct
import unicodedata
from pathlib import Path

import pytest
from capture_files import START_NS, pcap, udp_frame
from conftest import Command

NAMES = (
    b"plain.example",
    b"=HYPERLINK(1)",
    b"+1+cmd",
    b"-2+3",
    b"@SUM(1)",
    b"\x1b[2J\x1b]0;owned\x07",
    b"<script>alert(1)</script>",
    b"'\"><img src=x onerror=alert(1)>",
    b"{{7*7}}\r\nInjected: 1",
    b"\xff\xfe\xc0\x80",
    b"a\0b",
    "\u202egnp.exe".encode(),
)


def client_hello(name: bytes) -> bytes:
    """Give a TLS ClientHello in one record (RFC 8446 §4.1.2, RFC 6066 §3)."""
    entry = struct.pack(">BH", 0, len(name)) + name
    server = struct.pack(">HHH", 0, len(entry) + 2, len(entry)) + entry
    body = b"\x03\x03" + bytes(32) + b"\0" + struct.pack(">HHBB", 2, 0x1301, 1, 0)
    body += struct.pack(">H", len(server)) + server
    shake = b"\x01" + struct.pack(">I", len(body))[1:] + body
    return b"\x16\x03\x01" + struct.pack(">H", len(shake)) + shake


def frame(payload: bytes, port: int) -> bytes:
    tcp = struct.pack(">HHIIBBHHH", port, 443, 1, 1, 0x50, 0x18, 1024, 0, 0)
    whole = bytearray(udp_frame("10.0.0.1", port, "10.0.0.2", 443, tcp + payload))
    whole[23] = 6  # TCP, and no UDP header before it
    del whole[34:42]
    whole[16:18] = struct.pack(">H", len(whole) - 14)
    return bytes(whole)


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a capture of one hello a name, in a file that has such a name itself."""
    monkeypatch.chdir(tmp_path)
    path = Path("=1+1\x1b[2J<img src=x onerror=alert(1)>.pcap")
    path.write_bytes(pcap([(START_NS + n, frame(client_hello(name), 40_000 + n)) for n, name in enumerate(NAMES)]))
    return path


def harmless(text: str) -> bool:
    """Say whether no letter of a text steers a terminal."""
    return not any(unicodedata.category(letter) == "Cc" and letter not in "\n\t" for letter in text)


def test_csv_has_no_formulas_and_no_control_characters(
    hostile: Path, tmp_path: Path, flowclass_command: Command
) -> None:
    out = tmp_path / "flows.csv"
    assert flowclass_command("classify", hostile, "-o", out, "-q").code == 0
    text = out.read_bytes().decode("utf-8")
    assert harmless(text.replace("\r\n", "\n"))
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert len(rows) == len(NAMES)
    assert {row["server_name"] for row in rows} == {"plain.example", ""}, "what is no name of a host is no text"
    assert {row["source_file"] for row in rows} == {"'=1+1[2J<img src=x onerror=alert(1)>.pcap"}
    assert not any(value.startswith(("=", "+", "@", "\t")) for row in rows for value in row.values())


def test_json_lines_are_json_and_one_a_flow(hostile: Path, tmp_path: Path, flowclass_command: Command) -> None:
    out = tmp_path / "flows.jsonl"
    assert flowclass_command("classify", hostile, "-o", out, "-q").code == 0
    lines = out.read_bytes().split(b"\n")[:-1]
    assert len([json.loads(line) for line in lines]) == len(NAMES)
    assert not any(octet < 0x20 for line in lines for octet in line)


def test_table_and_report_do_not_steer_the_terminal_or_the_page(
    hostile: Path, tmp_path: Path, flowclass_command: Command
) -> None:
    out, page = tmp_path / "flows.parquet", tmp_path / "report.html"
    done = flowclass_command("classify", hostile, "-o", out, "--table")
    assert done.code == 0
    assert harmless(done.out)
    assert harmless(done.err)
    assert harmless(flowclass_command("report", out).out)
    assert flowclass_command("report", out, "-o", page).code == 0
    html = page.read_text()
    assert "<script>alert" not in html
    assert "<img src=x" not in html

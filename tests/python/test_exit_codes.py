"""Cut, empty, garbage, zero-filled, wrong-format, unreadable and missing inputs: a sentence and an exit code each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from capture_files import ETHERNET, exchange, pcap, pcapng
from conftest import Command

GOOD = pcap(exchange())

# What stands in the file, the exit code, and words that the sentence must have.
BROKEN = {
    "cut_in_last_record": (GOOD[:-5], 3, ["ends", "all packets before that were used"]),
    "cut_pcapng": (pcapng(exchange())[:-7], 3, ["ends", "all packets before that were used"]),
    "cut_in_file_header": (GOOD[:10], 4, ["10"]),
    "empty": (b"", 4, ["capture again"]),
    "garbage": (bytes(range(256)) * 16, 4, ["give pcap or pcapng"]),
    "zero_filled": (bytes(65536), 4, ["give pcap or pcapng"]),
    "text": (b"time,src,dst\n1,2,3\n" * 50, 4, ["give pcap or pcapng"]),
    "wrong_format": (b"snoop\0\0\0" + bytes(1000), 4, ["snoop", "editcap"]),
    "garbled_record": (GOOD + b"\xff" * 64, 3, ["all packets before that were used"]),
    "unknown_link_type": (pcap(exchange(), link_type=147), 4, ["link_type_147"]),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_input(name: str, tmp_path: Path, flowclass_command: Command) -> None:
    content, code, words = BROKEN[name]
    path = tmp_path / f"{name}.pcap"
    path.write_bytes(content)
    ended = flowclass_command("classify", path, "-o", tmp_path / "flows.jsonl")
    assert ended.code == code
    line = next(line for line in ended.err.splitlines() if line.startswith(f"  {path}:"))
    for word in words:
        assert word in line
    assert "Traceback" not in ended.err
    assert ended.out == ""
    flows = (tmp_path / "flows.jsonl").read_text().splitlines()
    assert len(flows) == (1 if code == 3 else 0)


@pytest.mark.parametrize("name", BROKEN)
def test_broken_beside_good(name: str, tmp_path: Path, flowclass_command: Command) -> None:
    (tmp_path / "good.pcap").write_bytes(pcap(exchange(client="10.9.9.9")))
    (tmp_path / "broken.pcap").write_bytes(BROKEN[name][0])
    ended = flowclass_command(tmp_path / "good.pcap", tmp_path / "broken.pcap", "-o", tmp_path / "flows.jsonl")
    assert ended.code == 3
    assert "10.9.9.9" in (tmp_path / "flows.jsonl").read_text()


def test_all_read(tmp_path: Path, flowclass_command: Command) -> None:
    (tmp_path / "good.pcap").write_bytes(GOOD)
    ended = flowclass_command("classify", tmp_path / "good.pcap")
    assert ended.code == 0
    assert "4 packets read = 4 in flows + 0 skipped" in ended.err
    assert len(ended.out.splitlines()) == 1


def test_no_packets_is_read_to_the_end(tmp_path: Path, flowclass_command: Command) -> None:
    (tmp_path / "none.pcap").write_bytes(pcap([]))
    ended = flowclass_command("classify", tmp_path / "none.pcap")
    assert (ended.code, ended.out) == (0, "")


def test_missing_file(tmp_path: Path, flowclass_command: Command) -> None:
    ended = flowclass_command("classify", tmp_path / "nowhere.pcap")
    assert ended.code == 4
    assert "nowhere.pcap: cannot be read: no such file or directory; check the name" in ended.err


def test_missing_beside_good(tmp_path: Path, flowclass_command: Command) -> None:
    (tmp_path / "good.pcap").write_bytes(GOOD)
    ended = flowclass_command(tmp_path / "good.pcap", tmp_path / "nowhere.pcap")
    assert ended.code == 3
    assert "nowhere.pcap" in ended.err


def test_unreadable_file(tmp_path: Path, flowclass_command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret.pcap"
    path.write_bytes(GOOD)
    if os.geteuid() == 0:  # root may read all: let the system call say what it says to others
        real = Path.open

        def refuse(self: Path, *args: object, **kwargs: object) -> object:
            if self == path:
                raise PermissionError(13, "Permission denied")
            return real(self, *args, **kwargs)  # type: ignore[call-overload]

        monkeypatch.setattr(Path, "open", refuse)
    else:
        path.chmod(0)
    ended = flowclass_command("classify", path)
    assert ended.code == 4
    assert "secret.pcap: cannot be read: permission denied; ask for the right to read it" in ended.err


def test_folder_without_captures(tmp_path: Path, flowclass_command: Command) -> None:
    (tmp_path / "notes.txt").write_text("no capture")
    ended = flowclass_command("classify", tmp_path)
    assert ended.code == 4
    assert "none of the 1 files found is a capture" in ended.err


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--threads", "0"], "1<=x<=256"),
        (["--no-such-option"], "No such option"),
        (["--format", "xlsx"], "xlsx"),
        (["--memcap", "many"], "no size"),
        (["--idle-timeout", "5"], "no duration"),
        (["-o", "flows.xyz"], "does not say a format"),
    ],
)
def test_usage(args: list[str], words: str, tmp_path: Path, flowclass_command: Command) -> None:
    (tmp_path / "good.pcap").write_bytes(GOOD)
    ended = flowclass_command("classify", tmp_path / "good.pcap", *args)
    assert ended.code == 2
    assert words in ended.err


def test_memcap_out_of_range(tmp_path: Path, flowclass_command: Command) -> None:
    (tmp_path / "good.pcap").write_bytes(GOOD)
    ended = flowclass_command("classify", tmp_path / "good.pcap", "--memcap", "5")
    assert ended.code == 5
    assert "memcap = 5" in ended.err


@pytest.mark.parametrize("option", ["--registry", "--policy"])
def test_registry_and_policy_not_valid(option: str, tmp_path: Path, flowclass_command: Command) -> None:
    (tmp_path / "good.pcap").write_bytes(GOOD)
    wrong = tmp_path / ("wrong.csv" if option == "--registry" else "wrong.toml")
    wrong.write_text("this = is = nothing\n")
    ended = flowclass_command("classify", tmp_path / "good.pcap", option, wrong, "-o", tmp_path / "flows.parquet")
    assert ended.code == 5
    assert str(wrong) in ended.err
    assert not (tmp_path / "flows.parquet").exists()


@pytest.mark.parametrize("form", ["parquet", "jsonl", "csv", "arrow"])
def test_output_failed(form: str, tmp_path: Path, flowclass_command: Command) -> None:
    (tmp_path / "good.pcap").write_bytes(GOOD)
    ended = flowclass_command("classify", tmp_path / "good.pcap", "-o", tmp_path / "nowhere" / f"flows.{form}")
    assert ended.code == 6
    assert "cannot be written: no such file or directory; make the folder first" in ended.err


@pytest.mark.parametrize("form", ["parquet", "jsonl", "csv", "arrow"])
def test_disk_full(form: str, tmp_path: Path, flowclass_command: Command) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    (tmp_path / "good.pcap").write_bytes(GOOD)
    ended = flowclass_command("classify", tmp_path / "good.pcap", "-o", full, "--format", form)
    assert ended.code == 6
    assert "/dev/full: cannot be written: no space left on device" in ended.err


def test_internal_error_is_a_sentence(
    tmp_path: Path, flowclass_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flowclass.pipeline.batch import Run

    def fail(self: Run) -> Iterator[Any]:
        yield from ()
        raise RuntimeError("boom")

    monkeypatch.setattr(Run, "batches", fail)
    (tmp_path / "good.pcap").write_bytes(GOOD)
    ended = flowclass_command("classify", tmp_path / "good.pcap", "-o", tmp_path / "flows.parquet")
    assert ended.code == 1
    assert "RuntimeError: boom" in ended.err
    assert "Traceback" not in ended.err
    assert [path.name for path in tmp_path.iterdir()] == ["good.pcap"]
    with pytest.raises(RuntimeError):
        flowclass_command("classify", tmp_path / "good.pcap", "--debug")


def test_fail_on_violation(captures: Path, flowclass_command: Command, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('[[phase]]\nname = "enforce"\nfrom = 2020-01-01\noutcome = "violation"\n')
    registry = tmp_path / "registry.csv"
    registry.write_text("registration_id,category,status,prefix\nORG-1,organization,approved,192.0.2.0/24\n")
    one = next(captures.glob("wireguard-*.pcap*"))
    args = ["classify", one, "--registry", registry, "--policy", policy, "-o", tmp_path / "flows.parquet"]
    assert flowclass_command(*args).code == 0
    assert flowclass_command(*args, "--fail-on-violation").code == 10
    assert (tmp_path / "flows.parquet").exists()


def test_link_types_in_the_builder_are_ethernet() -> None:
    assert GOOD[20] == ETHERNET

"""A registry that is broken, changes while it is read or fails its hash is refused, and what was there before stays."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Command

from flowclass.errors import RegistryError
from flowclass.registries import source
from flowclass.registry import Registry

SAMPLE = ROOT / "datasets" / "registry" / "sample.csv"
CAPTURE = ROOT / "datasets" / "captures" / "wireguard-udp-443.pcapng"


@pytest.fixture
def snapshot(tmp_path: Path, flowclass_command: Command) -> Path:
    """Give a good snapshot."""
    path = tmp_path / "registry.fcr"
    built = flowclass_command("registry", "build", SAMPLE, "-o", path, "--built-at", "2026-11-24")
    assert built.code == 0, built.err
    return path


def broken_row(path: Path, good: bytes) -> None:
    del good
    path.write_text(SAMPLE.read_text() + "ORG-X,organization,aproved,8.8.8.8,,,,,,\n")


def cut(path: Path, good: bytes) -> None:
    path.write_bytes(good[:-100])


def flipped(path: Path, good: bytes) -> None:
    """One bit in the middle: all that the header says still holds, the hash does not."""
    changed = bytearray(good)
    changed[len(good) // 2] ^= 1
    path.write_bytes(changed)


def empty(path: Path, good: bytes) -> None:
    del good
    path.write_bytes(b"")


def other(path: Path, good: bytes) -> None:
    del good
    path.write_bytes(b"\x00" * 4096)


BAD: list[tuple[str, Callable[[Path, bytes], None], str]] = [
    ("bad.csv", broken_row, "status = 'aproved' error"),
    ("bad.fcr", cut, "registry snapshot is refused"),
    ("bad.fcr", flipped, "its SHA-256 is"),
    ("bad.fcr", empty, "it is empty"),
    ("bad.fcr", other, "registry snapshot is refused"),
]
NAMES = ("broken row", "cut", "hash", "empty", "no registry")


@pytest.mark.parametrize(("name", "spoil", "words"), BAD, ids=NAMES)
def test_at_build(
    name: str, spoil: Callable[[Path, bytes], None], words: str, snapshot: Path, flowclass_command: Command
) -> None:
    good = snapshot.read_bytes()
    bad = snapshot.parent / name
    spoil(bad, good)
    refused = flowclass_command("registry", "build", bad, "-o", snapshot)
    assert refused.code == 5
    assert words in refused.err
    assert snapshot.read_bytes() == good
    assert sorted(path.name for path in snapshot.parent.iterdir()) == sorted([name, "registry.fcr"])


@pytest.mark.parametrize("command", ["classify", "judge"])
@pytest.mark.parametrize("kind", BAD, ids=NAMES)
def test_at_classify_and_judge(
    kind: tuple[str, Callable[[Path, bytes], None], str], command: str, snapshot: Path, flowclass_command: Command
) -> None:
    name, spoil, words = kind
    folder = snapshot.parent
    run, flows, bad = folder / "run.parquet", folder / "flows.parquet", folder / name
    assert flowclass_command("classify", CAPTURE, "-o", run, "-q", "--registry", snapshot).code == 0
    flows.write_bytes(run.read_bytes())
    spoil(bad, snapshot.read_bytes())
    given = CAPTURE if command == "classify" else run
    refused = flowclass_command(command, given, "-o", flows, "--registry", bad)
    assert refused.code == 5
    assert refused.out == ""
    assert words in refused.err
    assert flows.read_bytes() == run.read_bytes(), "the run before stays"
    assert not [path for path in folder.iterdir() if path.name.startswith(".tmp")]


@pytest.mark.parametrize("command", ["build", "classify"])
def test_a_list_that_changes_while_it_is_read(
    command: str, snapshot: Path, flowclass_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, listed, flows = snapshot.read_bytes(), snapshot.parent / "list.csv", snapshot.parent / "flows.jsonl"
    listed.write_bytes(SAMPLE.read_bytes())
    flows.write_text("the run before")
    read, grown = os.read, list[bool]()

    def growing(descriptor: int, count: int) -> bytes:
        octets = read(descriptor, count)
        if not grown:
            grown.append(True)
            with listed.open("ab") as file:
                file.write(b"ORG-X,organization,approved,8.8.8.8,,,,,,\n")
        return octets

    monkeypatch.setattr(source.os, "read", growing)
    options: dict[str, list[Any]] = {
        "build": ["registry", "build", listed, "-o", snapshot],
        "classify": ["classify", CAPTURE, "-o", flows, "--registry", listed],
    }
    refused = flowclass_command(*options[command])
    assert refused.code == 5
    assert "the file changed while it was read" in refused.err
    assert snapshot.read_bytes() == good
    assert flows.read_text() == "the run before"


def test_a_source_that_changes_between_its_hash_and_its_reading(
    snapshot: Path, flowclass_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A snapshot says which octets it was made of: those, and no others."""
    good, listed = snapshot.read_bytes(), snapshot.parent / "list.csv"
    listed.write_bytes(SAMPLE.read_bytes())
    load = Registry.load

    def replaced(path: Path, **options: Any) -> Registry:
        made = load(path, **options)
        listed.write_bytes(SAMPLE.read_bytes() + b"ORG-X,organization,approved,8.8.8.8,,,,,,\n")
        return made

    monkeypatch.setattr(Registry, "load", replaced)
    refused = flowclass_command("registry", "build", listed, "-o", snapshot)
    assert (refused.code, "was changed while it was read" in refused.err) == (5, True)
    assert snapshot.read_bytes() == good


@pytest.mark.parametrize(("name", "spoil", "words"), BAD[1:], ids=NAMES[1:])
def test_a_registry_in_use_outlives_what_takes_its_place(
    name: str, spoil: Callable[[Path, bytes], None], words: str, snapshot: Path
) -> None:
    """Whoever has it open keeps answering by it; the new one is refused, and tried again when it is good."""
    good = snapshot.read_bytes()
    held = Registry.load(snapshot)
    before = held.lookup(["203.0.113.51", "198.51.100.20"], at="2026-11-23")
    spoil(snapshot.parent / name, good)
    (snapshot.parent / name).replace(snapshot)
    with pytest.raises(RegistryError, match=words):
        Registry.load(snapshot)
    assert held.lookup(["203.0.113.51", "198.51.100.20"], at="2026-11-23") == before
    fresh = snapshot.parent / "fresh.fcr"
    fresh.write_bytes(good)
    fresh.replace(snapshot)
    assert Registry.load(snapshot).version == held.version


def test_a_pipe_is_not_built_from(tmp_path: Path, flowclass_command: Command) -> None:
    """Its octets are there once, and the hash of what was read needs them again."""
    reading, writing = os.pipe()
    os.write(writing, SAMPLE.read_bytes())
    os.close(writing)
    ended = flowclass_command("registry", "build", f"/dev/fd/{reading}", "-o", tmp_path / "r.fcr")
    os.close(reading)
    assert (ended.code, "this is a pipe; save it as a file" in ended.err) == (5, True)
    assert not list(tmp_path.iterdir())

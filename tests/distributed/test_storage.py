"""Places on file systems of all kinds: what is listed, and what of a URL is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

import flowclass
from flowclass.distributed.piece import plan
from flowclass.distributed.storage import Folder, list_files, shown


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a/1.pcap", "a/2.pcap", "b/3.pcap", "b/.hidden/4.pcap", "_temporary/5.pcap"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 3)
    return tmp_path


def test_a_folder_by_its_url(folder: Path) -> None:
    found = list_files(f"file://{folder}")
    assert found == [(f"file://{folder}/{name}.pcap", 3) for name in ("a/1", "a/2", "b/3")]


def test_one_file_and_a_pattern(folder: Path) -> None:
    assert list_files(f"file://{folder}/a/1.pcap") == [(f"file://{folder}/a/1.pcap", 3)]
    assert list_files(f"file://{folder}/*/2.pc*p") == [(f"file://{folder}/a/2.pcap", 3)]


def test_nothing_is_there(folder: Path) -> None:
    with pytest.raises(flowclass.SourceError, match="no file is there"):
        list_files(f"file://{folder}/c")
    with pytest.raises(flowclass.ConfigError, match="no such file system"):
        list_files("gopher://somewhere/a")
    planned = plan([f"file://{folder}/c", folder / "a"], capture_point="/([a-z])/", range_octets=None)
    assert len(planned.problems) == 1


def test_credentials_are_not_shown() -> None:
    assert shown("s3://key:secret@bucket/a/b.pcap?endpoint_override=h:1&scheme=http") == "s3://bucket/a/b.pcap"
    assert shown("s3://bucket/a@b.pcap") == "s3://bucket/a@b.pcap"


def _fail_half_way(path: Path) -> None:
    path.write_bytes(b"half")
    raise RuntimeError


def test_a_file_appears_whole_on_a_far_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder(f"file://{tmp_path}/out")
    monkeypatch.setattr(folder, "_local", False)
    folder.make("inner")
    with folder.new_file("inner/a.bin") as path:
        path.write_bytes(b"whole")
    with pytest.raises(RuntimeError), folder.new_file("inner/b.bin") as path:
        _fail_half_way(path)
    assert folder.names() == ["inner"]
    assert [each.name for each in (tmp_path / "out" / "inner").iterdir()] == ["a.bin"]
    assert folder.local_copy("inner/a.bin").read_bytes() == b"whole"
    folder.remove("inner")
    assert folder.names() == []

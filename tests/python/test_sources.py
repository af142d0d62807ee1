"""Where packets come from: compression by content, folders, globs, lists, order, changing files."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from capture_files import START_NS, exchange, pcap, pcapng
from conftest import Command

from flowclass.errors import SourceError
from flowclass.sources import SLICE, Octets
from flowclass.sources.compression import MOST_RATIO, codec_of, slices
from flowclass.sources.file import FileSource, find
from flowclass.sources.stream import MemorySource, StreamSource

# Long enough for several steps of decompression, of octets that do not compress to nothing.
CONTENT = pcap([(START_NS + n, bytes((n * k * 37 + (k * k >> 3)) & 0xFF for k in range(600))) for n in range(600)])


def _arrow(codec: str) -> Callable[[bytes], bytes]:
    def compress(data: bytes) -> bytes:
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, codec) as stream:
            stream.write(data)
        return bytes(sink.getvalue().to_pybytes())

    return compress


CODECS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "zst": _arrow("zstd"),
    "lz4": _arrow("lz4"),
    "bz2": bz2.compress,
    "xz": lzma.compress,
}


def _until_failure(pieces: Iterator[Octets], match: str) -> bytes:
    """Give what comes before the SourceError that must come."""
    got = bytearray()

    def take() -> None:
        for piece in pieces:
            got.extend(piece)

    with pytest.raises(SourceError, match=match):
        take()
    return bytes(got)


def _read(source: FileSource | MemorySource | StreamSource) -> bytes:
    return b"".join(bytes(piece) for piece in source.slices())


@pytest.mark.parametrize("codec", CODECS)
def test_codec_is_known_by_content(codec: str, tmp_path: Path) -> None:
    compressed = CODECS[codec](CONTENT)
    assert codec_of(compressed) == codec
    path = tmp_path / "capture.pcap"  # the name says nothing of the compression
    path.write_bytes(compressed)
    assert _read(FileSource(path)) == CONTENT
    assert _read(MemorySource(compressed)) == CONTENT
    assert bytes(FileSource(path).prefix() or b"") == CONTENT[: 512 << 10]
    with path.open("rb") as stream:
        source = StreamSource(stream)
        assert bytes(source.prefix() or b"")[:1000] == CONTENT[:1000]
        assert _read(source) == CONTENT


@pytest.mark.parametrize("codec", CODECS)
def test_a_damaged_file_among_others_stands_where_it_begins(codec: str, tmp_path: Path) -> None:
    import flowclass

    early, late, hopeless = tmp_path / "c.pcap", tmp_path / "b.pcap", tmp_path / "a"
    late.write_bytes(pcap(exchange(3, start=START_NS + 10**12)))
    whole = CODECS[codec](CONTENT)
    early.write_bytes(whole + whole[:-40])
    hopeless.write_bytes(whole[:14] + b"\xff" * 40 + whole[54:])
    result = flowclass.classify([str(hopeless), str(late), str(early)])
    result.to_pyarrow()
    names = [Path(report.name).name for report in result.sources]
    assert names == ["c.pcap", "b.pcap", "a"]
    assert result.sources[0].packets >= 600
    assert [report.problem for report in result.sources][:2] == ["damaged", "none"]
    assert find([str(tmp_path)]).sources  # to look at it is no failure either


@pytest.mark.parametrize("codec", CODECS)
def test_many_members(codec: str) -> None:
    parts = [CONTENT[:1000], CONTENT[1000:150_000], CONTENT[150_000:]]
    assert _read(MemorySource(b"".join(CODECS[codec](part) for part in parts))) == CONTENT


@pytest.mark.parametrize(("outer", "inner"), [("gz", "zst"), ("xz", "gz"), ("zst", "bz2"), ("lz4", "xz")])
def test_nested_once(outer: str, inner: str) -> None:
    assert _read(MemorySource(CODECS[outer](CODECS[inner](CONTENT)))) == CONTENT


def test_skippable_zst_frame_first() -> None:
    skippable = bytes.fromhex("502a4d18") + (4).to_bytes(4, "little") + b"abcd"
    assert _read(MemorySource(skippable + CODECS["zst"](CONTENT))) == CONTENT


@pytest.mark.parametrize("codec", CODECS)
def test_cut_stream_gives_all_before_the_cut(codec: str, tmp_path: Path) -> None:
    compressed = CODECS[codec](CONTENT[:200_000]) + CODECS[codec](CONTENT[200_000:])
    path = tmp_path / "cut"
    path.write_bytes(compressed[:-20])
    got = _until_failure(FileSource(path).slices(), rf"{path.name}: the {codec} stream ends in its middle")
    assert CONTENT.startswith(got)
    assert len(got) >= 200_000


def test_damaged_stream(tmp_path: Path) -> None:
    compressed = bytearray(gzip.compress(CONTENT[:200_000]) + gzip.compress(CONTENT[200_000:]))
    compressed[-4] ^= 0xFF
    got = _until_failure(MemorySource(bytes(compressed)).slices(), "the gz stream is damaged")
    assert CONTENT.startswith(got)
    assert len(got) >= 200_000


def test_read_error_in_a_stream() -> None:
    class Failing:
        def __init__(self) -> None:
            self.left = [CONTENT[:70_000]]

        def read(self, size: int = -1, /) -> bytes:
            if not self.left:
                raise OSError(5, "Input/output error")
            data = self.left[0]
            taken, rest = data[:size], data[size:]
            self.left = [rest] if rest else []
            return taken

    got = _until_failure(slices(Failing()), "reading failed behind octet 70000: Input/output error")
    assert got == CONTENT[:70_000]


@pytest.mark.parametrize("codec", [*CODECS, "none"])
def test_wrong_suffix_gives_the_same_flows(codec: str, tmp_path: Path, flowclass_command: Command) -> None:
    plain = pcap(exchange(40))
    path = tmp_path / "capture.pcap.gz"  # whatever the content is
    path.write_bytes(plain if codec == "none" else CODECS[codec](plain))
    ended = flowclass_command(path, "-o", tmp_path / "flows.jsonl")
    assert ended.code == 0
    assert '"packets_fwd":20,"packets_rev":20' in (tmp_path / "flows.jsonl").read_text()


@pytest.mark.parametrize("codec", CODECS)
def test_cut_compressed_capture(codec: str, tmp_path: Path, flowclass_command: Command) -> None:
    path = tmp_path / "cut.pcap"
    tail = pcap(exchange(8, start=START_NS + 10**9))[24:]
    path.write_bytes(CODECS[codec](pcap(exchange(40))) + CODECS[codec](tail)[:-9])
    ended = flowclass_command(path, "-o", tmp_path / "flows.jsonl")
    assert ended.code == 3
    assert f"cut.pcap: the {codec} stream" in ended.err
    assert "packets before that were used" in ended.err
    flow = json.loads((tmp_path / "flows.jsonl").read_text())
    assert 40 <= flow["packet_last"] <= 48  # how much of a cut member can be read depends on its codec


def test_standard_input(tmp_path: Path) -> None:
    for content in (pcap(exchange()), gzip.compress(pcapng(exchange()))):
        ended = subprocess.run(
            [sys.executable, "-m", "flowclass.cli.main", "classify", "-"],
            input=content,
            capture_output=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout.count(b"\n") == 1
        assert b'"source_file":"-"' in ended.stdout


def test_order_is_by_first_packet(tmp_path: Path, flowclass_command: Command) -> None:
    later, earlier = tmp_path / "a.pcap", tmp_path / "b.pcap.gz"
    later.write_bytes(pcap(exchange(start=START_NS + 5_000_000_000)))
    earlier.write_bytes(gzip.compress(pcapng(exchange(start=START_NS))))
    ended = flowclass_command(later, earlier)
    lines = ended.err.splitlines()
    assert lines[0] == "order     2 sources by their first packets"
    assert lines[1].endswith("b.pcap.gz")
    assert lines[1].strip().startswith("2024-11-19T07:06:40.000000000Z")
    assert lines[2].endswith("a.pcap")
    assert '"packets_fwd":4,"packets_rev":4' in ended.out  # one flow goes through both


def test_files_each_keeps_sources_apart(tmp_path: Path, flowclass_command: Command) -> None:
    for name in "ab":
        (tmp_path / f"{name}.pcap").write_bytes(pcap(exchange()))
    ended = flowclass_command(tmp_path, "--files", "each")
    assert ended.out.count('"packets_fwd":2,"packets_rev":2') == 2
    assert "balance   8 packets read = 8 in flows + 0 skipped" in ended.err


def test_folder_glob_and_list(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "b.pcap").write_bytes(pcap(exchange()))
    (tmp_path / "deep" / "er" / "a").write_bytes(gzip.compress(pcapng(exchange())))
    (tmp_path / "notes.md").write_text("# no capture")
    (tmp_path / ".hidden.pcap").write_bytes(pcap(exchange()))
    (tmp_path / "zeros.pcap").write_bytes(bytes(100))
    names = ["b.pcap", "a", "zeros.pcap"]

    found = find([tmp_path])
    assert [source.path.name for source in found.sources] == names
    assert found.passed_over == [str(tmp_path / "notes.md")]

    found = find([str(tmp_path / "**" / "*")])
    assert [source.path.name for source in found.sources] == names

    listed = tmp_path / "list.txt"
    listed.write_text(f"# comment\n\n{tmp_path / 'b.pcap'}\n{tmp_path / 'deep'}\n{tmp_path / 'gone.pcap'}\n")
    found = find([f"@{listed}"])
    assert [source.path.name for source in found.sources] == ["b.pcap", "a"]
    assert found.problems[0][1].endswith("no such file or directory; check the name")


def test_no_file_twice(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap(exchange()))
    (tmp_path / "link.pcap").symlink_to(path)
    found = find([path, tmp_path])
    assert len(found.sources) == 1
    assert len(found.repeated) == 2


def test_what_is_not_found_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    found = find([tmp_path / "empty", str(tmp_path / "*.pcap"), f"@{tmp_path / 'no.txt'}"])
    assert [sentence.split(": ", 1)[1] for _, sentence in found.problems] == [
        "the folder holds no file; give one that holds captures",
        "no file matches; check the pattern and the folder",
        "cannot be read: no such file or directory; check the name",
    ]


def test_file_that_changes_while_it_is_read(tmp_path: Path, flowclass_command: Command) -> None:
    path = tmp_path / "growing.pcap"
    path.write_bytes(pcap(exchange()))
    source = FileSource(path)
    pieces = source.slices()
    assert next(pieces)
    with path.open("ab") as file:
        file.write(b"more")
    with pytest.raises(SourceError, match="the file changed while it was read"):
        list(pieces)


def test_file_that_is_shortened_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "shrinking.pcap"
    path.write_bytes(pcap(exchange()) + bytes(9 << 20))
    pieces = FileSource(path).slices()
    assert next(pieces)
    path.write_bytes(b"")
    with pytest.raises(SourceError, match="the file changed while it was read"):
        list(pieces)


def test_file_that_vanishes(tmp_path: Path) -> None:
    path = tmp_path / "gone.pcap"
    path.write_bytes(pcap(exchange()))
    source = find([path]).sources[0]
    path.unlink()
    with pytest.raises(SourceError, match="no such file or directory"):
        list(source.slices())


def test_name_that_is_no_text(tmp_path: Path, flowclass_command: Command) -> None:
    path = Path(f"{tmp_path}/caf\udce9.pcap")
    path.write_bytes(pcap(exchange()))
    ended = flowclass_command(tmp_path)
    assert ended.code == 0
    assert "caf\ufffd.pcap" in ended.out


@pytest.mark.parametrize("codec", ["gz", "zst", "bz2", "xz"])  # lz4 reaches 1 : 250 and no more
def test_a_bomb_ends_a_stream_and_a_watched_file_not_one_that_was_named(
    codec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowclass.sources.compression.RATIO_FROM", 3 * SLICE)
    head = CONTENT[:2000]
    bomb = CODECS[codec](head + bytes(40 * SLICE))
    path = tmp_path / "bomb"
    path.write_bytes(bomb)
    assert len(_read(FileSource(path))) == len(head) + 40 * SLICE
    watched = FileSource(path, most_ratio=MOST_RATIO)
    said = f"of the {codec} stream became .* more than 250 for each: no capture is like that"
    for pieces in (StreamSource(io.BytesIO(bomb)).slices(), watched.slices()):
        got = _until_failure(pieces, said)
        assert got.startswith(head)
        assert 3 * SLICE <= len(got) <= max(3 * SLICE, MOST_RATIO * len(bomb)) + 2 * SLICE


def test_captures_are_far_from_the_ratio_of_a_bomb(captures: Path) -> None:
    """Also what is said to compress best, one packet again and again, its time changing."""
    flood = pcap([(START_NS + n * 1_000_003, exchange()[0][1]) for n in range(4_000)])
    own = b"".join(path.read_bytes()[:5_000] for path in sorted(captures.iterdir()))
    for codec, compress in CODECS.items():
        assert len(own) < 20 * len(compress(own)), codec
        assert len(flood) < MOST_RATIO / 4 * len(compress(flood)), codec


def test_an_xz_file_does_not_choose_how_much_memory_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    small, large = (lzma.compress(CONTENT, preset=preset) for preset in (0, 6))
    monkeypatch.setattr("flowclass.sources.compression.MOST_XZ_MEMORY", 1 << 20)
    assert _read(MemorySource(small)) == CONTENT
    _until_failure(MemorySource(large).slices(), "Memory usage limit exceeded")


def test_xz_streams_one_behind_another_with_padding_between() -> None:
    half = len(CONTENT) // 2
    joined = lzma.compress(CONTENT[:half]) + bytes(8) + lzma.compress(CONTENT[half:]) + bytes(4)
    assert _read(MemorySource(joined)) == CONTENT

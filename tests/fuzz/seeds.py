"""Writes the seeds of the fuzz targets into a folder, one below it a target, and beside it their dictionaries.

Captures are the beginnings of our own; frames of them and one of every link type, in the form of fuzz_decode.cpp; the
fingerprint vectors, in the form of fuzz_match.cpp, those with a hello also in that of fuzz_hello.cpp; for the registry
octets at random, always the same, as any octets are registrations to it, and so for what has two machine codes; for
snapshots places and octets to write over a good file; for pieces captures with cuts and pauses in them; for the C ABI
calls in a sensible order, with captures and vectors for arguments, and calls at random; for the beginnings of TCP
streams segments in order, shuffled, repeated, overlapping and cut.
"""

from __future__ import annotations

import random
import struct
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from dictionaries import dictionaries
from link_frames import frame

ROOT = Path(__file__).resolve().parents[2]
CAPTURES = ROOT / "datasets" / "captures"
VECTORS = ROOT / "tests" / "vectors" / "fingerprint"
CAPTURE_OCTETS = 16384
FRAMES = 12
# Where fuzz_decode.cpp has a link type in its table.
LINK_TYPES = [1, 0, 9, 12, 14, 50, 101, 104, 105, 108, 113, 127, 192, 228, 229, 239, 276]


def capture_seeds() -> Iterator[tuple[str, bytes]]:
    """Give the first octets of every capture."""
    for path in sorted(CAPTURES.iterdir()):
        yield path.name, path.read_bytes()[:CAPTURE_OCTETS]


def decode_seeds() -> Iterator[tuple[str, bytes]]:
    """Give the first frames of every little-endian pcap file."""
    for path in sorted(CAPTURES.glob("*.pcap")):
        octets = path.read_bytes()
        (link_type,) = struct.unpack_from("<I", octets, 20)
        at, seed = 24, b""
        for _ in range(FRAMES):
            if at + 16 > len(octets):
                break
            (captured,) = struct.unpack_from("<I", octets, at + 8)
            kept = octets[at + 16 : at + 16 + captured]
            seed += struct.pack(">BBH", LINK_TYPES.index(link_type), 0, len(kept)) + kept
            at += 16 + captured
        yield path.stem, seed
    for index, link_type in enumerate(LINK_TYPES):
        octets = frame(link_type)
        yield f"link-{link_type}", struct.pack(">BBH", index, 0, len(octets)) + octets


def packet_octets(row: dict[str, Any]) -> bytes:
    """Give what a vector's packet captured, as tests/vectors reads it."""
    octets: bytes = bytes.fromhex("".join(row.get("hex", "").split())) + row.get("text", "").encode()
    octets += bytes(row.get("zeros", 0))
    return octets


def match_seeds() -> Iterator[tuple[str, bytes]]:
    """Give every fingerprint vector."""
    for path in sorted(VECTORS.glob("*.toml")):
        for number, case in enumerate(tomllib.loads(path.read_text())["case"]):
            seed = struct.pack(
                ">BBHH",
                3 if case.get("from_start", True) else 0,
                case.get("ip_proto", 17),
                case.get("src_port", 50000),
                case.get("dst_port", 50001),
            )
            for row in case["packets"]:
                octets = packet_octets(row)
                missing = min(max(row.get("length", len(octets)) - len(octets), 0), 0xFFFF)
                gap = min(row.get("gap_ns", 1_000_000) // 1_000_000, 0xFFFF)
                seed += struct.pack(">BHhHH", row["dir"] == "<", gap, 0, missing, len(octets)) + octets
            yield f"{path.stem}-{number:02}", seed


def hello_seeds() -> Iterator[tuple[str, bytes]]:
    """Give the vectors of TLS, DTLS and QUIC, and of those that read their hellos."""
    for name in ("tls", "dtls", "quic", "anyconnect", "vpn_provider", "masque", "softether_tls"):
        path = VECTORS / f"{name}.toml"
        for number, case in enumerate(tomllib.loads(path.read_text())["case"]):
            seed = bytes([case.get("ip_proto", 17) == 17, case.get("from_start", True)])
            for row in case["packets"]:
                octets = packet_octets(row)
                missing = min(max(row.get("length", len(octets)) - len(octets), 0), 0xFFFF)
                seed += struct.pack(">BHH", row["dir"] == "<", missing, len(octets)) + octets
            yield f"{path.stem}-{number:02}", seed


def registry_seeds() -> Iterator[tuple[str, bytes]]:
    """Give octets at random, of several lengths."""
    numbers = random.Random(20240229)
    for index in range(24):
        rows = numbers.choice([1, 2, 5, 20, 60, 120])
        flows = numbers.randbytes(8 * 40)
        yield f"random-{index:02}", bytes([index & 1, rows]) + numbers.randbytes(24 * rows) + flows


def instructions_seeds() -> Iterator[tuple[str, bytes]]:
    """Give prefixes at random that nest, and octets at random to ask for and to hash."""
    numbers = random.Random(20240304)
    for index in range(24):
        prefixes = numbers.choice([0, 1, 5, 40, 200])
        yield f"random-{index:02}", bytes([prefixes]) + numbers.randbytes(19 * prefixes + 64 * numbers.randrange(1, 9))


def snapshot_seeds() -> Iterator[tuple[str, bytes]]:
    """Give good files, ones with extreme numbers in the list of sections, and ones with octets at random."""
    yield "nothing", b""
    yield "magic", b"\x00\x89FCR\r\n\x1a\n" + bytes(120)
    for which in (0, 1):
        yield f"good-{which}", bytes([1, which])
        for section in range(23):
            for field, place in (("bytes", 4), ("offset", 8), ("count", 16)):
                at = 1 << 30 | (80 + 24 * section + place)
                for value in (0xFF, 0x01):
                    octets = b"".join(struct.pack(">IB", at + byte, value) for byte in range(4))
                    yield f"{which}-{section:02}-{field}-{value:02x}", bytes([1, which]) + octets
    numbers = random.Random(20240301)
    for index in range(64):
        writes = numbers.choice([1, 1, 2, 8, 64])
        yield f"random-{index:02}", bytes([1, index & 1]) + numbers.randbytes(5 * writes)


def checkpoint_seeds() -> Iterator[tuple[str, bytes]]:
    """Give captures with a cut in them, some with octets of the state to write over; and no states at all."""
    numbers = random.Random(20240303)
    yield "nothing", b""
    yield "no-state", bytes([128, 0, 0, 0]) + bytes(40)
    for number, path in enumerate(sorted(CAPTURES.iterdir())):
        octets = path.read_bytes()[:CAPTURE_OCTETS]
        cut = (0x4000, 0x8001, 0xF000)[number % 3]
        yield f"{path.name}-{cut:04x}", bytes([number % 16, 0]) + struct.pack(">H", cut) + octets
        if number % 2:
            continue
        writes = b"".join(struct.pack(">IB", numbers.randrange(1 << 32), numbers.randrange(256)) for _ in range(3))
        yield f"{path.name}-damaged", bytes([number % 16, 3, 0xA0, 0]) + writes + octets


def pieces_seeds() -> Iterator[tuple[str, bytes]]:
    """Give captures with cuts and pauses in them, some whose columns are damaged; and columns at random."""
    numbers = random.Random(20240305)
    for number, path in enumerate(sorted(CAPTURES.glob("*.pcap"))):
        octets = path.read_bytes()[:CAPTURE_OCTETS]
        how = number % 16 * 2 & 0x1E
        for pauses in (0, 1, 4) if number % 8 == 0 else ((0, 1, 4)[number % 3],):
            cuts = 1 + numbers.randrange(7)
            plan = bytes([how, cuts | pauses << 3, numbers.choice([0, 5, 60])]) + numbers.randbytes(2 * cuts)
            plan += b"".join(
                struct.pack(">Hh", numbers.randrange(65_536), numbers.choice([1, 100, 140, 3000, -1, -30, -200]))
                for _ in range(pauses)
            )
            yield f"{path.name}-{pauses}", plan + octets
        if number % 4:
            continue
        writes = b"".join(
            struct.pack(">IB", numbers.randrange(1 << 14), numbers.choice([0, 1, 254, 255])) for _ in range(2)
        )
        yield f"{path.name}-damaged", bytes([how | 64, 1, 5, 128, 0, 2]) + writes + octets
    frames = [frame(1) for _ in range(8)]
    for name, shift in (("good", 0), ("outside", 200), ("before", -70)):
        rows = b"".join(
            struct.pack(">qqHHBh", row * 10**9, row * 10**9, row, len(frames[0]), 1, row * len(frames[0]) + shift)
            for row in range(1, 9)
        )
        yield f"columns-{name}", bytes([128, 0, 0, 8]) + rows + b"".join(frames)


def capi_seeds() -> Iterator[tuple[str, bytes]]:
    """Give sequences of calls in the form of fuzz_capi.cpp: captures in chunks, heads, and octets at random."""
    registry = bytes([1, 1, 1])
    policy = bytes([2, 2, 3, 3]) + 4 * (b"abc" + struct.pack(">qqB", 0, 1 << 62, 4)) + b"\x02"
    policy += 2 * (bytes([0]) + bytes(16) + bytes([0]) + struct.pack(">q", 1 << 62)) + b"\x00"
    for number, path in enumerate(sorted(CAPTURES.iterdir())):
        octets = path.read_bytes()[:CAPTURE_OCTETS]
        choice = (0, 32, 36, 100, 16)[number % 5]
        seed = registry + policy + bytes([0, choice, 7 + 16 * (number % 2), 1 + number % 9]) + b"\x03file"
        for at in range(0, len(octets), 4000):
            chunk = octets[at : at + 4000]
            seed += b"\x04" + struct.pack(">H", len(chunk)) + chunk + b"\x0a"
        yield path.name, seed + b"\x06\x01\x08\x09\x0b\x0c\x11\x0a"
    for number, (name, seed) in enumerate(match_seeds()):
        if number % 7 == 0:
            payload = seed[12:400]
            heads = bytes([13, seed[1], 1, 1]) + seed[2:6] + b"\x02"
            heads += b"\x00" + struct.pack(">H", len(payload)) + payload + struct.pack(">qH", 1, 0)
            yield name, heads + b"\x01" + struct.pack(">H", len(payload)) + payload + struct.pack(">qH", 2, 0)
    numbers = random.Random(20240302)
    for index in range(48):
        yield f"random-{index:02}", registry + policy + numbers.randbytes(numbers.choice([40, 400, 2000]))


def tcp_prefix_seeds() -> Iterator[tuple[str, bytes]]:
    """Give segments of a stream in the form of fuzz_tcp_prefix.cpp."""
    numbers = random.Random(20240303)
    for index in range(48):
        segments, at = [], 0
        while at < numbers.choice([300, 4000, 30_000]):
            length = numbers.choice([1, 10, 100, 1400])
            segments.append((at, length, 0))
            at += length
        segments += [(max(0, at + numbers.randrange(-50, 50)), numbers.randrange(1, 200), 0) for at, _, _ in segments]
        if index % 2:
            numbers.shuffle(segments)
        if index % 3 == 0:
            segments[len(segments) // 2] = (*segments[len(segments) // 2][:2], 5)
        near = [struct.pack(">BhHH", 0, at, length, missing) for at, length, missing in segments if at < 1 << 15]
        far = struct.pack(">BIIH", 3, numbers.choice([65_535, 65_536, 1 << 31, (1 << 32) - 20]), (1 << 32) - 1, 0)
        first = numbers.choice([0, 1, (1 << 32) - 100, 1 << 31])
        yield f"segments-{index:02}", struct.pack(">I", first) + b"".join(near[:190]) + far


MAKERS: dict[str, Callable[[], Iterator[tuple[str, bytes]]]] = {
    "capture": capture_seeds,
    "engine": capture_seeds,
    "decode": decode_seeds,
    "match": match_seeds,
    "hello": hello_seeds,
    "registry": registry_seeds,
    "instructions": instructions_seeds,
    "snapshot": snapshot_seeds,
    "checkpoint": checkpoint_seeds,
    "pieces": pieces_seeds,
    "capi": capi_seeds,
    "tcp_prefix": tcp_prefix_seeds,
}


def main(folder: Path) -> None:
    """Write all seeds and dictionaries below a folder."""
    for target, make in MAKERS.items():
        place = folder / target
        place.mkdir(parents=True, exist_ok=True)
        for name, octets in make():
            (place / name).write_bytes(octets)
    for target, text in dictionaries(packet_octets).items():
        (folder / f"{target}.dict").write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

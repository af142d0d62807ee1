"""Every fuzz target has seeds, every fingerprint and link type is among them, and dictionaries are well-formed."""

from __future__ import annotations

import importlib.util
import re
import struct
import sys
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest
from conftest import ROOT

from flowclass import EngineOptions
from flowclass.engine import Engine

FUZZ = ROOT / "tests" / "fuzz"
NATIVE = ROOT / "native" / "src"


@pytest.fixture(scope="module")
def seeds() -> ModuleType:
    specification = importlib.util.spec_from_file_location("fuzz_seeds", FUZZ / "seeds.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    before = list(sys.path)
    specification.loader.exec_module(module)
    sys.path[:] = before
    return module


def targets() -> set[str]:
    return {path.stem.removeprefix("fuzz_") for path in FUZZ.glob("fuzz_*.cpp")}


def link_types() -> set[int]:
    """Give the numbers of all link types that packet_view.hpp names."""
    body = (NATIVE / "packet" / "packet_view.hpp").read_text().split("enum class LinkType", 1)[1].split("};", 1)[0]
    return {int(number) for number in re.findall(r"\w+ = (\d+),", body)}


def target_link_types() -> list[int]:
    """Give those that an input of fuzz_decode.cpp can choose, in its order."""
    table = re.search(r"kLinkTypes\{([^}]*)\}", (FUZZ / "fuzz_decode.cpp").read_text())
    assert table is not None
    return [int(number) for number in table[1].split(",")]


def test_every_target_has_seeds(seeds: ModuleType) -> None:
    makers: dict[str, Callable[[], Iterator[tuple[str, bytes]]]] = seeds.MAKERS
    assert makers.keys() == targets()
    for target, make in makers.items():
        names = [name for name, _ in make()]
        assert len(names) > 10, target
        assert len(set(names)) == len(names), f"{target}: a seed is written over by another"


def test_every_fingerprint_has_seeds(seeds: ModuleType) -> None:
    matchers = {path.stem for path in (NATIVE / "fingerprint" / "protocols").glob("*.hpp")}
    seen = {name.rsplit("-", 1)[0] for name, _ in seeds.match_seeds()}
    assert len(matchers) > 50
    assert matchers - seen == set()


def test_every_link_type_can_be_chosen_and_has_a_seed(seeds: ModuleType) -> None:
    chosen = target_link_types()
    assert link_types() <= set(chosen)
    assert chosen[: len(seeds.LINK_TYPES)] == seeds.LINK_TYPES
    assert {f"link-{number}" for number in link_types()} <= {name for name, _ in seeds.decode_seeds()}


def test_seeds_of_link_types_are_read_to_their_flow(seeds: ModuleType) -> None:
    for name, seed in seeds.decode_seeds():
        if name.startswith("link-"):
            index, _, length = struct.unpack_from(">BBH", seed)
            engine = Engine(EngineOptions(memcap=1 << 20))
            engine.begin_source(name)
            engine.push_packets(target_link_types()[index], [(1, seed[4 : 4 + length])])
            assert sum(batch.num_rows for batch in engine.finish()) == 1, name


def test_dictionaries_hold_constants_and_beginnings_of_vectors(seeds: ModuleType) -> None:
    made: dict[str, str] = seeds.dictionaries(seeds.packet_octets)
    assert made.keys() <= targets()
    for target, text in made.items():
        words = [bytes.fromhex(line[1:-1].replace("\\x", "")) for line in text.splitlines()]
        assert len(set(words)) == len(words) < 1 << 14, target  # the most that libFuzzer keeps
        assert all(1 < len(word) <= 64 for word in words), target
    match = made["match"]
    for word in (b"\r\nX-CSTP-Version:", (0x2112A442).to_bytes(4, "big"), b"BitTorrent protocol"):
        assert "".join(f"\\x{octet:02x}" for octet in word) in match

"""What ``flowclass verify`` compares is equal to tshark's: packets, octets and times of every flow, and its protocol.

On a part of our captures and of the public ones; FLOWCLASS_DIFFERENTIAL=all compares every one, which takes a quarter
of an hour. What no known difference of the package explains fails, unless ``known_differences.toml`` names the capture.
"""

from __future__ import annotations

import os
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from labelled import Capture, read_list

from flowclass.verify.compare import Comparison, compare, sentence
from flowclass.verify.tshark import Tshark, installed

KNOWN = Path(__file__).parent / "known_differences.toml"
MOST_OCTETS = 1_500_000
MOST_PUBLIC_OCTETS = 100_000
MOST_PUBLIC = 50
MOST_OURS = 50
SECONDS = 600
ALL = os.environ.get("FLOWCLASS_DIFFERENTIAL") == "all"


@pytest.fixture(scope="module")
def program(tshark: str) -> Tshark:
    """Give tshark and its table of ports."""
    pytest.importorskip("pyshark")
    found = installed()
    assert found.path == tshark
    assert found.ports[17, 53] == {"dns"}
    return found


def compared(program: Tshark, captures: list[Capture]) -> list[Comparison]:
    """Compare captures, as many at once as there are processors."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda one: compare(program, one.path, one.name, SECONDS), captures))


def every_nth(captures: list[Capture], most: int) -> list[Capture]:
    listed = sorted(captures, key=lambda capture: capture.name)
    return listed if ALL else listed[:: -(-len(listed) // most)]


@pytest.mark.tshark
def test_our_captures(program: Tshark, captures: Path) -> None:
    found = compared(program, every_nth(read_list(captures.parent), MOST_OURS))
    assert not [(one.name, one.problem) for one in found if one.problem]
    assert not [f"{one.name}: {sentence(each)}" for one in found for each in one.unexplained]
    assert sum(one.equal for one in found) > 100
    # Counts and times are equal but where one side opens a tunnel and the other does not.
    kinds = {each.kind for one in found for each in one.differences}
    assert kinds <= {"protocol", "family", "only_ours", "only_tshark"}


@pytest.mark.corpus
@pytest.mark.tshark
def test_public_captures(program: Tshark, corpus: Path) -> None:
    """Those of moderate size, every n-th by name (the names begin with a hash)."""
    most = MOST_OCTETS if ALL else MOST_PUBLIC_OCTETS
    listed = every_nth([one for one in read_list(corpus) if one.path.stat().st_size < most], MOST_PUBLIC)
    with KNOWN.open("rb") as file:
        known = {one["name"]: one["flows"] for row in tomllib.load(file)["difference"] for one in row["captures"]}
    found = compared(program, listed)
    unlike = {
        one.name: [sentence(each) for each in one.unexplained] or "no difference any more"
        for one in found
        if len({each.flow for each in one.unexplained}) != known.get(one.name, 0)
    }
    assert not unlike, unlike
    assert not [(one.name, one.problem) for one in found if one.problem]
    assert sum(one.equal for one in found) > 50

"""What a user's fingerprint costs: python -m benchmarks.udf [--trace FILE] [--folder FOLDER] [--rounds N] [--json].

Two questions, of WireGuard as `examples/python/wireguard.py` says it in Python:

- how many times the build's own fingerprint it costs a head, asked in turn of the same heads, those of our captures
  that the prefilter of WireGuard lets pass;
- how many times more the same costs as an nfstream plug-in (`plugin.py`), where nfstream is installed: by the plug-in
  alone, which is the run with it less the run without, and by the whole run.

First the answers: of each head, or flow of the trace, both must say the same. Ends with 1 when an answer is outside of
budget.toml.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import statistics
import sys
import tempfile
import time
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import flowclass
from benchmarks.compare.measure import run
from benchmarks.compare.traces import make
from benchmarks.native import build
from flowclass.udf import Fingerprint, load

_ROOT = Path(__file__).resolve().parent.parent.parent
_EXAMPLE = _ROOT / "examples" / "python" / "wireguard.py"
_BUILT = "wireguard"


def heads(fingerprint: Fingerprint, captures: list[Path], rounds: int) -> dict[str, float]:
    """Time both over the heads of captures.

    Raises
    ------
    AssertionError
        When they do not say something of equally many heads.
    """
    library = ctypes.CDLL(str(build("udf").with_suffix(".so")))
    out = (ctypes.c_double * 7)()
    given = fingerprint.native()
    failed = library.flowclass_time_fingerprints(
        "".join(f"{path}\n" for path in captures).encode(),
        _BUILT.encode(),
        ctypes.c_void_p(given["address"]),
        ctypes.c_uint32(len(given["rules"])),
        ctypes.c_uint32(rounds),
        out,
    )
    assert failed == 0, f"the timing failed with {failed}"
    least, median, found, own_least, own_median, own_found, count = out
    assert found == own_found > 0, f"the build's says something of {found:.0f} heads, the user's of {own_found:.0f}"
    return {
        "heads": count,
        "found": found,
        "built_ns_least": least,
        "built_ns_median": median,
        "own_ns_least": own_least,
        "own_ns_median": own_median,
        "times_built": own_least / least,
    }


def whole_run(fingerprint: Fingerprint, trace: Path, *, own: bool) -> tuple[float, int, int]:
    """Classify a trace in this process, compiled beforehand; give seconds of processor time, packets, flows found."""
    options = flowclass.EngineOptions(udf=(fingerprint,) if own else ())
    begin = time.process_time()
    result = flowclass.classify(trace, options=options)
    table = result.to_pyarrow()
    seconds = time.process_time() - begin
    found = 0
    if own:
        for protocol, others in zip(
            table.column("protocol").to_pylist(), table.column("alternatives").to_pylist(), strict=True
        ):
            found += fingerprint.name in {protocol, *(other["protocol"] for other in others)}
    return seconds, result.balance.packets_read, found


def plugin(trace: Path, folder: Path, *, own: bool) -> tuple[float, dict[str, Any]]:
    """Run nfstream over a trace; give seconds of processor time, its other processes included, and what it says."""
    output = folder / "nfstream.out"
    command = [sys.executable, "-m", "benchmarks.udf.plugin", str(trace), *([] if own else ["--without"])]
    cost = run(command, output)
    said: dict[str, Any] = json.loads(output.read_text(encoding="utf-8").splitlines()[-1])
    return cost.processor, said


def beside_nfstream(fingerprint: Fingerprint, trace: Path, folder: Path, rounds: int) -> dict[str, float]:
    """Compare whole runs, and what the fingerprint adds to them.

    Raises
    ------
    AssertionError
        When they do not find equally many flows.
    """
    figures: dict[str, list[float]] = {"ours": [], "ours_without": [], "peer": [], "peer_without": []}
    for _ in range(rounds):
        seconds, packets, found = whole_run(fingerprint, trace, own=True)
        figures["ours"].append(seconds)
        figures["ours_without"].append(whole_run(fingerprint, trace, own=False)[0])
        seconds, said = plugin(trace, folder, own=True)
        assert abs(said["found"] - found) <= found * _APART, f"nfstream finds {said['found']}, the fingerprint {found}"
        figures["peer"].append(seconds)
        figures["peer_without"].append(plugin(trace, folder, own=False)[0])
    least = {name: min(seconds) for name, seconds in figures.items()}
    return {
        "packets": packets,
        "found": found,
        "peer_found": said["found"],
        **{f"{name}_seconds": seconds for name, seconds in least.items()},
        **{f"{name}_median": statistics.median(seconds) for name, seconds in figures.items()},
        "peer_alone_seconds": least["peer"] - least["peer_without"],
        "times_whole_run": least["peer"] / least["ours"],
    }


def judged(answers: dict[str, Any], budget: dict[str, Any]) -> list[str]:
    """Give what is outside of the budget, as sentences."""
    wrong = []
    if answers["heads"]["times_built"] > budget["times_built"]:
        times = answers["heads"]["times_built"]
        wrong.append(f"it costs {times:.2f} times the build's, over the budget of {budget['times_built']}")
    beside = answers.get("nfstream")
    if beside is not None and beside["times_plugin"] < budget["times_nfstream_plugin"]:
        wrong.append(
            f"the plug-in costs {beside['times_plugin']:.0f} times as much, less than the"
            f" {budget['times_nfstream_plugin']} that are promised"
        )
    return wrong


_APART = 0.02
"""Of the flows found: other timeouts cut other flows in two."""


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.udf", description=__doc__.splitlines()[0])
    parser.add_argument("--trace", type=Path, help="a pcap; by default T0 of benchmarks.compare, which is made")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where the trace is made")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    (fingerprint,) = load(_EXAMPLE)
    assert isinstance(fingerprint, Fingerprint)
    captures = sorted((_ROOT / "datasets" / "captures").glob("*.pcap*"))
    answers: dict[str, Any] = {"heads": heads(fingerprint, captures, 200 * given.rounds)}
    if find_spec("nfstream") is not None:
        trace = given.trace or make("T0", given.folder)[0]
        with tempfile.TemporaryDirectory() as folder:
            beside = beside_nfstream(fingerprint, trace, Path(folder), given.rounds)
        # What ours adds is too little to be seen as a difference of runs: it is what it costs a head, for each head.
        asked = heads(fingerprint, [trace], given.rounds)
        beside["own_alone_seconds"] = asked["heads"] * asked["own_ns_least"] * 1e-9
        beside["times_plugin"] = beside["peer_alone_seconds"] / beside["own_alone_seconds"]
        answers["nfstream"] = beside
    with (_ROOT / "benchmarks" / "budget.toml").open("rb") as file:
        wrong = judged(answers, tomllib.load(file)["udf"])
    if given.json:
        print(json.dumps({**answers, "wrong": wrong}))
    else:
        _print(answers)
    for sentence in wrong:
        print(f"wrong     {sentence}", file=sys.stderr)
    return bool(wrong)


def _print(answers: dict[str, Any]) -> None:
    told = answers["heads"]
    print(
        f"heads     {told['heads']:.0f}, of {told['found']:.0f} both say something; build's"
        f" {told['built_ns_least']:.0f} ns a head (median {told['built_ns_median']:.0f}), the user's"
        f" {told['own_ns_least']:.0f} ({told['own_ns_median']:.0f}): {told['times_built']:.2f} times"
    )
    beside = answers.get("nfstream")
    if beside is None:
        print("nfstream  is not installed: not compared")
        return
    print(
        f"nfstream  {beside['packets']:,} packets, {beside['found']} flows found by us, {beside['peer_found']:.0f} by"
        f" the plug-in; plug-in alone {beside['peer_alone_seconds']:.2f} s, ours alone"
        f" {1e3 * beside['own_alone_seconds']:.3f} ms: {beside['times_plugin']:,.0f} times; whole runs"
        f" {beside['peer_seconds']:.2f} s and {beside['ours_seconds']:.2f} s: {beside['times_whole_run']:.0f} times"
    )


if __name__ == "__main__":
    sys.exit(main())

"""Runs one scenario from start to end: checks, network, path, recorders, program, labels, files."""

from __future__ import annotations

import datetime
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import programs
from .errors import TestbedError
from .host import Host
from .installed import check, requirements, version, what_is_missing
from .lab import Lab
from .labels import Label, Served, label_flows, replace_lines
from .network import TAP, network, work_folder
from .options import read_options
from .packets import count_frames
from .path import Passed, RunningPath
from .record import Recorder
from .scenario import POINTS, Scenario

__all__ = ["ENDS", "Recording", "check", "run", "what_is_missing"]

# Folder, inside the output folder, of what was recorded on the two ends; it has lists of its own.
ENDS = "ends"
# The last packets of a closing connection need a moment to reach the recorder.
_SETTLE_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What a run gave at one point: by default those of the router, between the ends.

    Parameters
    ----------
    capture : Path
        The file.
    packets : int
        Frames in it.
    labels : tuple of Label
        Its flows.
    point : str
        Where it was recorded.
    ends : tuple of Recording
        What the same run gave at the other points.
    """

    capture: Path
    packets: int
    labels: tuple[Label, ...]
    point: str = "middle"
    ends: tuple[Recording, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Played:
    served: Sequence[Served]
    started: datetime.datetime
    recorders: dict[str, Recorder]
    passed: Passed | None
    configuration: dict[str, str]


def run(scenario: Scenario, output: Path, *, points: Sequence[str] = POINTS) -> Recording:
    """Record a scenario.

    Parameters
    ----------
    scenario : Scenario
        What to run.
    output : Path
        Folder that gets ``captures/<name>`` of the middle, and lines in ``labels.jsonl`` and ``captures.jsonl``.
        The ends' captures, ``<scenario>.client`` and ``<scenario>.server``, are in its folder ``ends`` in the same way.
    points : sequence of str
        Where to record; the middle always is, and a point that the program's packets do not reach never.
    """
    check(scenario)
    unseen = programs.load(scenario.program).unseen_at
    wanted = [point for point in POINTS if point == "middle" or (point in points and point not in unseen)]
    with work_folder() as folder:
        played = _play(scenario, folder, wanted)
        # All labels first: a run whose labels fail at one point leaves nothing.
        labels = {point: _labels(scenario, played, point) for point in wanted}
        kept = [_keep(scenario, played, point, labels[point], output) for point in wanted]
    return Recording(
        capture=kept[0].capture,
        packets=kept[0].packets,
        labels=kept[0].labels,
        point=kept[0].point,
        ends=tuple(kept[1:]),
    )


def _play(scenario: Scenario, folder: Path, points: Sequence[str]) -> _Played:
    program = programs.load(scenario.program)
    options = read_options(program.options, scenario.options, f"{scenario.name}.toml [options]")
    path = scenario.path
    started = datetime.datetime.now(datetime.UTC)
    with network(scenario.addresses, folder, seed=scenario.seed, forwarder=path.forwards) as (client, router, server):
        running = RunningPath(path, scenario.seed, client, router, server) if path.forwards else None
        places = {"middle": (router, TAP), "client": (client, "eth0"), "server": (server, "eth0")}
        recorders: dict[str, Recorder] = {}
        for point in points:
            host, interface = places[point]
            file = folder / scenario.capture_at(point)
            recorders[point] = Recorder(host, interface, scenario.format, file, snaplen=path.snaplen)
        for recorder in recorders.values():
            recorder.wait()
        served = program.play(Lab(client=client, server=server, seed=scenario.seed, nat=path.nat), options)
        time.sleep(_SETTLE_SECONDS)
        for recorder in recorders.values():
            recorder.stop()
        return _Played(
            served=served,
            started=started,
            recorders=recorders,
            passed=running.stop() if running else None,
            configuration=_configuration(client, server),
        )


def _configuration(*hosts: Host) -> dict[str, str]:
    return {f"{host.role}/{name}": digest for host in hosts for name, digest in sorted(host.written.items())}


def _labels(scenario: Scenario, played: _Played, point: str) -> list[Label]:
    file, served, passed = played.recorders[point].file, played.served, played.passed
    if passed is not None and point != "client":
        served = passed.from_outside(served, scenario.path.nat)
    labels = label_flows(file, served)
    if not labels:
        raise TestbedError(f"{file.name}: no flow was recorded")
    return labels


def _keep(scenario: Scenario, played: _Played, point: str, labels: list[Label], output: Path) -> Recording:
    """Put a capture and its lines where they belong."""
    where = output if point == "middle" else output / ENDS
    capture = where / "captures" / scenario.capture_at(point)
    capture.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(played.recorders[point].file, capture)
    packets = count_frames(capture)
    replace_lines(where / "labels.jsonl", capture.name, labels)
    facts = _facts(scenario, played, point) | {"sha256": labels[0].sha256, "packets": packets}
    replace_lines(where / "captures.jsonl", capture.name, [facts])
    return Recording(capture=capture, packets=packets, labels=tuple(labels), point=point)


def _facts(scenario: Scenario, played: _Played, point: str) -> dict[str, Any]:
    """Give the manifest of a capture: everything that its making depended on."""
    impairments: dict[str, Any] = dict(scenario.path.stated())
    if played.passed is not None:
        impairments["counts"] = played.passed.counts
    return {
        "capture": scenario.capture_at(point),
        "sha256": "",
        "packets": 0,
        "format": scenario.format,
        "summary": scenario.summary,
        "recorded_at": played.started.isoformat(timespec="seconds"),
        "command": f"python -m datasets.testbed run {scenario.name} -o datasets",
        "recorder": played.recorders[point].command,
        "programs": {item.name: version(item) for item in requirements(scenario)},
        "negatives_ok": True,
        "point": point,
        "synthetic": programs.load(scenario.program).synthetic,
        "seed": scenario.seed,
        "scenario": {key: value for key, value in scenario.table.items() if key not in ("summary", "format", "seed")},
        "configuration_sha256": played.configuration,
        "impairments": impairments,
    }

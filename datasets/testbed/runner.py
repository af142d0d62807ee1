"""Runs one scenario from start to end: checks, network, recorder, program, labels, files."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import programs
from .errors import MissingError
from .lab import Lab, Program, Requirement
from .labels import Label, label_flows, replace_lines
from .network import network, work_folder
from .options import read_options
from .packets import count_frames
from .record import Recorder
from .scenario import Scenario

__all__ = ["Recording", "check", "run", "what_is_missing"]

_TOOLS = (
    Requirement(name="ip", executable="ip", package="apt: iproute2", version=("ip", "-V")),
    Requirement(name="ethtool", executable="ethtool", package="apt: ethtool", version=("ethtool", "--version")),
    Requirement(name="tcpdump", executable="tcpdump", package="apt: tcpdump", version=("tcpdump", "--version")),
)
_DUMPCAP = Requirement(
    name="dumpcap", executable="dumpcap", package="apt: wireshark-common", version=("dumpcap", "--version")
)
_VERSION = re.compile(r"\d+(?:\.\d+)+[\w.+-]*|\d{6,}")
# The last packets of a closing connection need a moment to reach the recorder.
_SETTLE_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What a run gave."""

    capture: Path
    packets: int
    labels: tuple[Label, ...]


def what_is_missing(scenario: Scenario) -> list[str]:
    """Say, in sentences, everything this machine lacks for the scenario; empty if it can be run."""
    program = programs.load(scenario.program)
    missing = []
    if os.geteuid() != 0:
        missing.append("Root is needed, because network namespaces are made: run it with sudo.")
    if program.needs_tun and not Path("/dev/net/tun").exists():
        missing.append(
            "The device /dev/net/tun is missing: `modprobe tun`, or start the container with --device /dev/net/tun."
        )
    for requirement in _requirements(scenario, program):
        if not _found(requirement):
            missing.append(f"{requirement.name} is not installed: {_how_to_get(requirement)}")
    return missing


def check(scenario: Scenario) -> None:
    """Check that the scenario can be run here.

    Raises
    ------
    ScenarioError
        If its options are wrong.
    MissingError
        If the machine lacks something; the message says all of it.
    """
    program = programs.load(scenario.program)
    read_options(program.options, scenario.options, f"{scenario.name}.toml [options]")
    missing = what_is_missing(scenario)
    if missing:
        raise MissingError("\n".join(missing))


def run(scenario: Scenario, output: Path) -> Recording:
    """Record a scenario.

    Parameters
    ----------
    scenario : Scenario
        What to run.
    output : Path
        Folder that gets ``captures/<name>``, and lines in ``labels.jsonl`` and ``captures.jsonl``.
    """
    check(scenario)
    program = programs.load(scenario.program)
    options = read_options(program.options, scenario.options, f"{scenario.name}.toml [options]")
    with work_folder() as folder:
        temporary = folder / scenario.capture
        started = datetime.datetime.now(datetime.UTC)
        with network(scenario.addresses, folder) as (client, router, server):
            recorder = Recorder(router, scenario.format, temporary)
            served = program.play(Lab(client=client, server=server), options)
            time.sleep(_SETTLE_SECONDS)
            recorder.stop()
        labels = label_flows(temporary, served)
        capture = output / "captures" / scenario.capture
        capture.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(temporary, capture)
    packets = count_frames(capture)
    replace_lines(output / "labels.jsonl", capture.name, labels)
    facts = {
        "capture": capture.name,
        "sha256": labels[0].sha256,
        "packets": packets,
        "format": scenario.format,
        "summary": scenario.summary,
        "recorded_at": started.isoformat(timespec="seconds"),
        "command": f"python -m datasets.testbed run {scenario.name} -o datasets",
        "recorder": recorder.command,
        "programs": {item.name: _version(item) for item in _requirements(scenario, program)},
        "negatives_ok": True,
    }
    replace_lines(output / "captures.jsonl", capture.name, [facts])
    return Recording(capture=capture, packets=packets, labels=tuple(labels))


def _requirements(scenario: Scenario, program: Program[Any]) -> tuple[Requirement, ...]:
    recorder = (_DUMPCAP,) if scenario.format == "pcapng" else ()
    return (*program.requirements, *_TOOLS, *recorder)


def _found(requirement: Requirement) -> bool:
    if requirement.executable.startswith("python:"):
        try:
            importlib.metadata.version(requirement.executable.removeprefix("python:"))
        except importlib.metadata.PackageNotFoundError:
            return False
        return True
    return shutil.which(requirement.executable) is not None


def _how_to_get(requirement: Requirement) -> str:
    kind, _, package = requirement.package.partition(": ")
    if kind == "pip":
        return f"`pip install {package}`."
    return f"`apt-get install --no-install-recommends {package}`."


def _version(requirement: Requirement) -> str:
    if requirement.executable.startswith("python:"):
        return importlib.metadata.version(requirement.executable.removeprefix("python:"))
    done = subprocess.run(requirement.version, capture_output=True, text=True, timeout=20, check=False)
    found = _VERSION.search(done.stdout + done.stderr)
    return found[0].rstrip(".,") if found else "unknown"

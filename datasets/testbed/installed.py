"""What a scenario needs on this machine: what of it is missing, how to get it, and which versions there are."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from . import programs
from .errors import MissingError
from .lab import Requirement
from .options import read_options
from .scenario import Scenario

__all__ = ["NO_ROOT", "check", "packages", "requirements", "version", "what_is_missing"]

NO_ROOT = "Root is needed, because network namespaces are made: run it with sudo."
_TOOLS = (
    Requirement(name="ip", executable="ip", package="apt: iproute2", version=("ip", "-V")),
    Requirement(name="ethtool", executable="ethtool", package="apt: ethtool", version=("ethtool", "--version")),
    Requirement(name="tcpdump", executable="tcpdump", package="apt: tcpdump", version=("tcpdump", "--version")),
)
_DUMPCAP = Requirement(
    name="dumpcap", executable="dumpcap", package="apt: wireshark-common", version=("dumpcap", "--version")
)
_VERSION = re.compile(r"\d+(?:\.\d+)+[\w.+-]*|\d{6,}")


def what_is_missing(scenario: Scenario) -> list[str]:
    """Say, in sentences, everything this machine lacks for the scenario; empty if it can be run."""
    missing = []
    if os.geteuid() != 0:
        missing.append(NO_ROOT)
    if programs.load(scenario.program).needs_tun and not Path("/dev/net/tun").exists():
        missing.append(
            "The device /dev/net/tun is missing: `modprobe tun`, or start the container with --device /dev/net/tun."
        )
    for requirement in requirements(scenario):
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


def requirements(scenario: Scenario) -> tuple[Requirement, ...]:
    """Give everything that must be installed for a scenario."""
    recorder = (_DUMPCAP,) if scenario.format == "pcapng" else ()
    return (*programs.load(scenario.program).requirements, *_TOOLS, *recorder)


def packages(scenarios: Iterable[Scenario]) -> dict[str, list[str]]:
    """Give the packages that the scenarios need, sorted, by installer: ``apt``, ``pip``, ``unpack``."""
    found: dict[str, set[str]] = {}
    for scenario in scenarios:
        for requirement in requirements(scenario):
            kind, _, names = requirement.package.partition(": ")
            found.setdefault(kind, set()).update(names.split())
    return {kind: sorted(names) for kind, names in sorted(found.items())}


@functools.cache
def version(requirement: Requirement) -> str:
    """Give the installed version."""
    if requirement.executable.startswith("python:"):
        return importlib.metadata.version(requirement.executable.removeprefix("python:"))
    done = subprocess.run(
        requirement.version, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False
    )
    found = _VERSION.search(done.stdout + done.stderr)
    return found[0].rstrip(".,") if found else "unknown"


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
    if kind == "unpack":
        return f"`python -m datasets.testbed unpack` ({package} excludes other packages that the testbed needs)."
    return f"`apt-get install --no-install-recommends {package}`."

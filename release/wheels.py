"""Builds the source distribution and, out of it, a wheel for each kind of Python that this machine has.

Takes a folder. Gives in it the sdist, a wheel for CPython 3.11 where there is one, and one for the stable interface of
3.12 and later (abi3) where there is such a Python; says what it left out and why. A wheel is renamed to the manylinux
tag that auditwheel finds, so that it installs where the C library is at least as new as here. With ``--check`` each
wheel is installed in a new virtual environment and tried without a compiler in PATH.

Usage: ``python release/wheels.py dist [--python PYTHON]... [--check CAPTURE]``
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LEAST = (3, 11)
ABI3 = (3, 12)  # the first with all that nanobind needs of the stable interface
NEWEST = 20
FIVE_LINES = """\
import flowclass
from pandas import DataFrame
flows: DataFrame = flowclass.classify("capture.pcap").to_pandas()
vpns = flows[flows.protocol_class == "vpn"]
print(vpns[["src_ip", "dst_ip", "protocol", "tier"]])
"""
FACTS = (
    "import json, sys, sysconfig, pathlib;"
    "print(json.dumps([sys.implementation.name, list(sys.version_info[:2]),"
    " (pathlib.Path(sysconfig.get_path('include')) / 'Python.h').exists()]))"
)


@dataclass(frozen=True)
class Python:
    """An interpreter that can build."""

    path: str
    version: tuple[int, int]


def run(*words: str | Path, **facts: str) -> str:
    """Run a program; give what it printed, or end with what it complained of."""
    done = subprocess.run(
        [os.fspath(word) for word in words], capture_output=True, text=True, check=False, env=os.environ | facts
    )
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, words))} failed:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return done.stdout


def pythons(given: list[str]) -> tuple[list[Python], list[str]]:
    """Find interpreters: those given, in PATH, and of pyenv; give what was left out too."""
    names = [*given, sys.executable, *(f"python3.{minor}" for minor in range(LEAST[1], NEWEST))]
    names += [str(path) for path in sorted(Path.home().glob(".pyenv/versions/*/bin/python3"))]
    found: dict[tuple[int, int], Python] = {}
    left_out: list[str] = []
    for name in names:
        path = shutil.which(name)
        done = path and subprocess.run([path, "-c", FACTS], capture_output=True, text=True, check=False)
        if not path or not done or done.returncode != 0:
            continue
        kind, (major, minor), headers = json.loads(done.stdout)
        if kind != "cpython" or (major, minor) < LEAST or (major, minor) in found:
            continue
        if headers:
            found[major, minor] = Python(path, (major, minor))
        else:
            left_out.append(f"{path}: Python {major}.{minor} has no headers; install python{major}.{minor}-dev")
    ordered = [found[version] for version in sorted(found)]
    chosen = [one for one in ordered if one.version < ABI3] + [one for one in ordered if one.version >= ABI3][:1]
    if not any(one.version < ABI3 for one in chosen):
        left_out.append("cp311: there is no CPython 3.11 here")
    if not any(one.version >= ABI3 for one in chosen):
        left_out.append("cp312-abi3: there is no CPython 3.12 or later here; give one with --python")
    return chosen, left_out


def sdist(folder: Path) -> Path:
    """Build the source distribution."""
    run(sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", folder, ROOT)
    (made,) = folder.glob("flowclass-*.tar.gz")
    return made


def wheel(python: Python, source: Path, folder: Path) -> Path:
    """Build one wheel out of the source distribution, with that Python's own pip, and give it its platform's tag."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        run(python.path, "-m", "venv", work / "venv")
        pip = work / "venv" / "bin" / "pip"
        run(pip, "wheel", "-q", "--no-deps", "--wheel-dir", work / "raw", source)
        (raw,) = (work / "raw").glob("*.whl")
        if sys.platform != "linux":
            return Path(shutil.copy(raw, folder))
        run(sys.executable, "-m", "auditwheel", "repair", "--wheel-dir", work / "repaired", raw)
        (repaired,) = (work / "repaired").glob("*.whl")
        return Path(shutil.copy(repaired, folder))


def check(python: Python, made: Path, capture: Path) -> None:
    """Install a wheel in a new environment and use it as a stranger would, with nothing else in PATH."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        run(python.path, "-m", "venv", work / "venv")
        run(work / "venv" / "bin" / "pip", "install", "-q", "--only-binary", ":all:", made, "pandas")
        shutil.copy(capture, work / "capture.pcap")
        alone = str(work / "venv" / "bin")
        where = shutil.which("cc", path=alone) or shutil.which("c++", path=alone)
        if where:
            sys.exit(f"{made.name}: {where} is a compiler: nothing was shown")
        run(work / "venv" / "bin" / "flowclass", "classify", work / "capture.pcap", "--format", "none", PATH=alone)
        shown = subprocess.run(
            [work / "venv" / "bin" / "python", "-c", FIVE_LINES],
            cwd=work, env={"PATH": alone}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if shown.returncode != 0 or "confirmed" not in shown.stdout:
            sys.exit(f"{made.name}: the five lines do not do:\n{shown.stdout}{shown.stderr}")


def main() -> None:
    """Build all that can be built here."""
    parser = argparse.ArgumentParser(description="Build the sdist and the wheels.")
    parser.add_argument("folder", type=Path, help="where they go; made anew")
    parser.add_argument("--python", action="append", default=[], help="an interpreter more; may be repeated")
    parser.add_argument("--check", type=Path, metavar="CAPTURE", help="try each wheel on a capture with a VPN in it")
    given = parser.parse_args()
    shutil.rmtree(given.folder, ignore_errors=True)
    given.folder.mkdir(parents=True)
    chosen, left_out = pythons(given.python)
    source = sdist(given.folder)
    sys.stdout.write(f"{source.name}\n")
    for python in chosen:
        made = wheel(python, source, given.folder)
        said = ""
        if given.check is not None:
            check(python, made, given.check)
            said = ", installed and tried without a compiler"
        sys.stdout.write(f"{made.name} by {python.path}{said}\n")
        sys.stdout.flush()
    for line in left_out:
        sys.stdout.write(f"left out  {line}\n")


if __name__ == "__main__":
    main()

"""Debian's packages that exclude others which the testbed needs too: unpacked into a folder of their own.

Takes the names that requirements state as ``unpack: NAME``; gives ``/opt/flowclass-testbed/NAME`` and, for each of the
package's folders that programs look for by an absolute path, a link. Nothing of the package's own scripts is run.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from .errors import TestbedError

__all__ = ["FOLDER", "unpack"]

FOLDER = Path("/opt/flowclass-testbed")
# By package: the folders that its programs have built in.
_LINKS = {"libreswan": ("usr/libexec/ipsec",)}


def unpack(packages: Iterable[str], folder: Path = FOLDER, root: Path = Path("/")) -> list[str]:
    """Download and unpack packages; gives one sentence for each.

    Parameters
    ----------
    packages : iterable of str
        Names, as ``apt-get download`` takes them.
    folder : Path
        Where each gets a folder of its name.
    root : Path
        Where links are made, at the path that the package has built in.

    Raises
    ------
    TestbedError
        If a package cannot be had or unpacked, or something else stands where a link has to.
    """
    said = []
    for name in packages:
        target = folder / name
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as scratch:
            # Apt's own user, which downloads, may not write into root's folder; then it warns and root does.
            _run(("apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", name), Path(scratch))
            (archive,) = Path(scratch).glob("*.deb")
            _run(("dpkg", "-x", str(archive), str(target)), Path(scratch))
        for inner in _LINKS.get(name, ()):
            _link(root / inner, target / inner)
        said.append(f"{name}: unpacked into {target}")
    return said


def _link(path: Path, target: Path) -> None:
    if path.is_symlink() and path.readlink() == target:
        return
    if path.exists() or path.is_symlink():
        raise TestbedError(f"{path} exists and is not the link to {target} that is needed: move it away")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def _run(argv: Sequence[str], folder: Path) -> None:
    try:
        done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise TestbedError(f"{argv[0]} is missing: unpacking takes Debian's own programs") from error
    if done.returncode:
        raise TestbedError(f"`{' '.join(argv)}` failed:\n{(done.stdout + done.stderr)[-1000:]}")

"""Takes what a run may still write. Gives up every other right for good, and says what was given up.

In this order: capabilities, where the process is not root's; system calls (`seccomp`); writes and executions
(`landlock`). Each is what the kernel and its libraries have; what is missing is said.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from flowclass.errors import ConfigError
from flowclass.service import landlock, seccomp

_CAPSET_VERSION = 0x20080522  # _LINUX_CAPABILITY_VERSION_3, linux/capability.h
_PR_CAP_AMBIENT, _CLEAR_ALL = 47, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """What was given up.

    Parameters
    ----------
    in_force : tuple of str
        What holds now.
    missing : tuple of str
        What does not, and why.
    """

    in_force: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing

    def __str__(self) -> str:
        said = "; ".join(self.in_force) or "none"
        return said + (f"; missing: {'; '.join(self.missing)}" if self.missing else "")


def enter(writable: Iterable[Path], *, require: bool) -> Sandbox:
    """Give up every right but reading and writing beneath some paths.

    Parameters
    ----------
    writable : iterable of Path
        Files and folders of the outputs and states.
    require : bool
        Fail where something is missing.

    Raises
    ------
    ConfigError
        When it is required and something is missing.
    """
    in_force, missing = [], []
    steps = (
        ("capabilities", _drop_capabilities),
        ("seccomp", _deny_calls),
        ("Landlock", lambda: _deny_writes(writable)),
    )
    for name, step in steps if sys.platform == "linux" else ():
        try:
            said = step()
        except OSError as problem:
            missing.append(f"{name} ({problem.strerror or problem})")
        else:
            in_force += [said] if said else []
    if sys.platform != "linux":
        missing.append(f"seccomp and Landlock (this is {sys.platform}, they are Linux's)")
    if missing and require:
        raise ConfigError(f"--sandbox require: {'; '.join(missing)}; take --sandbox auto to run with what there is")
    return Sandbox(in_force=tuple(in_force), missing=tuple(missing))


def _drop_capabilities() -> str:
    """Of a user that is not root: what the service manager gave for opening the interfaces. Root's are root's."""
    if os.geteuid() == 0:
        return ""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_CAP_AMBIENT, _CLEAR_ALL, 0, 0, 0)
    if libc.capset(struct.pack("=Ii", _CAPSET_VERSION, 0), bytes(24)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return "no capabilities"


def _deny_calls() -> str:
    return f"seccomp ({seccomp.deny()} system calls fail with EPERM)"


def _deny_writes(writable: Iterable[Path]) -> str:
    listed = sorted({str(path) for path in writable})
    landlock.permit_writes([Path(path) for path in listed])
    where = f"writes only to {', '.join(listed)}" if listed else "no writes to files"
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads > 1:
        where += f"; {threads - 1} threads that ran before are not held"
    return f"Landlock version {landlock.version()} ({where})"

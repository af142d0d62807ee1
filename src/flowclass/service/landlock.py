"""Takes the files and folders that may be written. Denies this process every other write, and every execution.

Landlock, Linux 5.13 and newer: landlock(7), the kernel's Documentation/userspace-api/landlock.rst, linux/landlock.h.
Reading stays permitted: configuration, name resolution, certificates, libraries and captures lie anywhere. What is
open already stays as it is.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
from collections.abc import Iterable
from pathlib import Path

# Numbers of system calls newer than Linux 5.0 are the same on all architectures but Alpha.
_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION = 1  # LANDLOCK_CREATE_RULESET_VERSION
_PATH_BENEATH = 1  # LANDLOCK_RULE_PATH_BENEATH
_SCOPE_SIGNAL = 1 << 1  # from version 6 on: no signal to processes outside

# LANDLOCK_ACCESS_FS_*, by the version of the interface that knows them.
_EXECUTE, _WRITE_FILE = 1 << 0, 1 << 1
_REMOVE_DIR, _REMOVE_FILE, _MAKE_CHAR, _MAKE_DIR, _MAKE_REG = (1 << bit for bit in range(4, 9))
_MAKE_SOCK, _MAKE_FIFO, _MAKE_BLOCK, _MAKE_SYM = (1 << bit for bit in range(9, 13))
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_FIRST = (
    _EXECUTE | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_CHAR | _MAKE_DIR | _MAKE_REG | _MAKE_SOCK
    | _MAKE_FIFO | _MAKE_BLOCK | _MAKE_SYM
)  # fmt: skip
_LATER = {2: _REFER, 3: _TRUNCATE, 5: _IOCTL_DEV}
_OF_A_FILE = _WRITE_FILE | _TRUNCATE
_OF_A_FOLDER = _OF_A_FILE | _REMOVE_FILE | _REMOVE_DIR | _MAKE_DIR | _MAKE_REG | _MAKE_SOCK | _REFER


def version() -> int:
    """Give the version of the kernel's interface; 0 where there is none."""
    return max(0, int(_libc().syscall(_CREATE, None, ctypes.c_size_t(0), _VERSION)))


def permit_writes(writable: Iterable[Path]) -> None:
    """Deny what this process does not need, for good: writes outside `writable`, executions, signals to others.

    Parameters
    ----------
    writable : iterable of Path
        Files and folders; a path that is not there stands for the nearest folder above it.

    Raises
    ------
    OSError
        When the kernel does not permit it; then nothing was denied.

    Notes
    -----
    It holds for the thread that calls and for those that it starts.
    """
    known = version()
    if known == 0:
        raise OSError(ctypes.get_errno(), "the kernel has no Landlock, or it is switched off")
    handled = _FIRST
    for since, rights in _LATER.items():
        handled |= rights if known >= since else 0
    # struct landlock_ruleset_attr: handled_access_fs, handled_access_net (4), scoped (6)
    facts = struct.pack("=QQQ", handled, 0, _SCOPE_SIGNAL if known >= 6 else 0)
    facts = facts[: 24 if known >= 6 else 16 if known >= 4 else 8]
    rules = _checked(_libc().syscall(_CREATE, facts, ctypes.c_size_t(len(facts)), 0))
    try:
        for path in {_nearest(path.absolute()) for path in writable}:
            _add(rules, path, handled)
        _checked(_libc().prctl(38, 1, 0, 0, 0))  # PR_SET_NO_NEW_PRIVS
        _checked(_libc().syscall(_RESTRICT, rules, 0))
    finally:
        os.close(rules)


def _nearest(path: Path) -> Path:
    return next(there for there in (path, *path.parents) if there.exists())


def _add(rules: int, path: Path, handled: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        rights = handled & (_OF_A_FOLDER if is_folder else _OF_A_FILE)
        facts = struct.pack("=Qi", rights, descriptor)  # struct landlock_path_beneath_attr, packed
        if _libc().syscall(_ADD, rules, _PATH_BENEATH, facts, 0) < 0 and ctypes.get_errno() != errno.EBADFD:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))  # a pipe lies in no folder: it is free
    finally:
        os.close(descriptor)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result

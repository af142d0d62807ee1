"""Leaves the rights of root once what needs them is open."""

from __future__ import annotations

import ctypes
import os
import sys

import click

_NO_NEW_PRIVILEGES = 38  # PR_SET_NO_NEW_PRIVS, linux/prctl.h


def become(user: str) -> None:
    """Become another user, for good: no group of before, no way back, no new rights through programs.

    Parameters
    ----------
    user : str
        Its name or number.

    Raises
    ------
    click.UsageError
        When there is no such user, it is root, or this process may not become another.
    """
    import pwd

    try:
        entry = pwd.getpwuid(int(user)) if user.isdecimal() else pwd.getpwnam(user)
    except KeyError:
        raise click.UsageError(f"--user {user}: this machine has no such user") from None
    if entry.pw_uid == 0:
        raise click.UsageError(f"--user {user}: that is root; name a user that has no rights, e.g. nobody")
    try:
        os.setgroups([])
        os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
        os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
    except PermissionError:
        raise click.UsageError(f"--user {user}: only root can become another user; leave it out") from None
    if sys.platform == "linux" and ctypes.CDLL(None).prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        raise click.UsageError(f"--user {user}: the kernel does not let rights be left for good (PR_SET_NO_NEW_PRIVS)")

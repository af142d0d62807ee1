"""Denies this process the system calls that a classifier never needs; they fail with EPERM, and nothing is killed.

By libseccomp, which is loaded at run time where it is installed, as libpcap is: it knows the numbers of every
architecture, and of its other personalities. seccomp(2), seccomp_rule_add(3).
"""

from __future__ import annotations

import ctypes
import errno
import os
from ctypes import c_char_p, c_int, c_uint, c_uint32, c_uint64, c_void_p

DENIED = (
    # programs, other processes
    "execve", "execveat", "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "kcmp", "process_madvise",
    # file systems and namespaces
    "mount", "umount", "umount2", "mount_setattr", "move_mount", "open_tree", "fsopen", "fsmount", "fsconfig", "fspick",
    "pivot_root", "chroot", "setns", "unshare", "quotactl", "quotactl_fd", "open_by_handle_at", "name_to_handle_at",
    # the kernel itself
    "init_module", "finit_module", "delete_module", "create_module", "kexec_load", "kexec_file_load", "reboot", "bpf",
    "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register", "add_key", "request_key",
    "keyctl", "acct", "swapon", "swapoff", "syslog", "vhangup", "iopl", "ioperm", "modify_ldt", "personality",
    "lookup_dcookie", "uselib", "ustat", "sysfs", "nfsservctl", "vserver",
    # the machine's clock and names
    "settimeofday", "clock_settime", "clock_settime64", "clock_adjtime", "clock_adjtime64", "adjtimex", "stime",
    "sethostname", "setdomainname",
    # new rights
    "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setfsuid", "setfsgid", "setgroups", "capset",
)  # fmt: skip
_NAMESPACES = (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000)  # CLONE_NEW*
_PACKET = 17  # AF_PACKET: the rings are open

_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000  # and the number
_NO_NEW_PRIVILEGES, _ALL_THREADS, _LOG = 3, 4, 6  # SCMP_FLTATR_CTL_NNP, _TSYNC, _LOG
_EQUAL, _MASKED_EQUAL = 4, 7
_LIBRARY = "libseccomp.so.2"


class _Compare(ctypes.Structure):
    """struct scmp_arg_cmp."""

    _fields_ = (("argument", c_uint), ("operator", c_int), ("first", c_uint64), ("second", c_uint64))


def deny() -> int:
    """Deny the calls, for all threads and for good.

    Returns
    -------
    int
        How many system calls are denied whatever their arguments.

    Raises
    ------
    OSError
        When libseccomp is not installed or the kernel has no seccomp; then nothing was denied.
    """
    library = _library()
    rules = library.seccomp_init(_ALLOW)
    if not rules:
        raise OSError(errno.ENOMEM, "libseccomp gave no filter")
    try:
        denied = sum(_refuse(library, rules, name) for name in DENIED)
        _refuse(library, rules, "clone3", error=errno.ENOSYS)  # its flags lie behind a pointer; clone is tried instead
        for flag in _NAMESPACES:
            _refuse(library, rules, "clone", _Compare(0, _MASKED_EQUAL, flag, flag))
        _refuse(library, rules, "socket", _Compare(0, _EQUAL, _PACKET, 0))
        library.seccomp_attr_set(rules, _NO_NEW_PRIVILEGES, 1)
        library.seccomp_attr_set(rules, _LOG, 1)  # by the kernel's audit, where that is on
        _checked(library.seccomp_attr_set(rules, _ALL_THREADS, 1))
        _checked(library.seccomp_load(rules))
    finally:
        library.seccomp_release(rules)
    return denied


def _refuse(
    library: ctypes.CDLL, rules: int, name: str, compare: _Compare | None = None, *, error: int = errno.EPERM
) -> bool:
    number = library.seccomp_syscall_resolve_name(name.encode())
    if number == -1:  # __NR_SCMP_ERROR: newer than the library
        return False
    compares = None if compare is None else ctypes.byref(compare)
    done: int = library.seccomp_rule_add_array(rules, _ERRNO | error, number, 0 if compare is None else 1, compares)
    if done == -errno.EDOM:  # not of this architecture
        return False
    _checked(done)
    return True


def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError:
        raise OSError(errno.ENOENT, f"{_LIBRARY} is not installed") from None
    library.seccomp_init.argtypes, library.seccomp_init.restype = (c_uint32,), c_void_p
    library.seccomp_release.argtypes, library.seccomp_release.restype = (c_void_p,), None
    library.seccomp_load.argtypes = (c_void_p,)
    library.seccomp_attr_set.argtypes = (c_void_p, c_int, c_uint32)
    library.seccomp_syscall_resolve_name.argtypes = (c_char_p,)
    library.seccomp_rule_add_array.argtypes = (c_void_p, c_uint32, c_int, c_uint, c_void_p)
    return library


def _checked(result: int) -> None:
    if result < 0:
        raise OSError(-result, os.strerror(-result))

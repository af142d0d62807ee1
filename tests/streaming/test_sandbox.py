"""What a run may no longer do once it is in the sandbox, tried out in processes of their own."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from capture_files import exchange, pcap
from conftest import Command, _missing
from running import live

import flowclass
from flowclass.errors import ConfigError
from flowclass.service import landlock, sandbox, seccomp

TRIES = """
import ctypes, errno, json, os, socket, subprocess, sys, threading
from pathlib import Path
from flowclass.service import landlock, seccomp

def said(work):
    try:
        work()
    except OSError as problem:
        return errno.errorcode[problem.errno]
    return "done"

def call(name, *args):
    number = seccomp._library().seccomp_syscall_resolve_name(name.encode())
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(number, *args) < 0:
        raise OSError(ctypes.get_errno(), name)

folder = Path(sys.argv[2])
"""


def tried(what: str, folder: Path, body: str) -> dict[str, str]:
    """Run tries in a sandbox; give how each ended."""
    ended = subprocess.run(
        [sys.executable, "-c", TRIES + body, what, str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(flowclass.__file__).parents[1])},
    )
    assert ended.returncode == 0, ended.stderr
    told: dict[str, str] = json.loads(ended.stdout)
    return told


@pytest.fixture
def with_seccomp() -> None:
    try:
        seccomp._library()
    except OSError as problem:
        _missing("seccomp", f"no seccomp: {problem}")


@pytest.fixture
def with_landlock() -> None:
    if landlock.version() == 0:
        _missing("landlock", "this kernel has no Landlock")


@pytest.mark.usefixtures("with_seccomp")
def test_system_calls_that_fail(tmp_path: Path) -> None:
    told = tried(
        "seccomp",
        tmp_path,
        """
ready, done = threading.Event(), {}
def before():
    ready.wait()
    done["a thread of before"] = said(lambda: os.execv("/bin/true", ["true"]))
thread = threading.Thread(target=before)
thread.start()
denied = seccomp.deny()
ready.set()
thread.join()
done |= {
    "program": said(lambda: subprocess.run(["/bin/true"])),
    "execve": said(lambda: os.execv("/bin/true", ["true"])),
    "ptrace": said(lambda: call("ptrace", 0, 0, 0, 0)),
    "mount": said(lambda: call("mount", b"none", b"/mnt", b"tmpfs", 0, 0)),
    "module": said(lambda: call("finit_module", -1, b"", 0)),
    "bpf": said(lambda: call("bpf", 0, 0, 0)),
    "namespace": said(lambda: call("unshare", 0x10000000)),
    "namespace by clone": said(lambda: call("clone", 0x10000000 | 17, 0, 0, 0, 0)),
    "packet socket": said(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)),
    "root": said(lambda: os.setuid(0)),
    "clock": said(lambda: call("clock_settime", 0, 0)),
    "tcp": said(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM).close()),
    "thread": said(lambda: threading.Thread(target=int).start()),
    "file": said(lambda: (folder / "x").write_text("x")),
}
print(json.dumps(done | {"denied": str(denied > 50)}))
""",
    )
    permitted = {name for name, how in told.items() if how == "done"}
    assert permitted == {"tcp", "thread", "file"}
    assert told.pop("denied") == "True"
    assert {how for name, how in told.items() if name not in permitted} == {"EPERM"}, told


@pytest.mark.usefixtures("with_landlock")
def test_files_that_are_not_written(tmp_path: Path) -> None:
    mine, other = tmp_path / "mine", tmp_path / "other"
    mine.mkdir()
    other.mkdir()
    (other / "there").write_text("here before")
    told = tried(
        "landlock",
        tmp_path,
        """
mine, other = folder / "mine", folder / "other"
landlock.permit_writes([mine, mine / "not" / "there", Path("/dev/stdout")])
print(json.dumps({
    "write": said(lambda: (mine / ".x").write_text("x")),
    "rename": said(lambda: (mine / ".x").rename(mine / "x")),
    "truncate": said(lambda: os.truncate(mine / "x", 0)),
    "folder": said(lambda: (mine / "y").mkdir()),
    "remove": said(lambda: (mine / "x").unlink()),
    "read": said(lambda: (other / "there").read_text()),
    "other write": said(lambda: (other / "x").write_text("x")),
    "other change": said(lambda: (other / "there").write_text("x")),
    "other remove": said(lambda: (other / "there").unlink()),
    "other rename": said(lambda: (other / "there").rename(mine / "there")),
    "other truncate": said(lambda: os.truncate(other / "there", 0)),
    "other folder": said(lambda: (other / "y").mkdir()),
    "program": said(lambda: os.execv("/bin/true", ["true"])),
}))
""",
    )
    assert (other / "there").read_text() == "here before"
    permitted = {name for name, how in told.items() if how == "done"}
    old = landlock.version() < 3  # truncating is seen from version 3 on
    assert permitted - ({"other truncate"} if old else set()) == {
        "write",
        "rename",
        "truncate",
        "folder",
        "remove",
        "read",
    }
    assert {how for name, how in told.items() if name not in permitted} <= {"EACCES", "EXDEV"}, told


@pytest.mark.usefixtures("with_seccomp", "with_landlock")
def test_a_run_in_the_sandbox_gives_the_same_rows(tmp_path: Path, captures: Path) -> None:
    octets = (captures / "wireguard-udp-51820.pcap").read_bytes()
    rows, told = {}, {}
    for how in ("require", "off"):
        out = tmp_path / how
        out.mkdir()
        process = live(
            "-", "--sandbox", how, "-o", out / "flows.jsonl", "--json", stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        said, _ = process.communicate(octets, timeout=120)
        assert process.returncode == 0
        told[how] = json.loads(said)
        rows[how] = (out / "flows.jsonl").read_text()
        assert [path.name for path in out.iterdir()] == ["flows.jsonl"]
    assert rows["require"] == rows["off"]
    assert f"writes only to {tmp_path / 'require'}" in told["require"]["sandbox"]
    assert "system calls fail with EPERM" in told["require"]["sandbox"]
    assert "missing" not in told["require"]["sandbox"]
    assert "sandbox" not in told["off"]


@pytest.mark.usefixtures("with_seccomp", "with_landlock")
@pytest.mark.parametrize("place", ["rotated", "folder", "watched", "pipe"])
def test_every_output_can_be_written_in_the_sandbox(tmp_path: Path, place: str) -> None:
    frames = pcap(exchange(20))
    out = tmp_path / "out"
    args: dict[str, list[str | Path]] = {
        "rotated": ["-", "-o", out, "--rotate-rows", "1", "--format", "jsonl"],
        "folder": ["-", "-o", f"{out}/"],
        "watched": ["--watch", tmp_path, "--settle", "100ms", "--duration", "2s", "-o", tmp_path / "a.jsonl"],
        "pipe": ["-", "-o", "/dev/fd/1", "--format", "jsonl"],
    }
    (tmp_path / "a.pcap").write_bytes(frames)
    process = live(*args[place], "--sandbox", "require", "-q", stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/")
    said, _ = process.communicate(frames, timeout=120)
    assert process.returncode == 0
    found = {
        "rotated": len(list(out.glob("*.jsonl"))) == 1,
        "folder": (out / "flows.parquet").exists(),
        "watched": (tmp_path / "a.jsonl").exists() and (tmp_path / ".flowclass-watch.json").exists(),
        "pipe": len(said.splitlines()) == 1,
    }
    assert found[place]


def test_what_is_missing_is_said_and_refused_where_all_was_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: object) -> int:
        raise OSError(errno.ENOSYS, "the kernel has none")

    monkeypatch.setattr(seccomp, "deny", nothing)
    monkeypatch.setattr(landlock, "permit_writes", nothing)
    entered = sandbox.enter([], require=False)
    assert not entered.whole
    assert str(entered).endswith("missing: seccomp (the kernel has none); Landlock (the kernel has none)")
    with pytest.raises(ConfigError, match=r"--sandbox require: seccomp .*take --sandbox auto"):
        sandbox.enter([], require=True)


def test_a_process_that_has_other_things_to_do_is_left_as_it_is(tmp_path: Path, flowclass_command: Command) -> None:
    def rights() -> list[str]:
        lines = Path("/proc/self/status").read_text().splitlines()
        return [line for line in lines if line.startswith(("NoNewPrivs", "Seccomp", "Cap"))]

    before = rights()
    ended = flowclass_command(
        "live", "--watch", tmp_path, "--settle", "100ms", "--duration", "200ms", "--format", "none"
    )
    assert ended.code == 0
    assert "sandbox" not in ended.err
    assert rights() == before

"""Runs that are killed and go on from their checkpoint: every row once, the same as of a run that was not killed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from capture_files import START_NS, pcap, udp_frame
from conftest import Command

from flowclass.sinks.rotating import parts

KILLS = int(os.environ.get("FLOWCLASS_KILLS", "4"))
"""How often the command is killed; 50 take some minutes."""
SECOND = 1_000_000_000
HERE = Path(__file__).parent


def many_flows(folder: Path, files: int, flows: int) -> None:
    """Write captures of so many short flows each, with what is ours among them at the front."""
    dice = random.Random(files * flows)
    now = START_NS
    for number in range(files):
        frames = []
        for flow in range(flows):
            now += dice.randrange(1_000_000, 40_000_000)
            client = f"10.{number}.{flow >> 8 & 255}.{flow & 255}"
            for packet in range(dice.randrange(1, 7)):
                ends = (client, 40_000, "192.0.2.1", 53) if packet % 2 == 0 else ("192.0.2.1", 53, client, 40_000)
                frames.append((now + packet * 3_000_000_000, udp_frame(*ends, dice.randbytes(dice.randrange(1, 300)))))
        frames.sort()
        now = frames[-1][0]
        (folder / f"part-{number:03}.pcap").write_bytes(pcap(frames))


@pytest.fixture(scope="module")
def traffic(tmp_path_factory: pytest.TempPathFactory, captures: Path) -> Path:
    folder = tmp_path_factory.mktemp("traffic")
    many_flows(folder, 3, 200)
    for name in ("wireguard-udp-51820.pcap", "openvpn-udp.pcap", "https-tls13.pcap"):
        if (captures / name).exists():
            (folder / name).symlink_to(captures / name)
    return folder


def rows_of(output: Path) -> list[bytes] | list[dict[str, Any]]:
    """Give the rows of a file of lines, or of a folder of files that were written one after the other."""
    if output.is_file():
        return output.read_bytes().splitlines()
    if parts(output):
        return pa.concat_tables([pq.read_table(path) for path in parts(output)]).to_pylist()
    return [line for path in sorted(output.glob("flows-*")) for line in path.read_bytes().splitlines()]


def leftovers(folder: Path) -> list[str]:
    """Give what is hidden in a folder; locks of runs that were killed are nobody's and harm nobody."""
    return sorted(path.name for path in folder.rglob(".*") if path.suffix != ".lock" and "watch" not in path.name)


def started(*args: str | Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "flowclass", *map(str, args)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def killed_until_done(
    command: Sequence[str | Path], kills: int, longest_s: float, over: Callable[[], bool] = lambda: False
) -> int:
    """Start a command again and again, kill it when the dice say, let the last one end; give the kills that hit.

    `over` says after a kill that the run had come to its end, and only the process had not.
    """
    dice = random.Random(kills)
    hit = 0
    for attempt in count():
        process = started(*command)
        assert process.stderr is not None
        try:
            process.wait(dice.uniform(0, longest_s) if attempt < kills else 120)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            process.stderr.close()
            hit += 1
            if over():
                return hit
            continue
        said = process.stderr.read().decode()
        process.stderr.close()
        assert process.returncode == 0, said
        return hit
    raise AssertionError


FORMS: dict[str, list[str]] = {
    "lines": ["-o", "flows.jsonl"],
    "eve": ["-o", "flows.eve"],
    "zeek": ["-o", "flows.zeek"],
    "csv": ["-o", "flows.csv"],
    "rotated_parquet": ["-o", "flows/", "--rotate", "15s"],
    "rotated_lines": ["-o", "flows/", "--format", "jsonl", "--rotate-rows", "100"],
}


def placed(folder: Path, form: str) -> tuple[Path, list[str]]:
    """Give the output of a form in a folder, and the options that say so."""
    folder.mkdir(exist_ok=True)
    output = folder / FORMS[form][1]
    return output, ["-o", str(output), *FORMS[form][2:]]


@pytest.mark.parametrize("form", ["lines", "rotated_parquet"])
def test_killed_at_any_moment(form: str, tmp_path: Path, traffic: Path) -> None:
    whole, options = placed(tmp_path / "whole", form)
    began = time.monotonic()
    assert killed_until_done(["classify", traffic, *options], 0, 0) == 0
    usual = time.monotonic() - began
    output, options = placed(tmp_path / "kept", form)
    kept = ["--checkpoint", str(tmp_path / "kept" / "state"), "--checkpoint-every", "1ms"]

    def over() -> bool:
        return bool(output.exists() and rows_of(output)) and not (tmp_path / "kept" / "state").exists()

    hit = killed_until_done(["classify", traffic, *options, *kept], KILLS, 1.5 * usual, over)
    assert hit > 0
    assert rows_of(output) == rows_of(whole)
    assert not leftovers(tmp_path / "kept")


def test_killed_while_watching(tmp_path: Path, traffic: Path) -> None:
    whole, options = placed(tmp_path / "whole", "rotated_lines")
    began = time.monotonic()
    watch = ["live", "--watch", traffic, "--settle", "0s", "--duration", "2s"]
    assert killed_until_done([*watch, "--state", tmp_path / "other", *options], 0, 0) == 0
    usual = time.monotonic() - began
    output, options = placed(tmp_path / "kept", "rotated_lines")
    state = ["--state", tmp_path / "read", "--checkpoint", tmp_path / "state", "--checkpoint-every", "1ms"]
    killed_until_done([*watch, *state, *options], max(2, KILLS // 2), usual)
    assert rows_of(output) == rows_of(whole)
    assert (tmp_path / "read").exists()
    assert not (tmp_path / "state").exists()
    killed_until_done([*watch, *state, *options], 0, 0)  # each file once, also after the run has ended
    assert rows_of(output)[:-1] == rows_of(whole)[:-1] or rows_of(output) == rows_of(whole)


@pytest.mark.parametrize("form", FORMS)
def test_killed_at_every_step(form: str, tmp_path: Path, traffic: Path) -> None:
    """Before and after each sync, rename and removal of a run with a checkpoint at every slice."""
    whole, options = placed(tmp_path / "whole", form)
    case = {
        "whole": ["classify", str(traffic), *options, *_checkpoint(tmp_path / "first")],
        "kept": ["classify", str(traffic)],
        "stride": 1 if KILLS >= 50 else 13,
    }
    place = tmp_path / "kept-{}"
    case["output"], case["state"] = str(place / FORMS[form][1]), str(place / "state")
    case["kept"] += ["-o", str(place / FORMS[form][1]), *FORMS[form][2:], *_checkpoint(place / "state")]
    for number in range(400):
        Path(str(place).replace("{}", str(number))).mkdir()
    done = subprocess.run(
        [sys.executable, HERE / "killed.py"], input=json.dumps(case), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["steps"] > 20
    expected = rows_of(whole)
    # How many checkpoints there are is the clock's to say: a run may be over before its step comes.
    assert [code for _, _, code, _ in told["ends"]].count(137) > len(told["ends"]) / 2
    for number, step, code, again in told["ends"]:
        folder = Path(str(place).replace("{}", str(number)))
        assert code in (137, 0), (step, done.stderr[-2000:])
        assert again == 0, (step, done.stderr[-2000:])
        assert rows_of(folder / FORMS[form][1]) == expected, step
        assert not leftovers(folder), step


def _checkpoint(path: Path) -> list[str]:
    return ["--checkpoint", str(path), "--checkpoint-every", "1ms", "-q"]


def test_a_signal_suspends(tmp_path: Path, traffic: Path) -> None:
    """After SIGTERM no flow is ended: the same command goes on, and the rows are those of one run."""
    whole, options = placed(tmp_path / "whole", "lines")
    watch = ["live", "--watch", traffic, "--settle", "0s", "--state"]
    killed_until_done([*watch, tmp_path / "other", "--duration", "1s", *options], 0, 0)
    output, options = placed(tmp_path / "kept", "lines")
    kept = ["--checkpoint", tmp_path / "state"]
    process = started(*watch, tmp_path / "read", *options, *kept)
    assert process.stderr is not None
    while not (tmp_path / "state").exists():
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 143
    assert "suspended by a signal" in process.stderr.read().decode()
    process.stderr.close()
    assert not output.exists()
    killed_until_done([*watch, tmp_path / "read", "--duration", "1s", *options, *kept], 0, 0)
    assert rows_of(output) == rows_of(whole)


def test_standard_input(tmp_path: Path, traffic: Path) -> None:
    """A file on standard input is gone on with; of a pipe it is said what is lost."""
    source = traffic / "part-000.pcap"
    whole, options = placed(tmp_path / "whole", "lines")
    with source.open("rb") as stdin:
        subprocess.run([sys.executable, "-m", "flowclass", "live", "-", *options, "-q"], stdin=stdin, check=True)
    output, options = placed(tmp_path / "kept", "lines")
    command = [sys.executable, "-m", "flowclass", "live", "-", *options, "--checkpoint", str(tmp_path / "state")]
    script = "import os, sys; from flowclass.engine import Engine; push = Engine.push\n"
    script += "def once(self, chunk):\n    push(self, chunk)\n    Engine.push = lambda *_: os._exit(137)\n"
    script += "Engine.push = once; from flowclass.cli.main import run; sys.exit(run(sys.argv[1:]))"
    with source.open("rb") as stdin:
        killed = [sys.executable, "-c", script, *command[3:]]
        assert subprocess.run(killed, stdin=stdin, check=False, stderr=subprocess.DEVNULL).returncode == 137
    with source.open("rb") as stdin:
        subprocess.run(command, stdin=stdin, check=True, stderr=subprocess.DEVNULL)
    assert rows_of(output) == rows_of(whole)
    output.unlink()
    octets = source.read_bytes()
    assert subprocess.run(killed, input=octets, check=False, stderr=subprocess.DEVNULL).returncode == 137
    done = subprocess.run(command, input=octets, check=False, stderr=subprocess.PIPE)
    assert done.returncode == 3
    assert b"a pipe cannot be gone back in" in done.stderr
    assert not (tmp_path / "state").exists()


def halfway(tmp_path: Path, traffic: Path, *options: str) -> Path:
    """Leave a checkpoint of a run that was killed at its third push."""
    script = "import os, sys; from flowclass.engine import Engine; push, left = Engine.push, [3]\n"
    script += "def some(self, chunk):\n    left[0] -= 1\n    left[0] or os._exit(137)\n    push(self, chunk)\n"
    script += "Engine.push = some; from flowclass.cli.main import run; sys.exit(run(sys.argv[1:]))"
    state = tmp_path / "state"
    command = ["classify", traffic, "-o", tmp_path / "flows.jsonl", *_checkpoint(state), *options]
    process = subprocess.run([sys.executable, "-c", script, *map(str, command)], check=False)
    assert process.returncode == 137
    assert state.stat().st_mode & 0o777 == 0o600
    return state


def test_what_does_not_fit_is_refused(tmp_path: Path, traffic: Path, flowclass_command: Command) -> None:
    state = halfway(tmp_path, traffic)
    usual = ["classify", traffic, "-o", tmp_path / "flows.jsonl", "--checkpoint", state]
    others: list[tuple[list[str | Path], str]] = [
        ([*usual, "--threads", "2"], "--threads 1 there and 2 here"),
        ([*usual, "--features"], "--features no there and yes here"),
        ([*usual, "--idle-timeout", "7s"], "--idle-timeout 120000000000 ns there and 7000000000 ns here"),
        (["classify", traffic, "-o", tmp_path / "more.jsonl", "--checkpoint", state], "-o "),
        (["classify", traffic / "part-000.pcap", *usual[2:]], "it is of a run over"),
    ]
    for command, said in others:
        ended = flowclass_command(*command)
        assert ended.code == 5
        assert "the checkpoint is refused" in ended.err
        assert said in ended.err
    before = state.read_bytes()
    for damaged, said in (
        (b"", "cut short"),
        (before[:-1], "not those that were written"),
        (b"\0" * len(before), "no checkpoint"),
    ):
        state.write_bytes(damaged)
        ended = flowclass_command(*usual)
        assert (ended.code, "the checkpoint is refused" in ended.err, said in ended.err) == (5, True, True), ended.err
    for place in range(0, len(before), max(1, len(before) // 40)):
        state.write_bytes(before[:place] + bytes([before[place] ^ 1]) + before[place + 1 :])
        assert flowclass_command(*usual).code == 5, place
    state.write_bytes(before)
    assert flowclass_command(*usual).code == 0
    assert not state.exists()


def test_outputs_that_cannot_go_on_are_refused(tmp_path: Path, traffic: Path, flowclass_command: Command) -> None:
    for options, said in (
        (["-o", tmp_path / "flows.parquet"], "--rotate"),
        (["-o", tmp_path / "flows.arrow"], "--rotate"),
        (["-o", tmp_path / "flows.jsonl", "--table"], "--table"),
        ([], "-o"),
        (["-o", tmp_path / "flows", "--rotate-rows", "9", "--on-slow", "drop"], "--on-slow"),
    ):
        ended = flowclass_command("classify", traffic, *options, "--checkpoint", tmp_path / "state")
        assert ended.code == 2
        assert said in ended.err
        assert not (tmp_path / "state").exists()


def test_a_file_that_changed_is_said(tmp_path: Path, traffic: Path, flowclass_command: Command) -> None:
    """What the engine has of it holds; its rest is not guessed at."""
    folder = tmp_path / "own"
    folder.mkdir()
    many_flows(folder, 1, 2500)
    state = halfway(tmp_path, folder)
    (folder / "part-000.pcap").write_bytes((folder / "part-000.pcap").read_bytes() + b"\0")
    ended = flowclass_command("classify", folder, "-o", tmp_path / "flows.jsonl", "--checkpoint", state)
    assert ended.code == 3
    assert "it is not the file that it was" in ended.err
    assert rows_of(tmp_path / "flows.jsonl")


def test_one_run_at_a_time(tmp_path: Path, traffic: Path, flowclass_command: Command) -> None:
    import fcntl

    with (tmp_path / ".state.lock").open("wb") as lock:
        fcntl.flock(lock.fileno(), fcntl.LOCK_EX)
        ended = flowclass_command(
            "classify", traffic, "-o", tmp_path / "flows.jsonl", "--checkpoint", tmp_path / "state"
        )
        assert ended.code == 5
        assert "another run uses this checkpoint" in ended.err

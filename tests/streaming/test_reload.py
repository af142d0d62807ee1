"""Registry and policy that change while packets come: no row lost, each names its judges, bad files change nothing."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from capture_files import pcap, read_pcap, udp_frame

import flowclass
from flowclass.engine import Engine
from flowclass.pipeline.batch import Run
from flowclass.pipeline.options import RunOptions
from flowclass.pipeline.reload import SETTLE_S, JudgesFiles, Reloader
from flowclass.types import EngineOptions

HEAD = "registration_id,category,status,prefix,protocols,valid_from,valid_until,submitted_at,approved_at,note_ref\n"
ROW = "{},organization,approved,{},,2020-01-01,2099-01-01,2020-01-01,2020-01-01,R-1\n"
POLICY = '[[phase]]\nname = "{}"\nfrom = 2000-01-01\noutcome = "{}"\n'
SECOND = 1_000_000_000
DIGITS = 12

Rows = list[dict[str, Any]]


def registry_text(*prefixes: str) -> str:
    return HEAD + "".join(ROW.format(f"ORG-{number}", prefix) for number, prefix in enumerate(prefixes))


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.fixture
def registries(tmp_path: Path) -> list[flowclass.Registry]:
    """Give one that knows the client of the flows below, and one that does not."""
    texts = (registry_text("10.1.0.0/16"), registry_text("192.0.2.0/24"))
    return [flowclass.Registry.load(written(tmp_path / f"{n}.csv", text)) for n, text in enumerate(texts)]


@pytest.fixture
def policies(tmp_path: Path) -> list[flowclass.Policy]:
    texts = (POLICY.format("trial", "violation_trial"), POLICY.format("enforce", "violation"))
    return [flowclass.Policy.load(written(tmp_path / f"{n}.toml", text)) for n, text in enumerate(texts)]


@pytest.fixture(scope="module")
def handshake(captures: Path) -> list[bytes]:
    """Give the payloads of a WireGuard handshake and what follows, each with who sent it."""
    frames, _ = read_pcap(captures / "wireguard-udp-51820.pcap")
    return [frame[42:] for _, frame in frames if frame[12:14] == b"\x08\0" and frame[23] == 17][:4]


def tunnels(count: int, handshake: list[bytes], start: int = 1_732_000_000 * SECOND) -> Iterator[tuple[int, bytes]]:
    """Give WireGuard flows, one a second, each from its own client."""
    for number in range(count):
        client, server = f"10.1.{number // 250}.{number % 250 + 1}", "10.2.0.1"
        for step, payload in enumerate(handshake):
            ends = (client, 40000, server, 51820) if step % 2 == 0 else (server, 51820, client, 40000)
            yield start + number * SECOND + step * 1_000_000, udp_frame(*ends, payload)


def rows_of(batches: list[Any]) -> Rows:
    return [row for batch in batches for row in batch.select(NAMES).to_pylist()]


NAMES = [
    "flow_id", "protocol", "registry_match", "policy_outcome", "policy_phase", "registry_version", "policy_version",
    "src_ip",
]  # fmt: skip


def test_no_judges_no_versions(handshake: list[bytes], registries: list[flowclass.Registry]) -> None:
    frames = list(tunnels(1, handshake))
    (row,) = rows_of(list(flowclass.stream(pcap(frames))))
    assert row["protocol"] == "wireguard"
    assert (row["registry_version"], row["policy_version"]) == (None, None)
    (row,) = rows_of(list(flowclass.stream(pcap(frames), registry=registries[0])))
    assert (row["registry_version"], row["policy_version"]) == (registries[0].version[:DIGITS], None)


@pytest.mark.parametrize("threads", [1, 2])
def test_under_load(
    threads: int, handshake: list[bytes], registries: list[flowclass.Registry], policies: list[flowclass.Policy]
) -> None:
    """Flows end while others replace the judges again and again: each row is as one of them alone says it."""
    frames = list(tunnels(1500, handshake))
    engine_options = EngineOptions(idle_timeout_ns=2 * SECOND, batch_rows=64)
    pairs = list(itertools.product(registries, policies))
    alone = {}
    for registry, policy in pairs:
        found = flowclass.classify(pcap(frames), registry=registry, policy=policy, options=engine_options)
        key = (registry.version[:DIGITS], policy.sha256[:DIGITS])
        alone |= {(row["flow_id"], *key): row for row in rows_of(list(found))}
    assert len(alone) == 4 * 1500
    assert len({row["policy_outcome"] for row in alone.values()}) == 3

    stream: flowclass.Stream
    turn = itertools.cycle(pairs)

    def packets() -> Iterator[tuple[int, bytes]]:
        for number, frame in enumerate(frames):
            if number % 200 == 199:
                registry, policy = next(turn)
                stream.reload(registry=registry, policy=policy)
            yield frame

    stream = flowclass.stream(
        packets(), registry=registries[0], policy=policies[0], threads=threads, options=engine_options
    )
    rows = rows_of(list(stream))
    assert len(rows) == len({row["flow_id"] for row in rows}) == 1500, "none lost, none twice"
    used = {(row["registry_version"], row["policy_version"]) for row in rows}
    assert len(used) == 4
    for row in rows:
        assert row == alone[(row["flow_id"], row["registry_version"], row["policy_version"])]
    assert stream.balance.closed


def test_what_has_ended_keeps_its_judges(
    handshake: list[bytes], registries: list[flowclass.Registry], policies: list[flowclass.Policy]
) -> None:
    """Rows that were made and not yet taken are a batch of their own."""
    engine = Engine(EngineOptions(idle_timeout_ns=SECOND), registry=registries[0], policy=policies[0], early=True)
    engine.begin_source("")
    engine.push(pcap(list(tunnels(10, handshake))))
    engine.set_judges(registries[1], policies[1])
    before = engine.poll()
    early = engine.poll_early()
    after = engine.finish()
    assert sum(batch.num_rows for batch in before + after) == 10
    for batches, which in ((before, 0), (after, 1), (early, 0), (engine.poll_early(), 1)):
        assert batches
        for row in rows_of(batches):
            assert row["registry_version"] == registries[which].version[:DIGITS]
            assert row["policy_version"] == policies[which].sha256[:DIGITS]
            assert row["policy_outcome"] == ("allow" if which == 0 else "violation")
            assert row["policy_phase"] == ("trial" if which == 0 else "enforce")


def test_a_bad_one_raises_and_changes_nothing(
    tmp_path: Path, handshake: list[bytes], registries: list[flowclass.Registry]
) -> None:
    bad = written(tmp_path / "bad.csv", HEAD + ROW.format("ORG-1", "10.0.0.0/40"))
    stream = flowclass.stream(pcap(list(tunnels(3, handshake))), registry=registries[0])
    with pytest.raises(flowclass.RegistryError):
        stream.reload(registry=bad)
    with pytest.raises(flowclass.ConfigError):
        stream.reload(policy=tmp_path / "absent.toml")
    assert {row["registry_version"] for row in rows_of(list(stream))} == {registries[0].version[:DIGITS]}
    alone = flowclass.stream(pcap([]))
    with pytest.raises(flowclass.ConfigError, match="registry"):
        alone.reload(policy=written(tmp_path / "p.toml", POLICY.format("a", "violation")))


class Watched:
    """A run without packets whose files are looked at by hand, at times that are said."""

    def __init__(self, registry: Path, policy: Path | None = None) -> None:
        self.said: list[str] = []
        files = JudgesFiles(registry, policy)
        options = RunOptions(
            registry=flowclass.Registry.load(registry),
            policy=None if policy is None else flowclass.Policy.load(policy),
        )
        self.run = Run([], options)
        self.reloader = Reloader(self.run.judges, files, self.said.append)
        self.now = 0.0

    def look(self, times: int = 1) -> None:
        for _ in range(times):
            self.now += SETTLE_S
            self.reloader.look(self.now)
        list(self.run.batches())  # puts in force what is to be

    @property
    def knows(self) -> int | None:
        return None if self.run.judges.registry is None else len(self.run.judges.registry)


def replaced(path: Path, text: str) -> None:
    other = path.with_name("other")
    other.write_text(text)
    other.rename(path)


@pytest.mark.parametrize("write", [written, replaced])
def test_a_file_that_changes_is_taken_once_it_is_quiet(write: Callable[[Path, str], Any], tmp_path: Path) -> None:
    path = written(tmp_path / "r.csv", registry_text("10.0.0.0/8"))
    watched = Watched(path)
    watched.look(3)
    assert (watched.knows, watched.said) == (1, [])
    write(path, registry_text("10.0.0.0/8", "192.0.2.0/24"))
    watched.look()
    assert watched.knows == 1, "it may still be written"
    watched.look()
    assert watched.knows == 2
    watched.look(3)
    assert len(watched.said) == 1
    assert "takes over" in watched.said[0]
    assert (watched.run.judges.reloads.taken, watched.run.judges.reloads.refused) == (1, 0)


def test_a_file_that_is_being_written_is_let_alone(tmp_path: Path) -> None:
    path = written(tmp_path / "r.csv", registry_text("10.0.0.0/8"))
    watched = Watched(path)
    text = registry_text(*(f"192.0.{number}.0/24" for number in range(8)))
    for end in range(len(HEAD) + 10, len(text), 40):
        path.write_text(text[:end])
        watched.look()
        assert (watched.knows, watched.said) == (1, [])
    path.write_text(text)
    watched.look(2)
    assert watched.knows == 8


def test_a_file_that_does_not_hold_is_said_once(tmp_path: Path) -> None:
    path = written(tmp_path / "r.csv", registry_text("10.0.0.0/8"))
    policy = written(tmp_path / "p.toml", POLICY.format("a", "violation"))
    watched = Watched(path, policy)
    before = (watched.run.judges.registry, watched.run.judges.policy)
    path.write_text(HEAD + ROW.format("ORG-1", "nonsense"))
    policy.write_text("[[phase]]\nname = 3")
    watched.look(4)
    assert (watched.run.judges.registry, watched.run.judges.policy) == before
    assert len(watched.said) == 2
    assert all(text.startswith("error: ") and "of before stays in force" in text for text in watched.said)
    assert watched.run.judges.reloads.refused == 2
    watched.reloader.ask()
    watched.look()
    assert len(watched.said) == 2, "the same once only"
    assert watched.run.judges.reloads.refused == 4
    assert "phase" in watched.run.judges.reloads.problem or "p.toml" in watched.run.judges.reloads.problem
    path.unlink()
    watched.look(3)
    assert watched.run.judges.registry is before[0], "a file that went away is waited for"
    replaced(path, registry_text("10.0.0.0/8", "10.9.0.0/16"))
    watched.look(2)
    assert watched.knows == 2
    watched.reloader.ask()
    path.unlink()
    watched.look()
    assert "cannot be read" in watched.said[-1]
    assert watched.knows == 2


def test_snapshots(tmp_path: Path, registries: list[flowclass.Registry]) -> None:
    path = tmp_path / "r.fcr"
    registries[0].save(path, built_at=0)
    watched = Watched(path)
    registries[1].save(path, built_at=0)
    watched.look(2)
    assert watched.run.judges.registry is not None
    assert watched.run.judges.registry.version == registries[1].version
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    watched.look(2)
    assert watched.run.judges.registry.version == registries[1].version
    assert watched.run.judges.reloads.refused == 1


def lines(path: Path) -> Rows:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def wait_for(what: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.02)


@pytest.mark.parametrize("how", ["sighup", "rename"])
def test_the_real_program(how: str, tmp_path: Path, handshake: list[bytes]) -> None:
    registry = written(tmp_path / "r.csv", registry_text("10.1.0.0/16"))
    policy = written(tmp_path / "p.toml", POLICY.format("enforce", "violation"))
    command = [sys.executable, "-m", "flowclass", "live", "-", "--registry", registry, "--policy", policy, "--json"]
    command += ["--idle-timeout", "1s", "--verdicts", tmp_path / "v.jsonl", "-o", tmp_path / "flows.jsonl"]
    said: list[str] = []
    with subprocess.Popen(
        list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        assert program.stderr is not None
        reader = threading.Thread(target=lambda: said.extend(map(bytes.decode, program.stderr)))  # type: ignore[arg-type]
        reader.start()
        frames = list(tunnels(8, handshake))
        program.stdin.write(pcap(frames[:16]))
        program.stdin.flush()
        wait_for(lambda: len(lines(tmp_path / "v.jsonl")) >= 2)
        for text, words in ((HEAD + "broken", "stays in force"), (registry_text("192.0.2.0/24"), "takes over")):
            replaced(registry, text)
            if how == "sighup":
                os.kill(program.pid, signal.SIGHUP)
            wait_for(lambda words=words: any(words in line for line in said))
        program.stdin.write(pcap(frames[16:])[24:])
        program.stdin.close()
        summary = json.loads(program.stdout.read())
        assert program.wait(60) == 0
        reader.join()
    rows = lines(tmp_path / "flows.jsonl")
    assert len(rows) == 8
    versions = [row["registry_version"] for row in rows]
    assert [row["policy_outcome"] for row in rows] == [
        "allow" if version == versions[0] else "violation" for version in versions
    ]
    assert len(set(versions)) == 2
    assert versions == sorted(versions, key=versions.index), "the one after the other"
    assert summary["registry_version"].startswith(versions[-1])
    assert summary["reloads"]["taken"] == 1
    assert summary["reloads"]["refused"] == 1
    assert "r.csv" in summary["reloads"]["problem"]

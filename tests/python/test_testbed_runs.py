"""Runs of the testbed: its command line, the dataset card, and namespaces that leave nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from datasets.testbed import __main__ as command_line  # noqa: E402
from datasets.testbed import card, host, installed, labels, network, parallel, programs, runner, scenario, unpack  # noqa: E402
from datasets.testbed.errors import MissingError, TestbedError  # noqa: E402
from datasets.testbed.lab import Lab, Program  # noqa: E402
from datasets.testbed.scenario import Addresses, Scenario  # noqa: E402

from testbed_namespaces import left_of, rooted  # noqa: E402, F401  isort:skip

DATASETS = ROOT / "datasets"


# --- the card -------------------------------------------------------------------------------------


def test_the_card_is_up_to_date() -> None:
    assert card.up_to_date(DATASETS), "write it with: python -m datasets.testbed card"


def test_the_card_counts_what_the_lists_say(tmp_path: Path) -> None:
    label = {"capture": "a.pcap", "src_ip": "10.0.0.1", "ip_proto": 17, "family": "dns", "variant": None}
    lines = [label, label | {"src_ip": "2001:db8::1", "ip_proto": 6}, label | {"family": "ike", "variant": "ikev2"}]
    labels.replace_lines(tmp_path / "labels.jsonl", "a.pcap", lines)
    record = {"capture": "a.pcap", "packets": 12, "impairments": {"loss": 0.1, "counts": {}}, "synthetic": True}
    labels.replace_lines(tmp_path / "captures.jsonl", "a.pcap", [record])
    text = card.tables(tmp_path)
    assert "1 captures with 12 packets and 3 flows of 2 families." in text
    assert "| dns |  | 1 | 2 | 1 | 1 | 1 | 1 | 0 |" in text
    assert "| ike | ikev2 | 1 | 1 | 1 | 0 | 0 | 1 | 0 |" in text
    assert "| a.pcap | loss 0.1 |" in text
    assert "instead of the protocol's own: a.pcap." in text
    readme = tmp_path / "README.md"
    with pytest.raises(TestbedError, match="does not say where its tables go"):
        card.write(tmp_path)
    markers = "<!-- counted by `python -m datasets.testbed card` -->\nold\n<!-- end of what is counted -->"
    readme.write_text(f"before\n{markers}\nafter\n")
    assert command_line.main(["card", str(tmp_path), "--check"]) == 1
    assert command_line.main(["card", str(tmp_path)]) == 0
    assert command_line.main(["card", str(tmp_path), "--check"]) == 0
    written = readme.read_text()
    assert written.startswith("before\n")
    assert written.endswith("-->\nafter\n")
    assert "old" not in written
    assert text in written


def test_impaired_captures_say_what_was_done_to_them() -> None:
    records = [json.loads(line) for line in (ROOT / "datasets" / "captures.jsonl").read_text().splitlines()]
    stated = {record["capture"]: record["impairments"] for record in records if record.get("impairments")}
    for name in scenario.all_names():
        each = scenario.load(name)
        if not each.path.stated() or each.capture not in {record["capture"] for record in records}:
            continue
        told = dict(stated[each.capture])
        counts = told.pop("counts", None)
        assert told == each.path.stated(), name
        assert (counts is not None) == each.path.forwards
        for key, count in (("loss", "lost"), ("duplicate", "duplicated"), ("reorder", "overtaken"), ("mtu", "too_big")):
            if getattr(each.path, key):
                assert sum(way[count] for way in counts.values()), f"{name}: {key} never happened"
    kinds = {key for told in stated.values() for key in told}
    assert kinds >= {"loss", "duplicate", "reorder", "mtu", "nat", "snaplen", "delay"}


# --- the command line -----------------------------------------------------------------------------


def test_scenarios_are_listed_by_program(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["list", "--program", "ntp", "--program", "icmp"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line for line in said if not line.startswith(" ")] == ["icmp (2)", "ntp (2)", "4 scenarios of 2 programs"]
    assert command_line.main(["list", "--program", "telepathy"]) == 1
    assert "no scenario is for telepathy; there are:" in capsys.readouterr().err


def test_packages_come_from_what_programs_require(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["check", "--packages"]) == 0
    told = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())
    assert {"openvpn", "tcpdump", "wireshark-common", "strongswan-charon", "libcharon-extra-plugins"} <= set(
        told["apt"].split()
    )
    assert "aioquic" in told["pip"].split()
    assert command_line.main(["check", "--packages", "pip"]) == 0
    assert capsys.readouterr().out.strip() == told["pip"]
    assert command_line.main(["check", "--packages", "brew"]) == 1


def test_every_requirement_says_how_to_get_it() -> None:
    for name in scenario.all_names():
        for requirement in installed.requirements(scenario.load(name)):
            kind, _, package = requirement.package.partition(": ")
            assert kind in ("apt", "pip", "unpack"), requirement
            assert package.strip(), requirement


def test_packages_that_exclude_others_are_unpacked_and_linked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(argv: Sequence[str], folder: Path) -> None:
        if argv[0] == "apt-get":
            (folder / f"{argv[-1]}_1_all.deb").write_bytes(b"")
        else:
            (Path(argv[-1]) / "usr/libexec/ipsec").mkdir(parents=True, exist_ok=True)
            (Path(argv[-1]) / "usr/libexec/ipsec/pluto").write_text(argv[2])

    monkeypatch.setattr(unpack, "_run", run)
    link = tmp_path / "root/usr/libexec/ipsec"
    for _ in range(2):
        assert unpack.unpack(["libreswan"], tmp_path / "opt", tmp_path / "root") == [
            f"libreswan: unpacked into {tmp_path / 'opt' / 'libreswan'}"
        ]
        assert (link / "pluto").read_text().endswith("libreswan_1_all.deb")
    link.unlink()
    link.mkdir()
    with pytest.raises(TestbedError, match="move it away"):
        unpack.unpack(["libreswan"], tmp_path / "opt", tmp_path / "root")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert command_line.main(["unpack"]) == 1
    assert "Root is needed" in capsys.readouterr().err


def test_all_skips_what_the_machine_lacks_and_goes_on_after_failures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    lacks = {"ntp-ipv6": ["chronyd is not installed: `apt-get install chrony`."]}
    monkeypatch.setattr(installed, "what_is_missing", lambda each: lacks.get(each.name, []))
    started: list[str] = []

    def start(name: str, output: Path, points: object) -> subprocess.Popen[str]:
        started.append(name)
        code = 1 if name == "icmp" or (name == "ntp" and started.count(name) == 1) else 0
        argv = [sys.executable, "-c", f"import sys; print('{name} said so'); sys.exit({code})"]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)

    monkeypatch.setattr(parallel, "_start", start)
    argv = ["all", "-j", "2", "--program", "icmp", "--program", "ntp", "-o", str(tmp_path)]
    assert command_line.main(argv) == 1
    said = capsys.readouterr().out
    assert sorted(started) == ["icmp", "icmp", "icmp-ipv6", "ntp", "ntp"], "what failed is tried once more"
    assert "ntp-ipv6: skipped: chronyd is not installed" in said
    assert "icmp said so" in said
    assert "2 recorded, 1 failed, 1 skipped, in 0 min" in said
    assert said.endswith("recorded at the second try: ntp\nfailed: icmp\nskipped: ntp-ipv6\n")
    lacks["icmp"] = lacks["ntp-ipv6"]
    started.append("ntp")
    assert command_line.main(argv) == 0, "what is skipped is no failure"
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert command_line.main(argv) == 1
    assert "Root is needed" in capsys.readouterr().err


# --- configuration in the manifest ----------------------------------------------------------------


def test_digests_of_configuration_are_the_same_in_every_run(tmp_path: Path) -> None:
    digests = []
    for run, key in (("first", "A" * 43 + "="), ("second", "B" * 43 + "=")):
        folder = tmp_path / run / "client"
        folder.mkdir(parents=True)
        end = host.Host("client", "nowhere", folder, ("10.0.0.2",))
        end.write("wg0.conf", f"PrivateKey = {key}\nca {folder}/ca.crt\n")
        digests.append(end.written["wg0.conf"])
        end.write("wg0.conf", f"PrivateKey = {key}\nca {folder}/other.crt\n")
        assert end.written["wg0.conf"] != digests[-1]
    assert digests[0] == digests[1]


def test_random_choices_follow_the_seed(tmp_path: Path) -> None:
    ends = []
    for role in ("client", "server"):
        (tmp_path / role).mkdir()
        ends.append(host.Host(role, "nowhere", tmp_path / role, ("10.0.0.2",)))
    first, same, other = (Lab(client=ends[0], server=ends[1], seed=seed) for seed in (1, 1, 2))
    assert first.random("pages").random() == same.random("pages").random()
    assert first.random("pages").random() != other.random("pages").random()
    assert first.random("pages").random() != first.random("pings").random()
    hidden = Lab(client=ends[0], server=ends[1], nat="198.51.100.7")
    assert (first.client_from_outside, hidden.client_from_outside) == ("10.0.0.2", "198.51.100.7")


# --- namespaces -----------------------------------------------------------------------------------


def begin(name: str, output: Path) -> subprocess.Popen[bytes]:
    """Start a recording and wait until its recorders run."""
    argv = [sys.executable, "-m", "datasets.testbed", "run", name, "-o", str(output)]
    process = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 20
    while not any("tcpdump" in words for words in left_of(process.pid)):
        assert time.monotonic() < end, "no recorder was started"
        assert process.poll() is None
        time.sleep(0.02)
    return process


@pytest.mark.usefixtures("rooted")
def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path: Path) -> None:
    killed = begin("icmp", tmp_path)
    killed.kill()
    killed.wait(10)
    assert len([name for name in left_of(killed.pid) if name.endswith(("client", "router", "server"))]) == 3
    with network.work_folder() as folder:
        addresses = Addresses(client=("10.9.1.2",), server=("192.0.2.9",))
        with network.network(addresses, folder) as (client, _, server):
            assert left_of(killed.pid) == []
            assert len(left_of(os.getpid())) >= 4
            client.run("ping", "-n", "-q", "-c", "1", "-W", "3", server.address)
    assert left_of(os.getpid()) == []
    assert list(tmp_path.rglob("*.jsonl")) == [], "a killed run gives no lines"


@pytest.mark.usefixtures("rooted")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_living_run_is_left_alone_and_a_signal_cleans_up(tmp_path: Path, number: signal.Signals) -> None:
    other = begin("icmp", tmp_path)
    network.sweep()
    assert len([name for name in left_of(other.pid) if name.endswith(("client", "router", "server"))]) == 3
    other.send_signal(number)
    assert other.wait(20) == 128 + number
    assert left_of(other.pid) == []


@pytest.mark.usefixtures("rooted")
def test_a_signal_to_all_ends_what_it_started(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "datasets.testbed", "all", "-j", "2", "--program", "icmp", "-o", str(tmp_path)]
    process = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 20
    while not (children := children_of(process.pid)) or not all(map(left_of, children)):
        assert time.monotonic() < end, "nothing was started"
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 128 + signal.SIGTERM
    assert [left_of(child) for child in children] == [[]] * len(children)


def children_of(pid: int) -> list[int]:
    told = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(word) for word in told.stdout.split()]


def test_a_namesake_of_a_dead_run_does_not_keep_what_it_left() -> None:
    pid, start = os.getpid(), int(network.owner().rpartition("-")[2])
    assert network._lives(pid, start)
    assert not network._lives(pid, start - 1), "a process of the same number that began at another time"


@pytest.mark.usefixtures("rooted")
def test_three_points_see_the_same_packets_on_both_sides_of_a_nat(tmp_path: Path) -> None:
    table = scenario.load("icmp")
    path = type(table.path)(nat="203.0.113.222", delay=5, duplicate=0.3)
    wanted = Scenario(
        name="icmp-nat",
        summary="echo through a NAT",
        program="icmp",
        format="pcap",
        addresses=table.addresses,
        options=table.options,
        path=path,
        seed=2,
    )
    recording = runner.run(wanted, tmp_path)
    points = {each.point: each for each in (recording, *recording.ends)}
    assert set(points) == {"middle", "client", "server"}
    sources = {point: [label.src_ip for label in each.labels] for point, each in points.items()}
    inside, outside = [table.addresses.client[0]], ["203.0.113.222"]
    assert sources == {"middle": outside, "client": inside, "server": outside}
    assert sorted(path.name for path in (tmp_path / "ends" / "captures").iterdir()) == [
        "icmp-nat.client.pcap",
        "icmp-nat.server.pcap",
    ]
    (record,) = [json.loads(line) for line in (tmp_path / "captures.jsonl").read_text().splitlines()]
    assert record["point"] == "middle"
    assert (record["seed"], record["synthetic"]) == (2, False)
    counts = record["impairments"]["counts"]
    assert counts["client_to_server"]["duplicated"] + counts["server_to_client"]["duplicated"] > 0
    ends = [json.loads(line) for line in (tmp_path / "ends" / "captures.jsonl").read_text().splitlines()]
    assert [each["point"] for each in ends] == ["client", "server"]
    assert len({each["sha256"] for each in (record, *ends)}) == 3


@pytest.mark.usefixtures("rooted")
def test_labels_that_fail_leave_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = programs.load("icmp")
    silent = Program(
        name="icmp",
        options=real.options,
        requirements=real.requirements,
        play=lambda lab, options: list(real.play(lab, options))[:0],
    )
    monkeypatch.setattr(programs, "load", lambda name: silent)
    with pytest.raises(TestbedError, match="nobody stated the flow"):
        runner.run(scenario.load("icmp"), tmp_path)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(MissingError, match="Root is needed"):
        runner.run(scenario.load("icmp"), tmp_path)

"""Metrics and health say what the summary says, in OpenMetrics; clients that are not kind hold up themselves alone."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from capture_files import pcap
from conftest import ROOT, Command
from running import Asked, ask, live, until, values

from flowclass.errors import ConfigError, SourceError
from flowclass.pipeline.batch import Run
from flowclass.pipeline.classify import open_sources
from flowclass.pipeline.options import RunOptions
from flowclass.policy import Policy
from flowclass.registry import Registry
from flowclass.service import monitor
from flowclass.service.endpoint import MOST_CLIENTS, Endpoint, Place, parse
from flowclass.service.metrics import Metrics
from flowclass.service.monitor import Monitor
from flowclass.service.status import BatchTimes, Status
from flowclass.types import CaptureCounters


class Written:
    """An output that counts nothing itself."""

    name = "flows.parquet"
    sink = None
    delivered = None


def test_metrics_are_the_numbers_of_the_run(captures: Path) -> None:
    registry = Registry.load(ROOT / "datasets" / "registry" / "sample.csv")
    policy = Policy.load(ROOT / "datasets" / "registry" / "policy.toml")
    sources, _ = open_sources([captures / f"{name}.pcap" for name in ("wireguard-udp-51820", "http", "gre-ip")])
    watched = Monitor(every_s=0.0)
    run = Run(sources, RunOptions(registry=registry, policy=policy, latency_s=1.0))
    metrics = Metrics(lambda: watched.status)
    assert "flowclass_build_info" in metrics.text().decode(), "before there is a status too"
    watched.begin(run, [Written()])
    rows = sum(batch.num_rows for batch in watched.timed(run.batches()))
    watched(run)
    found = values(metrics.text().decode())
    counters = run.counters
    assert found["flowclass_packets_total", "flow"] == counters["packets_in_flows"]
    skipped = {reason: pair[0] for reason, pair in counters["packets_skipped"].items()}
    assert {key[1]: value for key, value in found.items() if key[0] == "flowclass_packets_skipped_total"} == skipped
    assert found["flowclass_packets_total", "skipped"] == sum(skipped.values())
    assert found["flowclass_bytes_total",] == counters["bytes_read"]
    ended = {key[1]: value for key, value in found.items() if key[0] == "flowclass_flows_closed_total"}
    assert ended == counters["flows_by_end_reason"]
    assert sum(ended.values()) == rows == run.tally.flows
    assert found["flowclass_flows_active",] == 0
    assert 0 < found["flowclass_flow_table_bytes",] < found["flowclass_flow_table_limit_bytes",]
    verdicts = {key[1:]: value for key, value in found.items() if key[0] == "flowclass_verdicts_total"}
    # Labels by their names: protocol, protocol_class, tier.
    assert verdicts == {
        (protocol, kind, tier): count
        for (kind, protocol, tier), count in run.tally.by("protocol_class", "protocol", "tier").items()
    }
    outcomes = {key[1]: value for key, value in found.items() if key[0] == "flowclass_policy_outcomes_total"}
    assert outcomes == counters["outcomes"]
    assert found["flowclass_registry_entries",] == len(registry)
    assert ("flowclass_registry_info", registry.version) in found
    assert ("flowclass_policy_info", policy.sha256) in found
    assert found["flowclass_output_records_total", "delivered", "file"] == rows
    assert (
        found["flowclass_batch_duration_seconds_count",] == found["flowclass_batch_duration_seconds_bucket", "+Inf"] > 0
    )


def test_what_interfaces_and_the_table_lost_is_told_apart() -> None:
    status = Status(
        moment_s=1.0,
        began_s=0.0,
        captured={
            "eth0": CaptureCounters(received=10, handed_on=6, kernel_dropped=3, ring_freezes=2, interface_dropped=5)
        },
        refused={"heads_cut": 7},
        lag_s=1.5,
    )
    found = values(Metrics(lambda: status).text().decode())
    states = {key[2]: value for key, value in found.items() if key[0] == "flowclass_capture_packets_total"}
    assert states == {"received": 10, "handed_on": 6, "kernel_dropped": 3, "interface_dropped": 5}
    assert found["flowclass_capture_waiting_packets", "eth0"] == 1
    assert found["flowclass_capture_ring_full_total", "eth0"] == 2
    assert found["flowclass_refused_total", "heads_cut"] == 7
    assert found["flowclass_lag_seconds",] == 1.5


def test_who_asks_often_makes_no_work() -> None:
    now = [Status(moment_s=1.0, began_s=0.0, alive=1)]
    metrics = Metrics(lambda: now[0])
    first = metrics.text()
    assert metrics.text() is first
    now[0] = Status(moment_s=2.0, began_s=0.0, alive=2)
    assert values(metrics.text().decode())["flowclass_flows_active",] == 2


def test_times_of_batches_are_counted_by_bounds() -> None:
    times = BatchTimes()
    for seconds in (0.0005, 0.001, 0.002, 99.0):
        times = times.with_one(seconds, 10)
    assert times.counts == (2, 1, 0, 0, 0, 0, 0, 0, 0, 1)
    assert (times.rows, round(times.total_s, 4)) == (40, 99.0035)


def test_a_run_that_stands_still_is_not_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Monitor()
    assert watched.health() == (True, "alive")
    assert watched.readiness() == (False, "starting")
    watched.reading = True
    assert watched.readiness() == (True, "reading")
    watched.stopping = True
    assert watched.readiness() == (False, "stopping")
    monkeypatch.setattr(monitor, "STALLED_S", 0.0)
    well, sentence = watched.health()
    assert not well
    assert "no progress for 0 s" in sentence


def pipe(*args: str | Path, **how: Any) -> subprocess.Popen[bytes]:
    return live("-", "--format", "none", "--json", *args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **how)


def test_a_run_is_asked_while_it_goes_on(tmp_path: Path, captures: Path) -> None:
    at = tmp_path / "metrics"
    process = pipe("--metrics", at)
    assert process.stdin is not None
    process.stdin.write((captures / "http.pcap").read_bytes())
    process.stdin.flush()
    ready = until(lambda: ask(at, "/readyz") if at.exists() else None)
    assert ready == (200, "text/plain; charset=utf-8", "reading\n")
    assert ask(at, "/healthz")[::2] == (200, "alive\n")
    assert ask(at, "/else")[0] == 404

    def read() -> str | None:
        code, kind, text = ask(at, "/metrics?x=1")
        assert (code, kind) == (200, "application/openmetrics-text; version=1.0.0; charset=utf-8")
        return text if values(text).get(("flowclass_packets_total", "flow"), 0) > 0 else None

    told = values(until(read))
    assert at.stat().st_mode & 0o777 == 0o660
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 143
    summary = json.loads(said)
    assert told["flowclass_packets_total", "flow"] == summary["balance"]["packets_in_flows"]
    assert told["process_resident_memory_bytes",] > 1 << 20
    assert not at.exists()


def test_clients_that_are_not_kind_hold_up_nobody_but_themselves(tmp_path: Path) -> None:
    at = tmp_path / "metrics"
    slow: list[socket.socket] = []
    process = pipe("--metrics", at)
    until(lambda: at.exists() or None)
    for _ in range(MOST_CLIENTS):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.connect(str(at))
        client.send(b"GET /metr")
        slow.append(client)
    assert process.stdin is not None
    process.stdin.write(pcap([]))
    process.stdin.close()
    assert process.wait(timeout=60) in (0, 3, 4), "the run ends while they are connected"
    for client in slow:
        client.close()
    assert process.stdout is not None
    process.stdout.close()


def test_a_client_is_cut_off_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from flowclass.service import endpoint

    monkeypatch.setattr(endpoint, "CLIENT_S", 0.3)
    served = Endpoint(Place(path=tmp_path / "m"), {"/metrics": lambda: (200, "text/plain", b"x" * (1 << 24))})
    served.begin()
    try:
        dribbling = Asked(tmp_path / "m")
        dribbling.connect()
        dribbling.sock.settimeout(20)

        def dribble() -> None:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                while True:
                    dribbling.sock.send(b"G")
                    threading.Event().wait(0.05)

        thread = threading.Thread(target=dribble)
        thread.start()
        # One that asks and never reads: the answer does not fit what the kernel holds for it.
        deaf = Asked(tmp_path / "m")
        deaf.request("GET", "/metrics")
        thread.join(20)
        assert not thread.is_alive()
        until(lambda: True if served._slots._value == MOST_CLIENTS else None)
        deaf.close()
        dribbling.close()
        assert ask(tmp_path / "m", "/nothing")[0] == 404
    finally:
        served.end()


def test_where_no_thread_can_be_had_no_slot_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served = Endpoint(Place(path=tmp_path / "m"), {})
    served.begin()

    def refused(_: object) -> None:
        raise RuntimeError("can't start new thread")

    try:
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", refused)
            for _ in range(2 * MOST_CLIENTS):
                with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
                    client.settimeout(20)
                    client.connect(str(tmp_path / "m"))
                    assert client.recv(1) == b""
        assert ask(tmp_path / "m", "/nothing")[0] == 404
    finally:
        served.end()


def test_a_socket_that_was_left_is_taken_over_and_one_in_use_is_not(tmp_path: Path) -> None:
    at = tmp_path / "m"
    left = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    left.bind(str(at))
    left.close()
    first = Endpoint(Place(path=at), {})
    with pytest.raises(SourceError, match="metrics cannot be served there: address already in use"):
        Endpoint(Place(path=at), {})
    first.end()
    at.write_text("not a socket")
    with pytest.raises(SourceError):
        Endpoint(Place(path=at), {})
    assert at.read_text() == "not a socket"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("9100", Place(host="127.0.0.1", port=9100)),
        ("localhost:0", Place(host="localhost", port=0)),
        ("[::1]:9100", Place(host="::1", port=9100)),
        ("unix:/run/m", Place(path=Path("/run/m"))),
        ("unix:///run/m", Place(path=Path("/run/m"))),
    ],
)
def test_places(text: str, place: Place) -> None:
    assert parse(text) == place


@pytest.mark.parametrize("text", ["", "host", "host:99999", "::1:9100", "unix:m", "/" + "x" * 96, "http://a:1"])
def test_what_is_no_place(text: str) -> None:
    with pytest.raises(ConfigError, match="is no place for metrics: write HOST:PORT"):
        parse(text)


def test_a_port_is_of_this_machine_and_is_said(tmp_path: Path, flowclass_command: Command) -> None:
    served = Endpoint(parse(":0"), {})
    assert served.socket.getsockname()[0] == "127.0.0.1"
    assert served.place.url == f"http://127.0.0.1:{served.place.port}"
    taken = flowclass_command("live", "--watch", tmp_path, "--format", "none", "--metrics", str(served.place.port))
    served.end()
    assert taken.code == 4
    assert "metrics cannot be served there: address already in use" in taken.err


def test_without_the_library_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(ConfigError, match=r"pip install 'flowclass\[metrics\]'"):
        Metrics(lambda: None)


def test_no_label_holds_what_came_from_the_wire(captures: Path) -> None:
    sources, _ = open_sources([captures / "http.pcap"])
    watched = Monitor(every_s=0.0)
    run = Run(sources, RunOptions(latency_s=1.0))
    watched.begin(run, [])
    addresses: Counter[str] = Counter()
    for batch in run.batches():
        addresses.update(batch.column("src_ip").to_pylist())
    watched(run)
    text = Metrics(lambda: watched.status).text().decode()
    assert addresses
    assert not [address for address in addresses if address in text]
    assert os.sep + "http.pcap" not in text

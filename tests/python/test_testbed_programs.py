"""Real programs recorded now, and what the build says of them: no capture of the checkout has these keys and times."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from conftest import ROOT, Command, _missing

sys.path.insert(0, str(ROOT))

from datasets.testbed import installed, scenario
from datasets.testbed.parallel import record_all
from datasets.testbed.scenario import POINTS

from testbed_namespaces import rooted  # noqa: F401  isort:skip

# Small packages, some seconds each; of every way in: UDP, TCP, IPv6, a device of layer 2, DNS, none at all.
SCENARIOS = (
    "openvpn-udp-1194-tls-crypt",
    "openvpn-tcp6-8443-tls-crypt-v2",
    "wireguard-udp-51820",
    "fastd-null",
    "iodine-null",
    "icmp",
)


@pytest.mark.usefixtures("rooted")
def test_programs_recorded_now_are_told(tmp_path: Path, flowclass_command: Command) -> None:
    """All at the same time, at three points; each flow is found at each."""
    names = []
    for name in SCENARIOS:
        lacks = installed.what_is_missing(scenario.load(name))
        if not lacks:
            names.append(name)
        elif name == SCENARIOS[0]:
            _missing("testbed", f"{name}: {' '.join(lacks)}")
    said: list[str] = []
    tally = record_all(names, tmp_path, POINTS, jobs=len(names), say=said.append)
    assert sorted(tally.recorded) == sorted(names), said
    for lists in (tmp_path, tmp_path / "ends"):
        labels = [json.loads(line) for line in (lists / "labels.jsonl").read_text().splitlines()]
        assert len({label["capture"] for label in labels}) == len(names) * (1 if lists == tmp_path else 2)
        judged = flowclass_command(
            *("evaluate", lists / "captures", "--labels", lists / "labels.jsonl"),
            *("--require-recall", "1", "--require-no-false", "--json", "-q"),
        )
        assert judged.code == 0, judged.out + judged.err
        assert json.loads(judged.out)["recall"]["of"] == sum(label["scope"] == "gate" for label in labels)

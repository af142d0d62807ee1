"""The example's WireGuard beside the build's, on every public capture that is known to hold WireGuard."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from user_functions import wireguard

import flowclass

pytestmark = pytest.mark.corpus


def test_it_says_the_same_of_all_but_the_forms_that_it_does_not_know(corpus: Path) -> None:
    lines = [json.loads(line) for line in (corpus / "labels.jsonl").read_text(encoding="utf-8").splitlines()]
    names = sorted({line["capture"] for line in lines if line["family"] == "wireguard"})
    assert len(names) > 5
    options = flowclass.EngineOptions(udf=(wireguard(),), memcap=1 << 28)
    both = 0
    for name in names:
        table = flowclass.classify(corpus / "captures" / name, options=options).to_pyarrow()
        for row in table.select(["flow_id", "protocol", "variant", "alternatives"]).to_pylist():
            said = {row["protocol"], *(other["protocol"] for other in row["alternatives"])}
            if row["protocol"] == "wireguard" and row["variant"] is not None:
                continue  # TunnelBear's, Tailscale's and Cloudflare's
            assert ("wireguard" in said) == ("user.wireguard" in said), f"{name}: {row['flow_id']}"
            both += "wireguard" in said
    assert both > 5

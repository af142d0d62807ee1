"""The report: figures against plain Python on the rows, and a page that nothing from outside can change."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from html.parser import HTMLParser
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT, Command

from flowclass.errors import ConfigError, SchemaError, SourceError
from flowclass.registries.timestamps import parse_timestamp
from flowclass.registry import Registry
from flowclass.report import records, sums
from flowclass.report.figures import ReportOptions, figures_of
from flowclass.report.inside import PRIVATE, Inside
from flowclass.report.page import page
from flowclass.report.words import REASON_WORDS, headline
from flowclass.schema import arrow_schema

START = parse_timestamp("2026-11-20T10:00:00Z")
SECOND = 1_000_000_000
TIERS = ("none", "possible", "probable", "confirmed")
OUTCOMES = ("not_judged", "not_applicable", "allow", "allow_grace", "review", "violation_trial", "violation")
PHASED = ("allow_grace", "review", "violation_trial", "violation")
SAMPLE = ROOT / "datasets" / "registry" / "sample.csv"

Rows = list[dict[str, Any]]


def table_of(rows: Rows, metadata: dict[str, str] | None = None) -> pa.Table:
    """Make flow records; what a row does not say is null, nothing or 0."""
    schema = arrow_schema()
    columns = []
    for field in schema:
        kind = field.type
        default: Any = None
        if not field.nullable:
            default = [] if pa.types.is_list(kind) else 0 if pa.types.is_primitive(kind) else "none"
        columns.append(pa.array([row.get(field.name, default) for row in rows], kind))
    told = {f"flowclass.{name}": value for name, value in (metadata or {}).items()}
    return pa.Table.from_arrays(columns, schema=schema).replace_schema_metadata(told)


def written(folder: Path, rows: Rows, metadata: dict[str, str] | None = None, name: str = "run.parquet") -> Path:
    pq.write_table(table_of(rows, metadata), folder / name, row_group_size=700)
    return folder / name


def verdict(chance: random.Random) -> dict[str, Any]:
    """Give what registry and policy say, as they may: see docs/registry_and_policy.md."""
    kind = chance.choice(("vpn", "vpn", "vpn", "app"))
    tier = chance.choice(TIERS[1:]) if kind == "vpn" else chance.choice(TIERS)
    match = chance.choice(("registered", "unregistered", "unregistered", "expired", "inactive", "pending"))
    phase = chance.choice(PHASED)
    if kind == "app":
        outcome, reason = "not_applicable", "class_not_counted"
    elif chance.random() < 0.1:
        outcome, reason, match = "not_applicable", "out_of_scope", "out_of_scope"
    elif match == "registered":
        outcome, reason = "allow", "registered"
    elif phase.startswith("violation") and tier != "confirmed":
        outcome, reason = "review", "tier_below_threshold"
    else:
        outcome, reason = phase, {"pending": "pending_overdue"}.get(match, match)
    named = match not in ("unregistered", "out_of_scope")
    return {
        "protocol": chance.choice(("openvpn", "wireguard", "ike")) if kind == "vpn" else "dns",
        "protocol_class": kind,
        "tier": tier,
        "evidence_bits": float(chance.randrange(16, 300)),
        "registry_match": match,
        "registration_id": f"R-{chance.randrange(40):02}" if named else None,
        "policy_outcome": outcome,
        "policy_phase": "p-" + phase,
        "policy_reason": reason,
    }


def random_rows(count: int, seed: int = 7) -> Rows:
    chance = random.Random(seed)
    inside = [f"10.0.{number}.7" for number in range(12)] + ["fd00::7", "192.168.1.1"]
    outside = [f"203.0.113.{number}" for number in range(30)] + ["2001:db8::9", "172.32.0.1"]
    rows = []
    for number in range(count):
        ends = [chance.choice(inside), chance.choice(outside)]
        if chance.random() < 0.2:
            ends = [chance.choice(inside + outside), chance.choice(inside + outside)]
        if chance.random() < 0.3:
            ends.reverse()
        began = START + chance.randrange(3600 * SECOND)
        rows.append(
            {
                "flow_id": hashlib.sha256(f"{seed} {number}".encode()).hexdigest()[:24],
                "time_start": began,
                "time_end": began + chance.randrange(60 * SECOND),
                "src_ip": ends[0],
                "dst_ip": ends[1],
                "src_port": chance.randrange(1024, 65536),
                "dst_port": chance.choice((443, 1194, 51820, None)),
                "packets_fwd": chance.randrange(1, 50),
                "packets_rev": chance.randrange(50),
                "bytes_fwd": chance.randrange(60, 5000),
                "bytes_rev": chance.randrange(5000),
                "segment": int(chance.random() < 0.05),
                "server_name": chance.choice((None, "vpn.example")),
                **verdict(chance),
            }
        )
    return rows


def is_inside(address: str, prefixes: Sequence[str] = PRIVATE) -> bool:
    return any(ip_address(address) in ip_network(prefix) for prefix in prefixes)


def octets(row: dict[str, Any]) -> int:
    return int(row["bytes_fwd"] + row["bytes_rev"])


def is_open(row: dict[str, Any]) -> bool:
    counted = row["policy_reason"] not in ("class_not_counted", "no_evidence", "out_of_scope")
    return counted and row["registry_match"] not in ("registered", "out_of_scope")


def is_accused(row: dict[str, Any]) -> bool:
    below = row["policy_outcome"] == "review" and row["policy_reason"] == "tier_below_threshold"
    return below or row["policy_outcome"] in ("violation", "violation_trial")


def far_end(row: dict[str, Any]) -> tuple[str, int | None]:
    if is_inside(row["dst_ip"]) and not is_inside(row["src_ip"]):
        return row["src_ip"], None
    return row["dst_ip"], row["dst_port"]


def hosts_of(row: dict[str, Any]) -> set[str]:
    return {row[end] for end in ("src_ip", "dst_ip") if is_inside(row[end])}


def gravest(rows: Rows) -> str:
    return max((row["policy_outcome"] for row in rows), key=OUTCOMES.index)


def surest(rows: Rows) -> str:
    return max((row["tier"] for row in rows), key=TIERS.index)


@pytest.fixture
def many_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the batches and the groups that wait so small that all is merged many times."""
    monkeypatch.setattr(records, "ROWS", 130)
    monkeypatch.setattr(sums, "MOST_WAITING", 20)


@pytest.fixture
def rows() -> Rows:
    return random_rows(3000)


@pytest.fixture
def figures(tmp_path: Path, rows: Rows, many_tables: None) -> dict[str, Any]:
    return figures_of(written(tmp_path, rows), ReportOptions(most=10_000))


def test_run_outcomes_and_protocols(rows: Rows, figures: dict[str, Any]) -> None:
    run = figures["run"]
    assert run["records"] == run["judged"] == run["looked_up"] == len(rows)
    assert run["bytes"] == sum(map(octets, rows))
    assert run["packets"] == sum(row["packets_fwd"] + row["packets_rev"] for row in rows)
    assert run["continued"] == sum(row["segment"] > 0 for row in rows)
    assert run["time_start"] == min(row["time_start"] for row in rows)
    assert run["time_end"] == max(row["time_end"] for row in rows)
    names = ("policy_outcome", "policy_phase", "policy_reason", "registry_match")
    flows = Counter(tuple(row[name] for name in names) for row in rows)
    found = figures["outcomes"]
    assert {(r["outcome"], r["phase"], r["reason"], r["registry_match"]): r["flows"] for r in found} == flows
    assert sum(row["bytes"] for row in found) == run["bytes"]
    ranks = [OUTCOMES.index(row["outcome"]) for row in found]
    assert ranks == sorted(ranks, reverse=True)
    tiers = Counter((row["protocol"], row["tier"]) for row in rows)
    assert {(r["protocol"], tier): n for r in figures["protocols"] for tier, n in r["tiers"].items() if n} == tiers


def test_endpoints(rows: Rows, figures: dict[str, Any]) -> None:
    groups = defaultdict(list)
    for row in filter(is_open, rows):
        groups[(*far_end(row), row["protocol"])].append(row)
    found = figures["endpoints"]
    assert found["total"] == len(groups) == len(found["ranked"])
    assert found["addresses"] == len({key[0] for key in groups})
    for one in found["ranked"]:
        held = groups[one["address"], one["port"], one["protocol"]]
        best = min(held, key=lambda row: (-row["evidence_bits"], row["flow_id"]))
        assert one["flows"] == len(held)
        assert one["bytes"] == sum(map(octets, held))
        assert one["time_start"] == min(row["time_start"] for row in held)
        assert one["time_end"] == max(row["time_end"] for row in held)
        assert (one["flow_id"], one["evidence_bits"]) == (best["flow_id"], best["evidence_bits"])
        assert one["registry_match"] == best["registry_match"]
        assert (one["outcome"], one["tier"]) == (gravest(held), surest(held))
    ranks = [(-OUTCOMES.index(r["outcome"]), -TIERS.index(r["tier"]), -r["flows"]) for r in found["ranked"]]
    assert ranks == sorted(ranks)


def test_inside_hosts(rows: Rows, figures: dict[str, Any]) -> None:
    groups = defaultdict(list)
    without = 0
    for row in filter(is_open, rows):
        for host in hosts_of(row):
            groups[host].append(row)
        without += not hosts_of(row)
    found = figures["inside"]
    assert found["total"] == len(groups) == len(found["hosts"])
    assert found["flows_without_inside_end"] == without > 0
    assert "private" in found["rule"]
    for one in found["hosts"]:
        held = groups[one["host"]]
        assert one["flows"] == len(held)
        assert [one[tier] for tier in TIERS[1:]] == [sum(r["tier"] == tier for r in held) for tier in TIERS[1:]]
        assert one["protocols"] == sorted({row["protocol"] for row in held})
        assert one["endpoints"] == len({far_end(row)[0] for row in held})
        assert (one["outcome"], one["tier"]) == (gravest(held), surest(held))
        assert one["evidence_bits"] == max(row["evidence_bits"] for row in held)
    by = Counter((gravest(held), surest(held)) for held in groups.values())
    assert {(row["outcome"], row["tier"]): row["hosts"] for row in found["by_outcome_and_tier"]} == by


def test_thresholds(rows: Rows, figures: dict[str, Any]) -> None:
    assert [row["tier"] for row in figures["thresholds"]] == ["confirmed", "probable", "possible"]
    for found in figures["thresholds"]:
        sure = [row for row in rows if is_open(row) and TIERS.index(row["tier"]) >= TIERS.index(found["tier"])]
        for name, held in (("as_phased", [row for row in sure if is_accused(row)]), ("all_enforced", sure)):
            assert found[name]["flows"] == len(held)
            assert found[name]["endpoints"] == len({far_end(row)[0] for row in held})
            assert found[name]["inside_hosts"] == len({host for row in held for host in hosts_of(row)})
    counts = [row["as_phased"]["flows"] for row in figures["thresholds"]]
    assert counts == sorted(counts)
    assert counts[0] < counts[2]


def test_timeline(rows: Rows, figures: dict[str, Any]) -> None:
    line = figures["timeline"]
    width = line["width_ns"]
    flows = Counter((row["time_start"] // width * width, row["policy_outcome"]) for row in rows)
    assert {(b["time"], name): n for b in line["buckets"] for name, n in b["flows"].items() if n} == flows
    assert 20 < len(line["buckets"]) <= 61


@pytest.mark.parametrize("seconds", [0, 1, 59, 3600, 86400 * 400, 86400 * 365 * 200])
def test_the_timeline_is_short_whatever_the_span(tmp_path: Path, seconds: int) -> None:
    two = random_rows(2)
    two[0]["time_start"], two[1]["time_start"] = 0, seconds * SECOND
    two[0]["time_end"] = two[1]["time_end"] = seconds * SECOND
    line = figures_of(written(tmp_path, two))["timeline"]
    assert len(line["buckets"]) <= 61
    assert sum(sum(bucket["flows"].values()) for bucket in line["buckets"]) == 2


def test_registrations_seen(rows: Rows, figures: dict[str, Any]) -> None:
    groups = defaultdict(list)
    for row in rows:
        if row["registration_id"]:
            groups[row["registration_id"]].append(row)
    found = figures["registrations"]
    assert found["seen_total"] == len(groups) == len(found["seen"])
    for one in found["seen"]:
        held = groups[one["registration_id"]]
        assert one["flows"] == len(held)
        assert one["tunnels"] == sum(row["protocol_class"] == "vpn" for row in held)
        assert one["registry_matches"] == sorted({row["registry_match"] for row in held})
        assert one["outcome"] == gravest(held)


def test_registrations_beside_the_registry(tmp_path: Path) -> None:
    """By hand: begins with what is in force in the run, which ends one second past ten on 2026-11-20."""
    row = "{},organization: secret sector,{},192.0.2.{},,{},{},2026-01-01,2026-01-02,file-secret\n"
    text = "registration_id,category,status,prefix,protocols,valid_from,valid_until,submitted_at,approved_at,note_ref\n"
    listed = [
        ("SEEN", "approved", "", ""), ("NEVER", "approved", "2026-01-01", ""), ("GONE", "approved", "", "2026-11-20"),
        ("LATER", "approved", "2026-11-21", ""), ("STOPPED", "revoked", "", ""), ("WEEK", "approved", "", "2026-11-22"),
        ("MONTH", "approved", "", "2026-12-19"), ("QUARTER", "approved", "", "2027-02-01"),
        ("YEAR", "approved", "", "2027-11-01"), ("RENEWED", "approved", "", "2026-11-22"),
        ("RENEWED", "approved", "", "2027-11-22"),
    ]  # fmt: skip
    for place, (name, status, begins, ends) in enumerate(listed):
        text += row.format(name, status, place, begins, ends)
    (tmp_path / "r.csv").write_text(text)
    registry = Registry.load(tmp_path / "r.csv")
    ids = ("SEEN", "STRANGER")
    one = [
        {**random_rows(1)[0], "registration_id": name, "time_start": START, "time_end": START + SECOND} for name in ids
    ]
    path = written(tmp_path, one, {"registry_version": registry.version})
    made = figures_of(path, ReportOptions(registry=registry))
    found = made["registrations"]["registry"]
    assert found["same_version"]
    assert (found["registrations"], found["in_force"], found["not_in_force"], found["seen"]) == (10, 7, 3, 1)
    assert found["never_seen"] == ["MONTH", "NEVER", "QUARTER", "RENEWED", "WEEK", "YEAR"]
    assert found["seen_but_unknown"] == ["STRANGER"]
    assert [soon["ids"] for soon in found["soon"]] == [["WEEK"], ["MONTH"], ["QUARTER"]]
    shown = page(made).decode() + json.dumps(made)
    assert "NEVER" in shown
    for kept_back in ("secret", "organization", "192.0.2.", "2026-12-19", "revoked"):
        assert kept_back not in shown
    other = Registry.load(tmp_path / "r.csv", scope=["192.0.2.0/24"])
    assert not figures_of(path, ReportOptions(registry=other))["registrations"]["registry"]["same_version"]


def test_inside_by_scope(tmp_path: Path, rows: Rows) -> None:
    scope = ("203.0.113.0/28", "2001:db8::/64")
    found = figures_of(written(tmp_path, rows), ReportOptions(scope=scope))["inside"]
    ends = {row[end] for row in rows if is_open(row) for end in ("src_ip", "dst_ip")}
    assert {one["host"] for one in found["hosts"]} == {end for end in ends if is_inside(end, scope)}
    assert scope[0] in found["rule"]
    with pytest.raises(ConfigError, match=r"10\.0\.0\.1/8"):
        Inside(["10.0.0.1/8"])
    assert not Inside().holds("no address")


def test_anonymised_addresses_are_not_taken_for_inside(tmp_path: Path, rows: Rows) -> None:
    path = written(tmp_path, rows, {"anonymized": "cryptopan"})
    figures = figures_of(path)
    found = figures["inside"]
    assert not found["known"]
    assert found["total"] == 0
    assert found["flows_without_inside_end"] == sum(map(is_open, rows))
    assert {row["address"] for row in figures["endpoints"]["ranked"]} <= {row["dst_ip"] for row in rows}
    assert b"which hosts are inside is not known" in page(figures)
    scoped = figures_of(path, ReportOptions(scope=("10.0.0.0/16",)))
    assert scoped["inside"]["known"]
    assert scoped["inside"]["total"] == 12


def test_no_policy_and_no_registry(tmp_path: Path) -> None:
    unjudged = [
        {
            **row,
            **dict.fromkeys(("registry_match", "registration_id", "policy_outcome", "policy_phase", "policy_reason")),
        }
        for row in random_rows(200)
    ]
    figures = figures_of(written(tmp_path, unjudged), ReportOptions(most=10_000))
    tunnels = [row for row in unjudged if row["protocol_class"] == "vpn" and row["tier"] != "none"]
    assert sum(row["flows"] for row in figures["endpoints"]["ranked"]) == len(tunnels)
    assert figures["timeline"]["series"] == ["vpn", "app"]
    assert {row["outcome"] for row in figures["outcomes"]} == {"not_judged"}
    made = page(figures).decode()
    assert "No policy was asked" in made
    assert "had tunnels about which no registry was asked" in made
    assert "without a valid registration;" not in made, "nobody looked"


def test_all_kinds_of_files_give_the_same(tmp_path: Path, rows: Rows) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    table = table_of(rows)
    pq.write_table(table, folder / "flows.parquet")
    batches = table.unify_dictionaries().to_batches(max_chunksize=400)
    with pa.ipc.new_file(tmp_path / "a.arrow", table.schema) as file:
        file.write_table(pa.Table.from_batches(batches))
    with pa.ipc.new_stream(tmp_path / "a.arrows", table.schema) as stream:
        stream.write_table(pa.Table.from_batches(batches))
    made = [figures_of(path) for path in (folder, tmp_path / "a.arrow", tmp_path / "a.arrows")]
    for one in made:
        one.pop("provenance")
    assert made[0] == made[1] == made[2]


HOSTILE = "</style></script><script>alert(1)</script><img src=x onerror=alert(1)>'\"&\u202e\x1b[31m\x00--><!--"


class Tags(HTMLParser):
    """Collects what a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.facts: list[tuple[str, str | None]] = []
        self.inline: dict[str, str] = defaultdict(str)
        self._open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.facts += attrs
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in ("script", "style", "code"):
            self.inline[self._open[-1]] += data


def hostile_page(folder: Path) -> str:
    row = {**random_rows(1)[0], **dict.fromkeys(("flow_id", "server_name", "registration_id", "policy_phase"), HOSTILE)}
    row |= {"registry_match": "expired", "policy_outcome": "violation", "policy_reason": HOSTILE, "protocol": HOSTILE}
    row |= {"protocol_class": "vpn", "src_ip": HOSTILE, "dst_ip": HOSTILE[::-1], "tier": "confirmed"}
    strange = {**row, "policy_outcome": HOSTILE, "protocol_class": HOSTILE, "tier": HOSTILE}
    metadata = dict.fromkeys(("version", "registry_version", "policy_sha256", "flow_definition", HOSTILE[:20]), HOSTILE)
    metadata["inputs"] = json.dumps([{"name": HOSTILE, "size": HOSTILE}, HOSTILE, {"name": None}])
    metadata["balance"] = json.dumps({HOSTILE: 1, "packets_skipped": {HOSTILE: 2}, "bytes_skipped": HOSTILE})
    name = "<img src=x onerror=alert(1)>'.parquet"
    return page(
        figures_of(written(folder, [row, strange], metadata, name), ReportOptions(scope=("10.0.0.0/8",)))
    ).decode()


def test_nothing_from_outside_becomes_markup(tmp_path: Path, rows: Rows) -> None:
    hostile = hostile_page(tmp_path)
    assert "alert(1)" in hostile, "the hostile names are not shown at all"
    honest, found = Tags(page(figures_of(written(tmp_path, rows))).decode()), Tags(hostile)
    assert set(found.tags) <= set(honest.tags)
    assert "img" not in found.tags
    assert found.tags["script"] == found.tags["style"] == 1
    names = {name for name, _ in found.facts}
    assert not {name for name in names if name.startswith("on")} | names & {"style", "src"}
    assert all(value and value.startswith("#") for name, value in found.facts if name == "href")
    for bad in ("\u202e", "\x1b", "\x00", "<script>alert", "<!--"):
        assert bad not in hostile
    assert "'\"'\"'" in found.inline["code"], "the quote in the file's name is not quoted for the shell"


def test_only_its_own_script_and_style_may_run(tmp_path: Path) -> None:
    made = hostile_page(tmp_path)
    found = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', made)
    assert found is not None
    rules = {rule.split()[0]: rule.split()[1:] for rule in found[1].split(";")}
    inline = Tags(made).inline
    for kind in ("script", "style"):
        digest = base64.b64encode(hashlib.sha256(inline[kind].encode()).digest()).decode()
        assert rules[f"{kind}-src"] == [f"'sha256-{digest}'"]
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == ["'none'"]
    assert made.index("Content-Security-Policy") < made.index("<style>")


def test_the_page_names_no_place_outside(tmp_path: Path, rows: Rows) -> None:
    made = page(figures_of(written(tmp_path, rows))).decode()
    assert not re.search(r"[a-z]+://|url\(|@import|\b(?:fetch|XMLHttpRequest|import)\(", made)


def test_the_tables_can_be_read_aloud(tmp_path: Path, rows: Rows) -> None:
    made = page(figures_of(written(tmp_path, rows), ReportOptions(registry=Registry.load(SAMPLE)))).decode()
    tables = re.findall(r"<table.*?</table>", made, re.DOTALL)
    assert len(tables) >= 10
    for one in tables:
        assert "<caption>" in one
        assert one.count('scope="col"') == len(re.findall(r"<th[ >]", one.split("</thead>")[0]))
    charts = [found.end() for found in re.finditer(r'<div class="chart \w+" role="img" aria-label="[^"]+"', made)]
    assert len(charts) == made.count('class="chart ') == 5
    for place in charts:
        assert "<table" in made[place : made.index("</section>", place)]
    ids = re.findall(r' id="([^"]+)"', made)
    assert len(ids) == len(set(ids))
    assert {link for link in re.findall(r'href="#([^"]+)"', made)} <= set(ids)


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_texts_have_contrast_in_light_and_dark() -> None:
    """WCAG 2.2 §1.4.3: at least 4.5 to 1."""
    style = (Path(records.__file__).with_name("page.css")).read_text()
    schemes = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[:2]
    for scheme in schemes:
        colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", scheme))
        for ink in ("ink", "soft", "link"):
            for ground in ("paper", "panel"):
                low, high = sorted(_luminance(colours[name]) for name in (ink, ground))
                assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, ground, scheme)


def test_a_large_run_gives_a_small_page(tmp_path: Path) -> None:
    count = 100_000
    base = table_of(random_rows(2000))
    large = base.take(pa.array(range(count), pa.int64()).to_numpy() % 2000)
    told = [name is not None for name in large["registration_id"].to_pylist()]
    new = {
        "flow_id": [f"{place:024x}" for place in range(count)],
        "src_ip": [f"10.{place >> 16}.{place >> 8 & 255}.{place & 255}" for place in range(count)],
        "dst_ip": [f"2001:db8::{place >> 16:x}:{place & 65535:x}" for place in range(count)],
        "server_name": ["long-name-" * 25] * count,
        "registration_id": [f"REG-{place:07}" if is_told else None for place, is_told in enumerate(told)],
    }
    for name, values in new.items():
        large = large.set_column(large.schema.get_field_index(name), large.schema.field(name), pa.array(values))
    pq.write_table(large, tmp_path / "run.parquet")
    figures = figures_of(tmp_path / "run.parquet", ReportOptions(registry=Registry.load(SAMPLE)))
    made = page(figures)
    assert len(made) <= 1_000_000
    parts = (("endpoints", "total", "ranked"), ("inside", "total", "hosts"), ("registrations", "seen_total", "seen"))
    for part, total, listed in parts:
        assert figures[part]["left_out"] == figures[part][total] - 200 > 1000
        assert len(figures[part][listed]) == 200
        assert f"{figures[part]['left_out']:,} further rows are left out".encode() in made


def test_the_same_run_gives_the_same_octets(tmp_path: Path, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the batches are cut, and whatever the order of sets and threads."""
    path = written(tmp_path, rows)
    options = ReportOptions(registry=Registry.load(SAMPLE), most=50)
    made = page(figures_of(path, options))
    assert page(figures_of(path, options)) == made
    monkeypatch.setattr(records, "ROWS", 171)
    monkeypatch.setattr(sums, "MOST_WAITING", 30)
    assert page(figures_of(path, options)) == made
    command = [sys.executable, "-m", "flowclass.cli.main", "report", str(path), "-o", str(tmp_path / "r.html")]
    for seed in ("1", "2"):
        more = ["--registry", str(SAMPLE), "--rows", "50"]
        subprocess.run([*command, *more], check=True, capture_output=True, env={**os.environ, "PYTHONHASHSEED": seed})
        assert (tmp_path / "r.html").read_bytes() == made


def test_the_command(tmp_path: Path, rows: Rows, flowclass_command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    run = written(tmp_path, rows)
    ended = flowclass_command("report", run, "-o", tmp_path / "r.html", "--registry", SAMPLE)
    assert (ended.code, ended.out) == (0, "")
    options = ReportOptions(registry=Registry.load(SAMPLE))
    assert (tmp_path / "r.html").read_bytes() == page(figures_of(run, options))
    ended = flowclass_command("report", run, "--json", "--scope", "203.0.113.0/24", "--rows", "3")
    assert json.loads(ended.out) == figures_of(run, ReportOptions(scope=("203.0.113.0/24",), most=3))
    monkeypatch.setenv("COLUMNS", "100")
    ended = flowclass_command("report", run, "--registry", SAMPLE)
    assert max(map(len, ended.out.splitlines())) <= 100
    violations = sum(row["policy_outcome"] == "violation" for row in rows)
    assert f"{violations} flows broke the rules in force" in " ".join(ended.out.split())
    assert figures_of(run)["registrations"]["seen"][0]["registration_id"] in ended.out
    assert "ORG-2026-0019" in ended.out
    assert "Over time, in " in ended.out
    assert "Made by flowclass " in ended.out


def test_the_scope_is_prefixes_and_files_of_them(tmp_path: Path, rows: Rows, flowclass_command: Command) -> None:
    """Whatever the scope of the registry beside it, which says what counts and not what is inside."""
    run = written(tmp_path, rows)
    (tmp_path / "ours.txt").write_text("203.0.113.0/24 # ours\n")
    Registry.load(SAMPLE).save(tmp_path / "r.fcr", built_at=0)
    for registry in (SAMPLE, tmp_path / "r.fcr"):
        scopes = ("--scope", tmp_path / "ours.txt", "--scope", "10.0.0.0/8")
        told = json.loads(flowclass_command("report", run, "--registry", registry, "--json", *scopes).out)
        assert told["inside"]["scope"] == ["203.0.113.0/24", "10.0.0.0/8"]
        assert told["registrations"]["registry"]["version"] == Registry.load(SAMPLE).version
    ended = flowclass_command("report", run, "--scope", "10.0.0.0/33")
    assert (ended.code, "there is no file of that name" in ended.err) == (5, True)


def test_why_is_said_first(tmp_path: Path, rows: Rows) -> None:
    accused = [row for row in rows if row["policy_outcome"] in ("violation", "violation_trial")]
    reasons = Counter(row["policy_reason"] for row in accused)
    said = " ".join(headline(figures_of(written(tmp_path, rows))))
    assert f"Of these {len(accused):,}, {reasons['unregistered']:,} have no registration; " in said
    for reason, words in REASON_WORDS.items():
        assert (f" {reasons[reason]:,} {words}" in said) == (reasons[reason] > 0)
    assert "Of these" not in " ".join(headline(figures_of(written(tmp_path, []))))


def test_the_terminal_shows_no_control_characters(tmp_path: Path, flowclass_command: Command) -> None:
    hostile_page(tmp_path)
    ended = flowclass_command("report", next(tmp_path.glob("*.parquet")))
    assert ended.code == 0
    assert "alert(1)" in ended.out
    assert all(char.isprintable() or char == "\n" for char in ended.out)


def test_what_cannot_be_reported(tmp_path: Path, flowclass_command: Command) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        figures_of(tmp_path / "absent.parquet")
    (tmp_path / "x.parquet").write_bytes(b"no parquet at all")
    with pytest.raises(SourceError, match="neither Parquet nor Arrow"):
        figures_of(tmp_path / "x.parquet")
    whole = written(tmp_path, random_rows(50)).read_bytes()
    (tmp_path / "x.parquet").write_bytes(whole[:-9])
    with pytest.raises(SourceError, match="cannot be read"):
        figures_of(tmp_path / "x.parquet")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "x.parquet")
    with pytest.raises(SchemaError, match="flow_id is missing"):
        figures_of(tmp_path / "x.parquet")
    assert flowclass_command("report", tmp_path / "x.parquet").code == 4
    run = written(tmp_path, random_rows(5))
    assert flowclass_command("report", run, "-o", tmp_path / "no" / "r.html").code == 6
    assert flowclass_command("report", run, "--registry", run).code == 5
    assert flowclass_command("report", run, "--rows", "0").code == 2
    assert not list(tmp_path.glob(".tmp-*"))


def test_a_run_without_flows(tmp_path: Path, flowclass_command: Command) -> None:
    run = written(tmp_path, [])
    ended = flowclass_command("report", run, "--registry", SAMPLE)
    assert (ended.code, "The run holds no flows." in ended.out) == (0, True)
    made = page(figures_of(run, ReportOptions(registry=Registry.load(SAMPLE)))).decode()
    assert "The run holds no flows." in made
    assert re.findall(r'<section id="(\w+)"', made) == ["balance", "provenance", "limits"], (
        "nothing to say in the others"
    )


def test_a_browser_takes_the_page(tmp_path: Path) -> None:
    """The style and the script run under the page's own rule, and the hostile names do not."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no browser on this machine")
    (tmp_path / "r.html").write_text(hostile_page(tmp_path), encoding="utf-8")
    switches = ("--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom")
    command = [browser, *switches, f"--user-data-dir={tmp_path / 'profile'}", (tmp_path / "r.html").as_uri()]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert 'aria-sort="none"' in ended.stdout
    assert "CONSOLE" not in ended.stderr
    assert Tags(ended.stdout).tags["img"] == 0

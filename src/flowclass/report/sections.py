"""Takes the figures. Gives the parts of the page, one function each: sentences, a chart, and tables of the same."""

from __future__ import annotations

from typing import Any

from flowclass.report import charts
from flowclass.report.judged import OUTCOMES, TIERS
from flowclass.report.table import Column, table, text
from flowclass.report.words import (
    LIMITS,
    OUTCOME_WORDS,
    TIER_WORDS,
    balance_words,
    by_outcome,
    drawn_series,
    endpoint,
    explain_command,
    instant,
    many,
    span,
)

MOST_IDS = 500
MOST_OPEN_IDS = 40  # of more the list is folded, and stays so in print
MOST_BARS = 30
MOST_NAMES = 200  # of protocols, reasons and facts: closed lists, but a file could hold anything
_SPAN = (Column("first seen (UTC)", kind="time"), Column("last seen (UTC)", kind="time"))
_FLOWS = (Column("flows", "number"), Column("octets", "number"))


def outcomes(figures: dict[str, Any]) -> str:
    """Say how many flows have which outcome, and why."""
    counts = by_outcome(figures)
    present = [name for name in reversed(OUTCOMES) if name in counts]
    chart = charts.bars("Flows by outcome", [(name, {name: counts[name]}) for name in present])
    meaning = table(
        "t-outcomes",
        "Flows by outcome",
        [Column("outcome", "outcome"), Column("flows", "number"), Column("meaning")],
        [(name, counts[name], OUTCOME_WORDS[name]) for name in present],
    )
    columns = [Column("outcome", "outcome"), Column("phase"), Column("reason"), Column("registry"), *_FLOWS]
    rows = [
        (row["outcome"], row["phase"], row["reason"], row["registry_match"], row["flows"], row["bytes"])
        for row in figures["outcomes"]
    ]
    return chart + meaning + _capped("t-reasons", "Why, by phase of the calendar, reason and registry", columns, rows)


def threshold(figures: dict[str, Any]) -> str:
    """Say what another threshold of evidence would change."""
    counts = by_outcome(figures)
    accused = counts.get("violation", 0) + counts.get("violation_trial", 0)
    rows = figures["thresholds"]
    chart = charts.bars(
        "Violations and trial violations by the least tier asked for",
        [(f"at least {row['tier']}", {row["tier"]: row["as_phased"]["flows"]}) for row in rows],
    )
    columns = [Column("least tier asked for", "tier"), Column("read it as")]
    for what in ("", " if all were enforced"):
        columns += [Column(f"{unit}{what}", "number") for unit in ("flows", "inside hosts", "endpoints")]
    counted = [
        (
            row["tier"],
            TIER_WORDS[row["tier"]],
            *(
                row[part][unit]
                for part in ("as_phased", "all_enforced")
                for unit in ("flows", "inside_hosts", "endpoints")
            ),
        )
        for row in rows
    ]
    if figures["run"]["judged"]:
        begun = (
            f"The policy as it is counts {many(accused, 'flow')} as violations and trial violations. The table says how"
            " many there would be if another tier were the least that accuses."
        )
    else:
        begun, chart = "No policy was asked. The last columns say what one that enforces everything would count.", ""
    return (
        f"<p>{begun} A lower tier finds more and errs more.</p>"
        + chart
        + table("t-thresholds", "Violations and trial violations by threshold", columns, counted)
        + '<p class="soft">Reviews count at a threshold where the tier alone had made them reviews. The last three'
        " columns take every flow without a valid registration, those in a time of grace or pending too.</p>"
    )


def hosts(figures: dict[str, Any]) -> str:
    """Rank the inside hosts that would be affected, with how sure each is."""
    inside = figures["inside"]
    grid = {(row["outcome"], row["tier"]): row["hosts"] for row in inside["by_outcome_and_tier"]}
    outcomes = [name for name in reversed(OUTCOMES) if any(key[0] == name for key in grid)]
    tiers = list(reversed(TIERS[1:]))
    drawn = [(name, {tier: grid.get((name, tier), 0) for tier in tiers}) for name in outcomes]
    chart = charts.bars("Inside hosts by gravest outcome and best tier", drawn) + charts.legend(tiers)
    summary = table(
        "t-sure",
        "Inside hosts by their gravest outcome and how sure the protocol is",
        [Column("gravest outcome", "outcome"), *(Column(tier, "number") for tier in tiers)],
        [(name, *(parts[tier] for tier in tiers)) for name, parts in drawn],
    )
    columns = [
        Column("inside host"),
        Column("gravest outcome", "outcome"),
        Column("surest tier", "tier"),
        Column("most bits", "bits"),
        Column("protocols"),
        *(Column(f"{tier} flows", "number") for tier in tiers),
        Column("endpoints", "number"),
        Column("octets", "number"),
        *_SPAN,
    ]
    rows = [
        (
            row["host"],
            row["outcome"],
            row["tier"],
            row["evidence_bits"],
            ", ".join(row["protocols"]),
            *(row[tier] for tier in tiers),
            row["endpoints"],
            row["bytes"],
            row["time_start"],
            row["time_end"],
        )
        for row in inside["hosts"]
    ]
    without = inside["flows_without_inside_end"]
    return (
        f"<p>Inside means {text(inside['rule'], 2000)}. {many(inside['total'], 'inside host')} had flows that count and"
        f" {_of_registry(figures)}; {many(without, 'such flow')} had no inside end and stand in no row here.</p>"
        + (chart + summary if drawn else "")
        + table("t-hosts", "Inside hosts, the gravest first", columns, rows, left_out=inside["left_out"])
    )


def _of_registry(figures: dict[str, Any]) -> str:
    if figures["run"]["looked_up"]:
        return "have no valid registration"
    return "may be registered or not, as no registry was asked"


def endpoints(figures: dict[str, Any]) -> str:
    """Rank the endpoints without a valid registration, with their evidence."""
    found = figures["endpoints"]
    file = figures["provenance"]["file"]
    named = any(row["server_name"] for row in found["ranked"])
    columns = [
        Column("endpoint"),
        Column("protocol"),
        Column("registry"),
        Column("outcome", "outcome"),
        Column("tier", "tier"),
        Column("most bits", "bits"),
        *_FLOWS,
        *_SPAN,
        *([Column("server name")] if named else []),
        Column("the example, explained", "code"),
    ]
    rows = [
        (
            endpoint(row),
            row["protocol"],
            row["registry_match"] or "not asked",
            row["outcome"],
            row["tier"],
            row["evidence_bits"],
            row["flows"],
            row["bytes"],
            row["time_start"],
            row["time_end"],
            *([row["server_name"]] if named else []),
            explain_command(row["flow_id"], file),
        )
        for row in found["ranked"]
    ]
    asked = "" if figures["run"]["looked_up"] else " No registry was asked: these are the endpoints of all that counts."
    return (
        f"<p>{found['addresses']:,} different addresses, by protocol and port, the gravest first.{asked}"
        " The endpoint is the end of the flow that is not inside; where that is both or neither, the one that answered."
        " The example is the flow with the most evidence: its command shows the octets, with --pcap CAPTURE.</p>"
        + table("t-endpoints", "Endpoints without a valid registration", columns, rows, left_out=found["left_out"])
    )


def timeline(figures: dict[str, Any]) -> str:
    """Show when the flows began."""
    line = figures["timeline"]
    series = drawn_series(line["series"])
    labels = [(instant(bucket["time"]), bucket["flows"]) for bucket in line["buckets"]]
    left = [name for name in line["series"] if name not in series]
    rest = f" Not drawn, but in the table: {text(', '.join(left))}." if left else ""
    columns = [Column("from (UTC)", kind="time"), *(Column(name, "number") for name in line["series"])]
    rows = [
        (bucket["time"], *(bucket["flows"][name] for name in line["series"]))
        for bucket in line["buckets"]
        if any(bucket["flows"].values())
    ]
    return (
        f"<p>Flows by the moment they began, in steps of {span(line['width_ns'])}.{rest}</p>"
        + charts.legend(series)
        + charts.columns("Flows over time by outcome", series, labels)
        + "<details><summary>The same as a table</summary>"
        + table("t-timeline", "Flows by time; steps without a flow are left out", columns, rows)
        + "</details>"
    )


def protocols(figures: dict[str, Any]) -> str:
    """Show the protocols by class and tier."""
    tiers = list(reversed(TIERS))
    tunnels = [row for row in figures["protocols"] if row["protocol_class"] not in ("app", "unknown")]
    chart = charts.bars(
        "Tunnel flows by protocol and tier",
        [(row["protocol"], {tier: row["tiers"][tier] for tier in tiers}) for row in tunnels[:MOST_BARS]],
    )
    columns = [
        Column("protocol"),
        Column("class"),
        *(Column(tier, "number") for tier in tiers),
        *_FLOWS,
    ]
    rows = [
        (row["protocol"], row["protocol_class"], *(row["tiers"][tier] for tier in tiers), row["flows"], row["bytes"])
        for row in figures["protocols"]
    ]
    drawn = chart + charts.legend(tiers[:-1]) if tunnels else "<p>No tunnel was found.</p>"
    return drawn + _capped("t-protocols", "All protocols by class and tier", columns, rows)


def registrations(figures: dict[str, Any]) -> str:
    """Show registrations seen, never seen, and about to end."""
    found = figures["registrations"]
    columns = [
        Column("registration"),
        Column("what the registry said"),
        Column("gravest outcome", "outcome"),
        Column("tunnel flows", "number"),
        *_FLOWS,
        *_SPAN,
    ]
    rows = [
        (
            row["registration_id"],
            ", ".join(row["registry_matches"]),
            row["outcome"],
            row["tunnels"],
            row["flows"],
            row["bytes"],
            row["time_start"],
            row["time_end"],
        )
        for row in found["seen"]
    ]
    seen = f"<p>{many(found['seen_total'], 'registration')} decided for some flow.</p>" + table(
        "t-registrations", "Registrations seen", columns, rows, left_out=found["left_out"]
    )
    registry = found.get("registry")
    if registry is None:
        return seen + "<p>Give the registry with --registry to list those never seen and those that end soon.</p>"
    same = (
        "the one that the run was judged by"
        if registry["same_version"]
        else ("<strong>not</strong> the one that the run was judged by, or was given another scope")
    )
    made = [
        seen,
        f"<p>The registry given is {same} (version {text(registry['version'][:12])}). Of its"
        f" {many(registry['registrations'], 'registration')}, {registry['in_force']:,} were approved and valid at some"
        f" moment of the run, {registry['not_in_force']:,} were not.</p>",
        _ids("In force but never seen", registry["never_seen"]),
    ]
    before = 0
    for soon in registry["soon"]:
        made.append(_ids(f"Ends {before} to {soon['days']} days after the run's last packet", soon["ids"]))
        before = soon["days"]
    if registry["seen_but_unknown"]:
        made.append(_ids("Seen, but not in the registry given", registry["seen_but_unknown"]))
    return "".join(made)


def _ids(title: str, ids: list[str]) -> str:
    listed = "".join(f"<li>{text(name, 128)}</li>" for name in ids[:MOST_IDS])
    rest = (
        f'<p class="soft">{len(ids) - MOST_IDS:,} more are left out; --json has them all.</p>'
        if len(ids) > MOST_IDS
        else ""
    )
    head = f"{text(title)}: {len(ids):,}"
    if len(ids) <= MOST_OPEN_IDS:
        return f"<h3>{head}</h3>" + (f'<ul class="ids">{listed}</ul>' if ids else "")
    return f'<details class="long"><summary>{head}</summary><ul class="ids">{listed}</ul>{rest}</details>'


def balance(figures: dict[str, Any]) -> str:
    """Say what the records add up to, and what was skipped."""
    run, balance = figures["run"], figures["provenance"]["balance"]
    rows: list[tuple[str, Any]] = [
        ("flow records", run["records"]),
        ("of them continued records of a long flow", run["continued"]),
        ("packets in flows", run["packets"]),
        ("octets in flows", run["bytes"]),
        ("packets cut too short to read whole", run["truncated_packets"]),
        ("records that a registry was asked for", run["looked_up"]),
        ("records that a policy judged", run["judged"]),
    ]
    columns = [Column("what"), Column("count", "number")]
    made = table("t-balance", "What the records of the run add up to", columns, rows)
    made += f"<p>{text(balance_words(balance), 4000)}</p>"
    if balance is None:
        return made
    facts = [(name.replace("_", " "), value) for name, value in balance.items() if type(value) is int]
    for unit in ("packets", "bytes"):
        skipped = balance.get(f"{unit}_skipped")
        if isinstance(skipped, dict):
            facts += [(f"{unit} skipped: {why}", count) for why, count in skipped.items() if type(count) is int]
    return made + table("t-read", "What was read and skipped, with reasons", columns, facts[:MOST_NAMES])


def provenance(figures: dict[str, Any]) -> str:
    """Say what the run was made from."""
    source = figures["provenance"]
    known = {
        "version": "flowclass that made the run",
        "schema": "schema of the records",
        "rules_sha256": "fingerprints (SHA-256)",
        "registry_version": "registry (SHA-256 of its content)",
        "policy_sha256": "policy (SHA-256 of its file)",
        "flow_definition": "what a flow is",
        "judged_at": "judged as if at (ns UTC; else at each flow's own time)",
        "anonymized": "how addresses were anonymised",
    }
    rows = [("file of the run", source["file"])]
    rows += [(said, source["metadata"].get(name) or "not in the file") for name, said in known.items()]
    rows += [(name, value) for name, value in source["metadata"].items() if name not in known]
    facts = "".join(
        f'<tr><th scope="row">{text(name)}</th><td><code>{text(value, 2000)}</code></td></tr>'
        for name, value in rows[:MOST_NAMES]
    )
    return (
        '<div class="scroll"><table id="t-provenance"><caption>The run</caption><thead><tr><th scope="col">what</th>'
        f'<th scope="col">value</th></tr></thead><tbody>{facts}</tbody></table></div>'
        f"<details><summary>{many(source['inputs_total'], 'input')}</summary>"
        + table(
            "t-inputs",
            "Inputs of the run",
            [Column("file"), Column("octets", "number")],
            [(one["name"], one["size"] if type(one["size"]) is int else None) for one in source["inputs"]],
            left_out=source["inputs_total"] - len(source["inputs"]),
        )
        + "</details>"
    )


def limits(figures: dict[str, Any]) -> str:
    """Say what the report cannot say."""
    said = "".join(f"<li>{text(sentence, 1000)}</li>" for sentence in LIMITS)
    rows = [(tier, TIER_WORDS[tier]) for tier in reversed(TIERS)]
    return f"<ul>{said}</ul>" + table(
        "t-tiers", "How to read a tier", [Column("tier", "tier"), Column("read it as")], rows
    )


def _capped(name: str, caption: str, columns: list[Column], rows: list[tuple[Any, ...]]) -> str:
    return table(name, caption, columns, rows[:MOST_NAMES], left_out=max(len(rows) - MOST_NAMES, 0))

"""Takes a table of flow records. Gives it with what the figures count by: who counts, which end, how sure."""

from __future__ import annotations

from typing import Any

from flowclass.report.inside import Inside

TIERS = ("none", "possible", "probable", "confirmed")
# From the mildest to the gravest; the first stands for records that no policy judged.
OUTCOMES = ("not_judged", "not_applicable", "allow", "allow_grace", "review", "violation_trial", "violation")
CLASSES = ("vpn", "overlay", "proxy", "covert", "app", "unknown")
NOT_COUNTED = ("class_not_counted", "no_evidence", "out_of_scope")
VALID = ("registered", "out_of_scope")


def with_marks(table: Any) -> Any:
    """Add the columns that figures are counted by.

    Parameters
    ----------
    table : pyarrow.Table
        With the columns of ``flowclass.report.records``.

    Returns
    -------
    pyarrow.Table
        With ``flows``, ``bytes``, ``outcome``, ``gravity`` (place in ``OUTCOMES``), ``series`` (outcome, or the class
        of a flow that was not judged), ``sure`` (place in ``TIERS``), ``counted`` (a class that counts, with evidence),
        ``open`` (counted, and no valid registration) and ``accused`` (a violation or a trial violation at some
        threshold of the tier).
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    outcome, reason, tier = table["policy_outcome"], table["policy_reason"], table["tier"]
    by_class = pc.and_(pc.equal(table["protocol_class"], "vpn"), pc.not_equal(tier, "none"))
    by_reason = pc.invert(pc.is_in(reason, value_set=pa.array(NOT_COUNTED)))
    counted = pc.fill_null(pc.if_else(pc.is_null(outcome), by_class, by_reason), False)
    valid = pc.is_in(table["registry_match"], value_set=pa.array(VALID))
    below = pc.fill_null(pc.and_(pc.equal(outcome, "review"), pc.equal(reason, "tier_below_threshold")), False)
    accused = pc.or_(pc.is_in(outcome, value_set=pa.array(["violation", "violation_trial"])), below)
    known = pc.is_in(outcome, value_set=pa.array(OUTCOMES))
    named = pc.if_else(known, outcome, OUTCOMES[0])
    known = pc.is_in(table["protocol_class"], value_set=pa.array(CLASSES))
    series = pc.if_else(pc.is_valid(outcome), named, pc.if_else(known, table["protocol_class"], "unknown"))
    added = {
        "flows": pa.repeat(pa.scalar(1, pa.int64()), table.num_rows),
        "bytes": pc.add(table["bytes_fwd"], table["bytes_rev"]),
        "outcome": named,
        "series": series,
        "gravity": pc.fill_null(pc.index_in(named, value_set=pa.array(OUTCOMES)), 0),
        "sure": pc.fill_null(pc.index_in(tier, value_set=pa.array(TIERS)), 0),
        "counted": counted,
        "open": pc.and_(counted, pc.invert(valid)),
        "accused": accused,
    }
    for name, column in added.items():
        table = table.append_column(name, column)
    return table


def with_ends(table: Any, inside: Inside) -> tuple[Any, Any, int]:
    """Say of each flow which end is the endpoint that should be registered, and which hosts are inside.

    The endpoint is the end that is not inside where one end alone is; else the responder. Its port is given for the
    responder alone, since the initiator's is any port.

    Returns
    -------
    flows : pyarrow.Table
        The table with ``address`` and ``port`` of the endpoint.
    hosts : pyarrow.Table
        One row for each inside host of each flow, with ``host``.
    without : int
        Flows with no inside end.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    source, destination = inside.mask(table["src_ip"]), inside.mask(table["dst_ip"])
    far_is_source = pc.and_(destination, pc.invert(source))
    ports = table["dst_port"]
    flows = table.append_column("address", pc.if_else(far_is_source, table["src_ip"], table["dst_ip"]))
    flows = flows.append_column("port", pc.if_else(far_is_source, pa.scalar(None, ports.type), ports))
    second = pc.and_(destination, pc.not_equal(table["src_ip"], table["dst_ip"]))
    hosts = pa.concat_tables(
        [
            flows.append_column("host", flows["src_ip"]).filter(source),
            flows.append_column("host", flows["dst_ip"]).filter(pc.or_(far_is_source, second)),
        ]
    )
    without = table.num_rows - (pc.sum(pc.or_(source, destination)).as_py() or 0)
    return flows, hosts, without

"""Row by row of the regression table: our rules hit what they hit, and nothing else. Every change of a rule shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from labelled import FOUND, Classified, shown
from regression_table import Count, misleading, read_table, rule_counts

from flowclass import _core

TABLE = read_table()
MISLEADING = [row for row in TABLE if "misleading" in row]


@pytest.fixture(scope="module")
def counts(everything: list[Classified]) -> dict[str, Count]:
    return rule_counts(everything)


def test_the_rules_are_ours() -> None:
    declared = {rule for matcher in _core.matchers() for rule, _ in matcher["rules"]}
    assert not {rule for row in TABLE for rule in row["ours"]} - declared
    assert len(TABLE) == 17


@pytest.mark.corpus
@pytest.mark.parametrize("row", TABLE, ids=lambda row: row["rule"])
def test_flows_with_our_rules(row: dict[str, Any], counts: dict[str, Count]) -> None:
    false = [line for rule in row["ours"] for line in counts.get(rule, Count()).false]
    assert not false, "\n".join(false)
    assert {rule: counts.get(rule, Count()).expected for rule in row["ours"]} == row["ours"]


@pytest.mark.corpus
@pytest.mark.parametrize("row", MISLEADING, ids=lambda row: row["rule"])
def test_flows_that_the_simple_rule_takes_wrongly(
    row: dict[str, Any], everything: list[Classified], corpus: Path
) -> None:
    flows = list(misleading(row, everything, corpus))
    assert len(flows) == row["misleading"] > 0
    taken = [
        f"{capture} {shown(one)}"
        for capture, rows in flows
        for one in rows
        if one["tier"] in FOUND and set(one["rules"]) & set(row["ours"])
    ]
    assert not taken, "\n".join(taken)

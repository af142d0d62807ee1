"""The regression table: what simple rules of others hit and took wrongly in test captures, and what ours hit now.

Takes the classified corpus and ``regression_table.toml``. Gives, row by row, the flows whose verdict is probable or
confirmed with a rule of ours in its evidence. Run by itself it prints them as they stand in the file, to renew it by
hand once each difference is understood:

    PYTHONPATH=tests python tests/corpus/regression_table.py ../shared/corpus
"""

from __future__ import annotations

import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labelled import FOUND, Classified, Key, Row, classified, read_lines, read_list, shown

from flowclass.accuracy.labels import flow_key

FOLDER = Path(__file__).parent
UDP = 17


@dataclass
class Count:
    """Flows with one rule: rightly named, named where nobody vouches for either, and named wrongly."""

    right: int = 0
    left_out: int = 0
    false: list[str] = field(default_factory=list)

    @property
    def expected(self) -> dict[str, int]:
        """As the file has it."""
        return {"right": self.right, "left_out": self.left_out}


def read_table() -> list[dict[str, Any]]:
    """Read the rows."""
    rows: list[dict[str, Any]] = tomllib.loads((FOLDER / "regression_table.toml").read_text())["row"]
    return rows


def read_gaps() -> set[tuple[str, int]]:
    """Read which flows the lists have missed: capture and first frame."""
    gaps = tomllib.loads((FOLDER / "label_gaps.toml").read_text())["flow"]
    return {(row["capture"], row["frame"]) for row in gaps}


def rule_counts(everything: Iterable[Classified]) -> dict[str, Count]:
    """Count the flows, by the rules in the evidence of their probable and confirmed verdicts."""
    gaps = read_gaps()
    counts: dict[str, Count] = {}
    for one in everything:
        for inside, flows in ((False, one.outer), (True, one.inner)):
            for key, rows in flows.items():
                sure = [row for row in rows if row["tier"] in FOUND]
                for rule in {rule for row in sure for rule in row["rules"]}:
                    count = counts.setdefault(rule, Count())
                    named = [row for row in sure if rule in row["rules"]]
                    verdict = _verdict(one, key, named, inside=inside, gaps=gaps)
                    if verdict == "right":
                        count.right += 1
                    elif verdict == "false":
                        count.false.append(f"{one.capture.name} {shown(named[0])}")
                    else:
                        count.left_out += 1
    return counts


def _verdict(one: Classified, key: Key, rows: list[Row], *, inside: bool, gaps: set[tuple[str, int]]) -> str:
    labels = [label for label in one.capture.labels if label.key == key and (label.depth > 0) == inside]
    if labels:
        label = labels[0]
        if not label.judged:
            return "left out"
        return "right" if all(row["protocol"] in label.accept for row in rows) else "false"
    first = min(row["packet_first"] for row in rows)
    if (one.capture.name, first) in gaps:
        return "left out"
    known = key in one.capture.hard_negatives if inside else one.capture.known.is_negative(key, first)
    return "false" if known else "left out"


def misleading(row: dict[str, Any], everything: Iterable[Classified], corpus: Path) -> Iterator[tuple[str, list[Row]]]:
    """Give flows like those that a simple rule takes wrongly.

    Parameters
    ----------
    row : dict
        Of the table. Flows are chosen by ``looks_like`` (of the list of hard negatives), ``ports`` (UDP, of negatives)
        and ``captures`` (all UDP flows in them without label).
    everything : iterable of Classified
        The corpus, classified.
    corpus : Path
        Where its lists lie.
    """
    listed: dict[str, set[Key]] = {}
    for hard in read_lines(corpus / "hard_negatives.jsonl"):
        if set(hard["looks_like"]) & set(row.get("looks_like", ())):
            listed.setdefault(hard["capture"], set()).add(flow_key(hard))
    ports, captures = set(row.get("ports", ())), set(row.get("captures", ()))
    for one in everything:
        chosen = {key: one.outer.get(key, []) + one.inner.get(key, []) for key in listed.get(one.capture.name, ())}
        for key, rows in one.negatives():
            if key[2] == UDP and {key[0][1], key[1][1]} & ports:
                chosen[key] = rows
        if one.capture.name in captures:
            labelled = {label.key for label in one.capture.labels}
            chosen |= {key: rows for key, rows in one.outer.items() if key[2] == UDP and key not in labelled}
        yield from ((one.capture.name, rows) for rows in chosen.values())


def main(corpus: Path) -> None:
    """Print what the file should hold."""
    everything = [classified(capture) for capture in read_list(corpus)]
    counts = rule_counts(everything)
    for row in read_table():
        print(f"[[row]]  # {row['rule']}")
        if "misleading" in row:
            flows = [rows for _, rows in misleading(row, everything, corpus)]
            said = Counter(one["protocol"] for rows in flows for one in rows if set(one["rules"]) & set(row["ours"]))
            print(f"misleading = {len(flows)}" + (f"  # ours on these: {dict(said)}" if said else ""))
        print("[row.ours]")
        for rule in row["ours"]:
            count = counts.get(rule, Count())
            print(f'"{rule}" = {{ right = {count.right}, left_out = {count.left_out} }}')
            for line in count.false:
                print(f"# FALSE {line}")
        print()


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Takes record batches as they pass. Gives the counts a summary needs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

KEYS = ("protocol_class", "protocol", "variant", "tier", "registry_match", "policy_outcome")


class Tally:
    """Flows by protocol, tier, registry and outcome.

    Attributes
    ----------
    flows : int
        Records seen.
    groups : Counter of tuple of str or None
        Records by class, protocol, variant, tier, registry match and policy outcome.
    """

    def __init__(self) -> None:
        self.flows = 0
        self.groups: Counter[tuple[str | None, ...]] = Counter()

    def add(self, batch: pa.RecordBatch) -> None:
        """Count one batch."""
        import pyarrow as pa

        self.flows += batch.num_rows
        if batch.num_rows == 0:
            return
        counted = pa.Table.from_batches([batch]).select(KEYS).group_by(list(KEYS)).aggregate([([], "count_all")])
        columns = [counted.column(name).to_pylist() for name in (*KEYS, "count_all")]
        for *key, count in zip(*columns, strict=True):
            self.groups[tuple(key)] += count

    def by(self, *keys: str) -> Counter[tuple[str | None, ...]]:
        """Give the counts by some of the keys.

        Parameters
        ----------
        *keys : str
            Of ``protocol_class, protocol, variant, tier, registry_match, policy_outcome``.
        """
        places = [KEYS.index(key) for key in keys]
        out: Counter[tuple[str | None, ...]] = Counter()
        for group, count in self.groups.items():
            out[tuple(group[place] for place in places)] += count
        return out

    def outcome(self, name: str) -> int:
        """Give the number of records with one policy outcome."""
        return self.by("policy_outcome")[(name,)]

"""Takes record batches as they pass, or what an engine counted. Gives the counts a summary needs."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

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
        import pyarrow.compute as pc

        self.flows += batch.num_rows
        if batch.num_rows == 0:
            return
        # One number a row for all keys together. Table.group_by would do, but what it imports costs more than a run.
        together: Any = _number(0)
        names: list[list[str | None]] = []
        for key in KEYS:
            column: Any = batch.column(key)
            coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
            names.append([*coded.dictionary.to_pylist(), None])
            codes = pc.coalesce(coded.indices.cast(pa.int64()), _number(len(names[-1]) - 1))
            together = pc.add(pc.multiply(together, _number(len(names[-1]))), codes)
        for found in pc.value_counts(together).to_pylist():
            code, group = found["values"], []
            for values in reversed(names):
                code, place = divmod(code, len(values))
                group.append(values[place])
            self.groups[tuple(reversed(group))] += found["counts"]

    def add_counted(self, counted: Iterable[tuple[tuple[str | None, ...], int]]) -> None:
        """Add groups that were counted elsewhere, each in the order of ``KEYS``."""
        for group, flows in counted:
            self.groups[group] += flows
            self.flows += flows

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


def _number(value: int) -> Any:
    """Give an Arrow number; ``pa.scalar`` imports pandas, where it is installed, to ask whether it was given some."""
    import pyarrow as pa

    octets = pa.py_buffer(value.to_bytes(8, sys.byteorder))
    return pa.Array.from_buffers(pa.int64(), 1, [None, octets])[0]

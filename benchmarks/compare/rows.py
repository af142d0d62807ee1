"""flowclass by its Python interface, rows made and thrown away: python -m benchmarks.compare.rows TRACE [--features].

Writing a file costs what its format costs; this says what the rows themselves do.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import flowclass


def main() -> None:
    """Make the rows of the trace and print what `flowclass classify --json` says of flows and packets."""
    trace, features = Path(sys.argv[1]), "--features" in sys.argv[2:]
    rows = flowclass.stream(trace, options=flowclass.EngineOptions(features=features))
    flows = sum(batch.num_rows for batch in rows)
    print(json.dumps({"flows": flows, "balance": {"packets_read": rows.balance.packets_read}}))


if __name__ == "__main__":
    main()

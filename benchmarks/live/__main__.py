"""Live runs under load, over a cable in a network namespace of their own; needs root.

python -m benchmarks.live replay [--packets 10000000] [--rate N] [--trial 500000] [--ring 256MiB]
python -m benchmarks.live soak [--minutes 20] [--rate 5000] [--tunnels 200] [--memcap 16MiB]

replay finds the rate at which the kernel begins to drop (twice the last one until packets are lost), then sends so many
packets at half of the highest rate without loss, or at the rate given: none may be lost, and every flow has to be told
as the batch run tells it. soak floods a small table with new flows while tunnels begin and stay: memory may not grow,
and each tunnel has to be one confirmed flow. Both print JSON, and end with 1 where something is not as it is to be.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.live import replay, soak
from benchmarks.live.wire import own_network
from benchmarks.machine import machine

_CAPTURES = Path(__file__).resolve().parents[2] / "datasets" / "captures"


def main() -> int:
    """Run one of them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live", description=(__doc__ or "").partition("\n")[0])
    kinds = parser.add_subparsers(dest="kind", required=True)
    many = kinds.add_parser("replay")
    many.add_argument("--packets", type=int, default=10_000_000)
    many.add_argument("--rate", type=float, help="packets a second; by default half of what is found")
    many.add_argument("--trial", type=int, default=500_000, help="packets for each rate that is tried")
    many.add_argument("--ring", default="256MiB")
    long = kinds.add_parser("soak")
    long.add_argument("--minutes", type=float, default=20.0)
    long.add_argument("--rate", type=float, default=5_000.0, help="new flows a second")
    long.add_argument("--tunnels", type=int, default=200)
    long.add_argument("--memcap", default="16MiB")
    given = parser.parse_args()
    with own_network():
        if given.kind == "replay":
            found = replay.run(_CAPTURES, given.packets, given.rate, given.trial, given.ring)
            well = not found["lost"] and not found["missing"]
        else:
            with tempfile.TemporaryDirectory() as folder:
                found = soak.soak(
                    _CAPTURES,
                    Path(folder),
                    seconds=given.minutes * 60,
                    rate=given.rate,
                    tunnels=given.tunnels,
                    memcap=given.memcap,
                )
            well = not found["wrong"]
    told: dict[str, Any] = {"machine": machine(), "kind": given.kind, **found}
    print(json.dumps(told, indent=1))
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())

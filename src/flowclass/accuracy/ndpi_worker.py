"""Says what nDPI calls the flows of captures, through nfstream.

A program of its own, because it forks for every capture and may crash on a hostile one. Takes one path a line, as
JSON, on standard input; gives one line a capture: a JSON list of flows, or an object with the key ``error``.
"""

from __future__ import annotations

import json
import sys
from typing import Any

FOR_EVER_S = 10**7  # a label means the whole capture: no flow is cut


def flows(path: str) -> list[list[Any]]:
    """Give the flows of one capture: ends, IP protocol, nDPI's name, and whether it was a guess.

    Parameters
    ----------
    path : str
        A capture.

    Returns
    -------
    list of [src_ip, src_port, dst_ip, dst_port, ip_proto, name, guessed]
    """
    from nfstream import NFStreamer

    streamer = NFStreamer(
        source=path,
        decode_tunnels=False,
        statistical_analysis=False,
        n_meters=1,
        idle_timeout=FOR_EVER_S,
        active_timeout=FOR_EVER_S,
    )
    return [
        [
            flow.src_ip,
            flow.src_port,
            flow.dst_ip,
            flow.dst_port,
            flow.protocol,
            flow.application_name,
            bool(flow.application_is_guessed),
        ]
        for flow in streamer
    ]


def main() -> None:
    """Answer until standard input ends."""
    for line in sys.stdin:
        answer: Any
        try:
            answer = flows(json.loads(line))
        except Exception as problem:
            answer = {"error": f"{type(problem).__name__}: {problem}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
